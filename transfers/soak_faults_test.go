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

// faultyNetwork is a ledger behind a bad network. It delays requests, loses answers, and drops
// requests. A request that its caller has given up may still arrive.
type faultyNetwork struct {
	ledger.Ledger
	lateRequests sync.WaitGroup // requests on their way without a caller

	mu           sync.Mutex
	random       *rand.Rand
	faultPercent int // of the requests, for each kind of fault
	faults       counts
}

func newFaultyNetwork(l ledger.Ledger, seed uint64) *faultyNetwork {
	return &faultyNetwork{Ledger: l, random: rand.New(rand.NewPCG(seed, 1)), faults: make(counts)}
}

// requestFault is the fault of one request.
type requestFault struct {
	delayBefore, delayAfter time.Duration // on the way to the ledger, and of the answer
	losesAnswer             bool
	isNotSent               bool
	arrivesLate             bool // also after its caller gave it up on its way
}

const (
	minStall = 5 * time.Millisecond
	maxStall = 2 * time.Second
)

// randomFault returns a fault, mostly none.
func (u *faultyNetwork) randomFault() (f requestFault) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.faultPercent == 0 {
		return f
	}
	// Uniform on a logarithmic scale: short stalls are the most frequent.
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
		return nil, context.Cause(ctx) // nothing was sent
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

// deliverLate delivers a request some time after its caller gave it up.
func (u *faultyNetwork) deliverLate(ctx context.Context, batch []ledger.Transfer) {
	u.mu.Lock()
	u.faults["given up and arrived"]++
	u.mu.Unlock()
	ctx, batch = context.WithoutCancel(ctx), slices.Clone(batch)
	u.lateRequests.Go(func() {
		waitFor(ctx, 100*time.Millisecond)
		_, _ = u.Ledger.CreateTransfers(ctx, batch) // no caller is left to get the answer
	})
}

// setFaultPercent sets the percentage of requests with each of the four faults. Requests under
// way keep their faults.
func (u *faultyNetwork) setFaultPercent(rate int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.faultPercent = rate
}

// awaitLateRequests waits for all late requests, and returns the faults of the whole storm.
// REQUIRES: no caller sends a request any more.
func (u *faultyNetwork) awaitLateRequests() counts {
	u.setFaultPercent(0)
	u.lateRequests.Wait()
	return u.faults
}

// waitFor waits for a duration; false if the context ends first.
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

// randomDuration returns a duration between two bounds.
func randomDuration(random *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(random.Int64N(int64(most-least)+1))
}

// counts is the number of events by name.
type counts map[string]int

func (c counts) addCounts(other counts) {
	for name, n := range other {
		c[name] += n
	}
}

// logCounts logs the counts, sorted by name.
func (c counts) logCounts(t *testing.T, title string) {
	t.Helper()
	all := make([]string, 0, len(c))
	for name, n := range c {
		all = append(all, fmt.Sprintf("%s: %d", name, n))
	}
	slices.Sort(all)
	t.Logf("%s: %v", title, all)
}
