package transfers_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// unreliable is a ledger behind a bad network: it stalls requests, loses their answers,
// or does not hand them over, and what a caller has given up may arrive all the same.
type unreliable struct {
	ledger.Ledger
	afterAll sync.WaitGroup // requests on their way whose callers have gone

	mu     sync.Mutex
	random *rand.Rand
	rate   int // percent of the requests that have each kind of fault
	faults counts
}

func newUnreliable(l ledger.Ledger, seed uint64) *unreliable {
	return &unreliable{Ledger: l, random: rand.New(rand.NewPCG(seed, 1)), faults: make(counts)}
}

// fault is what happens to one request.
type fault struct {
	before, after time.Duration // that it is held up, on its way and on the way back
	lost          bool          // the answer is
	refused       bool          // it is not handed over
	arrives       bool          // also if its caller gives it up on its way
}

const (
	stallLeast = 5 * time.Millisecond
	stallMost  = 2 * time.Second
)

// draw draws a fault, mostly none.
func (u *unreliable) draw() (f fault) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.rate == 0 {
		return f
	}
	// Short stalls are as frequent as long ones are long.
	stall := time.Duration(float64(stallLeast) * math.Pow(float64(stallMost)/float64(stallLeast), u.random.Float64()))
	f.arrives = u.random.IntN(2) == 0
	switch n := u.random.IntN(100); {
	case n < u.rate:
		f.before = stall
		u.faults["stall on the way"]++
	case n < 2*u.rate:
		f.after = stall
		u.faults["stall on the way back"]++
	case n < 3*u.rate:
		f.lost = true
		u.faults["answer lost"]++
	case n < 4*u.rate:
		f.refused = true
		u.faults["not handed over"]++
	}
	return f
}

func (u *unreliable) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // nothing is on its way
	}
	f := u.draw()
	if f.refused {
		return nil, fmt.Errorf("%w: not handed over", ledger.ErrOutcomeUnknown)
	}
	if !pass(ctx, f.before) {
		if f.arrives {
			u.arriveAfterAll(ctx, batch)
		}
		return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, context.Cause(ctx))
	}
	results, err := u.Ledger.CreateTransfers(ctx, batch)
	switch {
	case err != nil:
		return nil, err
	case !pass(ctx, f.after):
		return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, context.Cause(ctx))
	case f.lost:
		return nil, fmt.Errorf("%w: answer lost", ledger.ErrOutcomeUnknown)
	default:
		return results, nil
	}
}

// arriveAfterAll has a request arrive that its caller has given up, some time later.
func (u *unreliable) arriveAfterAll(ctx context.Context, batch []ledger.Transfer) {
	u.mu.Lock()
	u.faults["given up and arrived"]++
	u.mu.Unlock()
	ctx, batch = context.WithoutCancel(ctx), slices.Clone(batch)
	u.afterAll.Go(func() {
		pass(ctx, 100*time.Millisecond)
		_, _ = u.Ledger.CreateTransfers(ctx, batch) // nobody is left who could be told
	})
}

// blow sets the percentage of requests that have each of the four faults. At 0 those
// under way go on.
func (u *unreliable) blow(rate int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.rate = rate
}

// end returns what faults there were, when nothing is on its way any more. Everybody has
// stopped asking.
func (u *unreliable) end() counts {
	u.blow(0)
	u.afterAll.Wait()
	return u.faults
}

// pass waits for a time; false if the context ends first.
func pass(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// between is a random time.
func between(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)+1))
}

// counts is how often what has happened.
type counts map[string]int

func (c counts) add(other counts) {
	for what, n := range other {
		c[what] += n
	}
}

// log logs the counts, in order.
func (c counts) log(t *testing.T, title string) {
	t.Helper()
	all := make([]string, 0, len(c))
	for what, n := range c {
		all = append(all, fmt.Sprintf("%s: %d", what, n))
	}
	slices.Sort(all)
	t.Logf("%s: %v", title, all)
}
