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

// faultyNetwork is a ledger behind a bad network: it stalls requests, loses their answers,
// or does not hand them over, and what a caller has given up may arrive all the same.
type faultyNetwork struct {
	ledger.Ledger
	lateRequests sync.WaitGroup // requests on their way whose callers have gone

	mu           sync.Mutex
	random       *rand.Rand
	faultPercent int // percent of the requests that have each kind of fault
	faults       counts
}

func newFaultyNetwork(l ledger.Ledger, seed uint64) *faultyNetwork {
	return &faultyNetwork{Ledger: l, random: rand.New(rand.NewPCG(seed, 1)), faults: make(counts)}
}

// requestFault is what happens to one request.
type requestFault struct {
	delayBefore, delayAfter time.Duration // that it is held up, on its way and on the way back
	losesAnswer             bool          // the answer is
	isNotSent               bool          // it is not handed over
	arrivesLate             bool          // also if its caller gives it up on its way
}

const (
	minStall = 5 * time.Millisecond
	maxStall = 2 * time.Second
)

// randomFault draws a fault, mostly none.
func (u *faultyNetwork) randomFault() (f requestFault) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.faultPercent == 0 {
		return f
	}
	// Short stalls are as frequent as long ones are long.
	stall := time.Duration(float64(minStall) * math.Pow(float64(maxStall)/float64(minStall), u.random.Float64()))
	f.arrivesLate = u.random.IntN(2) == 0
	switch n := u.random.IntN(100); {
	case n < u.faultPercent:
		f.delayBefore = stall
		u.faults["stall on the way"]++
	case n < 2*u.faultPercent:
		f.delayAfter = stall
		u.faults["stall on the way back"]++
	case n < 3*u.faultPercent:
		f.losesAnswer = true
		u.faults["answer lost"]++
	case n < 4*u.faultPercent:
		f.isNotSent = true
		u.faults["not handed over"]++
	}
	return f
}

func (u *faultyNetwork) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // nothing is on its way
	}
	f := u.randomFault()
	if f.isNotSent {
		return nil, fmt.Errorf("%w: not handed over", ledger.ErrOutcomeUnknown)
	}
	if !waitFor(ctx, f.delayBefore) {
		if f.arrivesLate {
			u.deliverLate(ctx, batch)
		}
		return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, context.Cause(ctx))
	}
	results, err := u.Ledger.CreateTransfers(ctx, batch)
	switch {
	case err != nil:
		return nil, err
	case !waitFor(ctx, f.delayAfter):
		return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, context.Cause(ctx))
	case f.losesAnswer:
		return nil, fmt.Errorf("%w: answer lost", ledger.ErrOutcomeUnknown)
	default:
		return results, nil
	}
}

// deliverLate has a request arrive that its caller has given up, some time later.
func (u *faultyNetwork) deliverLate(ctx context.Context, batch []ledger.Transfer) {
	u.mu.Lock()
	u.faults["given up and arrived"]++
	u.mu.Unlock()
	ctx, batch = context.WithoutCancel(ctx), slices.Clone(batch)
	u.lateRequests.Go(func() {
		waitFor(ctx, 100*time.Millisecond)
		_, _ = u.Ledger.CreateTransfers(ctx, batch) // nobody is left who could be told
	})
}

// setFaultPercent sets the percentage of requests that have each of the four faults. At 0 those
// under way go on.
func (u *faultyNetwork) setFaultPercent(rate int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.faultPercent = rate
}

// awaitLateRequests returns what faults there were, when nothing is on its way any more. Everybody has
// stopped asking.
func (u *faultyNetwork) awaitLateRequests() counts {
	u.setFaultPercent(0)
	u.lateRequests.Wait()
	return u.faults
}

// waitFor waits for a time; false if the context ends first.
func waitFor(ctx context.Context, d time.Duration) bool {
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

// randomDuration is a random time.
func randomDuration(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)+1))
}

// counts is how often what has happened.
type counts map[string]int

func (c counts) addCounts(other counts) {
	for what, n := range other {
		c[what] += n
	}
}

// logCounts logs the counts, in order.
func (c counts) logCounts(t *testing.T, title string) {
	t.Helper()
	all := make([]string, 0, len(c))
	for what, n := range c {
		all = append(all, fmt.Sprintf("%s: %d", what, n))
	}
	slices.Sort(all)
	t.Logf("%s: %v", title, all)
}
