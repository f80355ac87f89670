//go:build cgo && unix

package cluster_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// pair is two accounts of a ledger number of their own.
type pair struct {
	debit, credit ledger.ID
	number        uint32
}

func newPair(tb testing.TB, l ledger.Ledger) pair {
	tb.Helper()
	p := pair{randomID(), randomID(), rand.Uint32() | 1}
	results, err := l.CreateAccounts(tb.Context(), []ledger.Account{
		{ID: p.debit, Ledger: p.number, Code: 1}, {ID: p.credit, Ledger: p.number, Code: 1},
	})
	require.NoError(tb, err)
	for _, r := range results {
		require.True(tb, r.Status.Outcome().Done(), "%v", r.Status)
	}
	return p
}

func randomID() ledger.ID { return ledger.NewID(rand.Uint64()|1, rand.Uint64()>>1) }

// transfers returns n new ones of one unit.
func (p pair) transfers(n int) []ledger.Transfer {
	all := make([]ledger.Transfer, n)
	for i := range all {
		all[i] = ledger.Transfer{
			ID: randomID(), DebitAccountID: p.debit, CreditAccountID: p.credit,
			Amount: ledger.NewAmount(1), Ledger: p.number, Code: 1,
		}
	}
	return all
}

// posted is what has moved between the two.
func (p pair) posted(t *testing.T, l ledger.Ledger) uint64 {
	t.Helper()
	found, err := l.LookupAccounts(t.Context(), []ledger.ID{p.debit, p.credit})
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Equal(t, found[0].DebitsPosted, found[1].CreditsPosted)
	n, ok := found[0].DebitsPosted.Uint64()
	require.True(t, ok)
	return n
}

// load creates transfers on a ledger until it is stopped: some callers, each with one
// request at a time, which nobody gives up and nobody sends twice.
type load struct {
	pair
	stop    context.CancelFunc
	callers sync.WaitGroup

	mu       sync.Mutex
	changed  chan struct{} // closed, and made anew, with each answer
	answers  int
	known    []ledger.ID         // answered as applied
	unknown  [][]ledger.Transfer // of each request that was stopped
	last     time.Time           // of an answer
	longest  time.Duration
	existing int // answered as exists: a lost session's
}

const (
	loadCallers = 4
	loadBatch   = 20
)

// startLoad starts a load and returns when it has had some answers.
func startLoad(t *testing.T, l ledger.Ledger) *load {
	t.Helper()
	w := &load{pair: newPair(t, l), changed: make(chan struct{}), last: time.Now()}
	var ctx context.Context
	ctx, w.stop = context.WithCancel(t.Context())
	t.Cleanup(w.stop)
	for range loadCallers {
		w.callers.Go(func() {
			for ctx.Err() == nil {
				if !w.send(ctx, t, l) {
					return
				}
			}
		})
	}
	w.await(t, 20)
	return w
}

// send sends one request. It returns false if that failed.
func (w *load) send(ctx context.Context, t *testing.T, l ledger.Ledger) bool {
	t.Helper()
	transfers := w.transfers(loadBatch)
	results, err := l.CreateTransfers(ctx, transfers)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.unknown = append(w.unknown, transfers)
		return assert.ErrorIs(t, err, context.Canceled)
	}
	for i, r := range results {
		if !assert.True(t, r.Status.Outcome().Done(), "%v", r.Status) {
			return false
		}
		if r.Status == ledger.TransferExists {
			w.existing++
		}
		w.known = append(w.known, transfers[i].ID)
	}
	w.answers++
	w.longest = max(w.longest, time.Since(w.last))
	w.last = time.Now()
	close(w.changed)
	w.changed = make(chan struct{})
	return true
}

// within is how long a load may be without an answer in these tests: a view change and
// what the client's pauses between attempts, of up to ten seconds, add to it.
const within = 40 * time.Second

// await waits for so many answers more.
func (w *load) await(t *testing.T, more int) {
	t.Helper()
	w.mu.Lock()
	target := w.answers + more
	w.mu.Unlock()
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		w.mu.Lock()
		done, changed := w.answers >= target, w.changed
		w.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			require.Fail(t, "the load does not go on", "no %d answers in %v", more, within)
		}
	}
}

// pauseSince is the longest time without an answer since the last call.
func (w *load) pauseSince() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	longest := max(w.longest, time.Since(w.last))
	w.longest = 0
	return longest
}

// finish stops the load and checks the books: what was answered as applied is there, what
// was stopped and asked for again is there once, and there is nothing else. A request that
// was stopped may be executed at any later moment, until it has been asked for again: then
// that changes nothing, and the books can be counted.
func (w *load) finish(t *testing.T, l ledger.Ledger) {
	t.Helper()
	w.stop()
	w.callers.Wait()
	executed, stopped := 0, 0
	for _, transfers := range w.unknown {
		stopped += len(transfers)
		for _, r := range createUntilKnown(t, l, transfers, time.Minute) {
			require.True(t, r.Status.Outcome().Done(), "%v", r.Status)
			if r.Status == ledger.TransferExists {
				executed++
			}
		}
	}
	known := w.lookup(t, l, w.known)
	require.Len(t, w.known, known, "acknowledged and not there")
	require.Equal(t, uint64(known+stopped), w.posted(t, l))
	ledgertest.RequireNothingHeld(t, l)
	t.Logf("%d transfers acknowledged, all there; %d of %d whose answers were not waited for were there; %d were answered as exists",
		known, executed, stopped, w.existing)
}

// lookup is how many of the transfers are there.
func (w *load) lookup(t *testing.T, l ledger.Ledger, ids []ledger.ID) (found int) {
	t.Helper()
	const most = 1000
	for len(ids) > 0 {
		n := min(most, len(ids))
		page, err := l.LookupTransfers(t.Context(), ids[:n])
		require.NoError(t, err)
		found += len(page)
		ids = ids[n:]
	}
	return found
}

// createUntilKnown sends transfers again, with a deadline for each attempt, until their
// outcome is known.
func createUntilKnown(t *testing.T, l ledger.Ledger, transfers []ledger.Transfer, each time.Duration) []ledger.CreateTransferResult {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), each)
		results, err := l.CreateTransfers(ctx, transfers)
		cancel()
		if err == nil {
			return results
		}
		require.True(t, errors.Is(err, ledger.ErrOutcomeUnknown) || errors.Is(err, context.DeadlineExceeded), "%v", err)
	}
}
