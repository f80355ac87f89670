package transfers_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// Close is called twice at once, with a context that ends or not, during submissions in all
// ways. Every accepted fulfill is booked once in the end.
func TestCloseWhileSubmitting(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	for n := range uint64(30) {
		random := rand.New(rand.NewPCG(seed, n))
		f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
		packets := f.prepareHeld(t, 100)
		var on ledger.Ledger = f.embedded
		if random.IntN(2) == 0 {
			on = newSilentLedger(f.embedded, random.IntN(2) == 0, random.IntN(10))
		}
		h := &eventLog{}
		r := f.newJournaled(t, folder, h, on)
		s := submitters{recorder: r, promised: make(map[ledger.ID]bool)}
		for i := range 4 {
			s.group.Go(func() { s.submit(t, packets[i*25:(i+1)*25]) })
		}
		closed := make(chan error, 2)
		closeWith := func(patience time.Duration) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			closed <- r.Close(ctx)
		}
		go closeWith(time.Duration(random.IntN(5000)) * time.Microsecond)
		go closeWith(time.Duration(random.IntN(5000)) * time.Microsecond)
		one, two := <-closed, <-closed
		require.Equal(t, one, two)
		if one != nil {
			require.NotErrorIs(t, one, transfers.ErrJournal)
			require.ErrorAs(t, one, new(*transfers.CloseError))
		}
		s.group.Wait()
		require.Empty(t, h.journalErrors())

		require.NoError(t, f.newJournaled(t, folder, h, nil).Close(t.Context()))
		for id, got := range resultsByID(t, h.takeReplayed()) {
			require.NoError(t, got.Err, id)
		}
		booked := f.position(t, f.bob)
		var ops []transfers.Op
		for _, p := range packets {
			if s.promised[p.ID] {
				ops = append(ops, transfers.FulfillOp(p))
			}
		}
		results, err := f.recorder.RecordAll(t.Context(), ops...)
		require.NoError(t, err)
		for _, got := range results {
			require.Equal(t, ledger.OutcomeAlreadyApplied, got.Outcome)
		}
		require.GreaterOrEqual(t, booked, int64(len(ops)))
		f.requireEmptyJournal(t, folder)
		f.settleAll(t, packets)
		f.closeAndCheck(t)
	}
}

// settleAll rejects the packets that are still held.
func (f *fixture) settleAll(t *testing.T, packets []transfers.Packet) {
	t.Helper()
	for _, p := range packets {
		if _, err := f.recorder.Reject(t.Context(), p); err != nil {
			require.ErrorIs(t, err, transfers.ErrPacketConflict)
		}
	}
}

// submitters submit fulfills and record the promised ones.
type submitters struct {
	recorder *transfers.Recorder
	group    sync.WaitGroup
	mu       sync.Mutex
	promised map[ledger.ID]bool
}

func (s *submitters) submit(t *testing.T, packets []transfers.Packet) {
	t.Helper()
	ctx := t.Context()
	for i, p := range packets {
		var err error
		switch op := transfers.FulfillOp(p); i % 3 {
		case 0:
			_, err = s.recorder.Submit(ctx, op)
		case 1:
			var future transfers.Future
			if future, err = s.recorder.TrySubmit(op); err == nil {
				err = future.Journaled(ctx)
			}
		default:
			var result transfers.Result
			result, err = s.recorder.Record(ctx, op)
			if errors.Is(err, ledger.ErrOutcomeUnknown) && result.Outcome == ledger.OutcomeUnknown {
				err = nil // the recorder was closed: it is in the journal
			}
		}
		if err == nil {
			s.mu.Lock()
			s.promised[p.ID] = true
			s.mu.Unlock()
		} else if !errors.Is(err, transfers.ErrRecorderClosed) {
			t.Error(err)
		}
	}
}

// The same folder is opened and closed many times, by one recorder at a time.
func TestOpenAndCloseAgain(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	packets := f.prepareHeld(t, 10)
	for i, p := range packets {
		if i%2 == 0 {
			f.leaveInJournal(t, folder, true, packets[i])
		} else {
			r := f.newJournaled(t, folder, &eventLog{}, nil)
			_, err := r.Fulfill(t.Context(), p)
			require.NoError(t, err)
			require.NoError(t, r.Close(t.Context()))
			require.NoError(t, r.Close(t.Context()))
			_, err = r.Submit(t.Context(), transfers.FulfillOp(p))
			require.ErrorIs(t, err, transfers.ErrRecorderClosed)
			_, err = r.TrySubmit(transfers.FulfillOp(p))
			require.ErrorIs(t, err, transfers.ErrRecorderClosed)
		}
		require.Equal(t, int64(i+1), f.position(t, f.bob))
	}
	f.requireEmptyJournal(t, folder)
	f.closeAndCheck(t)
}
