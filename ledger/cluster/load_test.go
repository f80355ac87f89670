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

// pair is two accounts with a ledger number of their own.
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

// newTransfers returns n new transfers of one unit.
func (p pair) newTransfers(n int) []ledger.Transfer {
	all := make([]ledger.Transfer, n)
	for i := range all {
		all[i] = ledger.Transfer{
			ID: randomID(), DebitAccountID: p.debit, CreditAccountID: p.credit,
			Amount: ledger.NewAmount(1), Ledger: p.number, Code: 1,
		}
	}
	return all
}

// postedAmount returns the amount moved between the two accounts.
func (p pair) postedAmount(t *testing.T, l ledger.Ledger) uint64 {
	t.Helper()
	found, err := l.LookupAccounts(t.Context(), []ledger.ID{p.debit, p.credit})
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.Equal(t, found[0].DebitsPosted, found[1].CreditsPosted)
	n, ok := found[0].DebitsPosted.Uint64()
	require.True(t, ok)
	return n
}

// load creates transfers on a ledger until it is stopped. Each of its callers has one request at a
// time, and sends it once.
type load struct {
	pair
	stop    context.CancelFunc
	callers sync.WaitGroup

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at each answer
	answers  int
	known    []ledger.ID         // answered as applied
	unknown  [][]ledger.Transfer // the requests cut short by the stop
	last     time.Time           // time of the last answer
	longest  time.Duration
	existing int // answered as exists, after a lost session
}

const (
	loadCallers = 4
	loadBatch   = 20
)

// startLoad starts a load and returns after the first answers.
func startLoad(t *testing.T, l ledger.Ledger) *load {
	t.Helper()
	w := &load{pair: newPair(t, l), changed: make(chan struct{}), last: time.Now()}
	var ctx context.Context
	ctx, w.stop = context.WithCancel(t.Context())
	t.Cleanup(w.stop)
	for range loadCallers {
		w.callers.Go(func() {
			for ctx.Err() == nil {
				if !w.sendRequest(ctx, t, l) {
					return
				}
			}
		})
	}
	w.awaitAnswers(t, 20)
	return w
}

// sendRequest sends one request. It returns false after an error.
func (w *load) sendRequest(ctx context.Context, t *testing.T, l ledger.Ledger) bool {
	t.Helper()
	transfers := w.newTransfers(loadBatch)
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

// maxPause is the longest time that a load may be without an answer in these tests: a view change,
// plus the native client's pauses of up to ten seconds between attempts.
const maxPause = 40 * time.Second

// awaitAnswers waits for this many further answers.
func (w *load) awaitAnswers(t *testing.T, more int) {
	t.Helper()
	w.mu.Lock()
	target := w.answers + more
	w.mu.Unlock()
	timer := time.NewTimer(maxPause)
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
			require.Fail(t, "the load does not go on", "no %d answers in %v", more, maxPause)
		}
	}
}

// pauseSince returns the longest time without an answer since the last call.
func (w *load) pauseSince() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	longest := max(w.longest, time.Since(w.last))
	w.longest = 0
	return longest
}

// stopAndCheck stops the load and checks the books: the transfers answered as applied are there,
// the transfers of requests cut short are sent again and then there once, and nothing else is
// there. The cluster may execute a request cut short at any moment until it was sent again;
// afterwards the books no longer change and can be counted.
func (w *load) stopAndCheck(t *testing.T, l ledger.Ledger) {
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
	known := w.countFound(t, l, w.known)
	require.Len(t, w.known, known, "acknowledged and not there")
	require.Equal(t, uint64(known+stopped), w.postedAmount(t, l))
	ledgertest.RequireNothingHeld(t, l)
	t.Logf("%d transfers acknowledged, all there; %d of %d whose answers were not waited for were there; %d were answered as exists",
		known, executed, stopped, w.existing)
}

// countFound returns how many of the transfers are in the ledger.
func (w *load) countFound(t *testing.T, l ledger.Ledger, ids []ledger.ID) (found int) {
	t.Helper()
	const maxIDs = 1000
	for len(ids) > 0 {
		n := min(maxIDs, len(ids))
		page, err := l.LookupTransfers(t.Context(), ids[:n])
		require.NoError(t, err)
		found += len(page)
		ids = ids[n:]
	}
	return found
}

// createUntilKnown sends transfers, with a deadline for each attempt, until their outcome is known.
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
