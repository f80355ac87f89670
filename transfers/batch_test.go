package transfers_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// stalledLedger hands each request to the test, and answers when the test sends to proceed.
type stalledLedger struct {
	ledger.Ledger
	requests chan []ledger.Transfer
	proceed  chan error // nil: answer; else: fail with it, without asking the ledger
}

func newStalledLedger(l ledger.Ledger) *stalledLedger {
	return &stalledLedger{Ledger: l, requests: make(chan []ledger.Transfer), proceed: make(chan error)}
}

func (s *stalledLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	select {
	case s.requests <- batch:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case err := <-s.proceed:
		if err != nil {
			return nil, err
		}
		return s.Ledger.CreateTransfers(ctx, batch)
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, ctx.Err())
	}
}

// newStalledFixture returns a recorder on a stalledLedger.
func newStalledFixture(t *testing.T, cfg transfers.Config) (f *fixture, slow *stalledLedger) {
	t.Helper()
	f = newFixture(t, cfg, func(l ledger.Ledger) ledger.Ledger { slow = newStalledLedger(l); return slow })
	return f, slow
}

// answerAll answers every request until ctx ends.
func (s *stalledLedger) answerAll(ctx context.Context) {
	for {
		select {
		case <-s.requests:
			s.proceed <- nil
		case <-ctx.Done():
			return
		}
	}
}

// closeAll closes a recorder on a ledger that may still have requests under way.
func (s *stalledLedger) closeAll(t *testing.T, f *fixture) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go s.answerAll(ctx)
	require.NoError(t, f.recorder.Close(t.Context()))
	ledgertest.RequireConserved(t, f.embedded)
}

// Operations that arrive while a request is in flight go with the next request, all together.
func TestBatchIsWhatQueuedUpMeanwhile(t *testing.T) {
	t.Parallel()
	f, slow := newStalledFixture(t, transfers.Config{Lanes: 1})
	ctx := t.Context()
	_, err := f.recorder.Submit(ctx, transfers.PrepareOp(f.packet(2, 1)))
	require.NoError(t, err)
	require.Len(t, <-slow.requests, 2, "the first one goes alone, with its fee")
	var last transfers.Future
	for range 5 {
		last, err = f.recorder.Submit(ctx, transfers.PrepareOp(f.packet(2, 1)))
		require.NoError(t, err)
	}
	slow.proceed <- nil
	require.Len(t, <-slow.requests, 10)
	slow.proceed <- nil
	result := last.Wait(ctx)
	require.NoError(t, result.Err)
	slow.closeAll(t, f)
}

func canceled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	return ctx
}

func TestBacklogIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1, MaxBacklog: 3})
		ctx := t.Context()
		for range 3 {
			_, err := f.recorder.TrySubmit(transfers.PrepareOp(f.packet(1, 1)))
			require.NoError(t, err)
		}
		_, err := f.recorder.TrySubmit(transfers.PrepareOp(f.packet(1, 1)))
		require.ErrorIs(t, err, transfers.ErrBacklogFull)
		require.Equal(t, "T03", transfers.ILPCode(err))
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err = f.recorder.Submit(short, transfers.PrepareOp(f.packet(1, 1)))
		require.ErrorIs(t, err, transfers.ErrBacklogFull)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		waiting := make(chan error, 1)
		go func() {
			_, err := f.recorder.Submit(ctx, transfers.PrepareOp(f.packet(1, 1)))
			waiting <- err
		}()
		synctest.Wait()
		require.Empty(t, waiting, "no room yet")
		go slow.answerAll(ctx)
		require.NoError(t, <-waiting, "room again")
		require.NoError(t, f.recorder.Flush(ctx))
		require.NoError(t, f.recorder.Close(ctx))
		ledgertest.RequireConserved(t, f.embedded)
	})
}

// lossyLedger executes every request, and loses the answers to the first few.
type lossyLedger struct {
	ledger.Ledger
	mu   sync.Mutex
	lose int
}

func (l *lossyLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.Ledger.CreateTransfers(ctx, batch)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lose--; l.lose >= 0 {
		return nil, ledger.ErrOutcomeUnknown
	}
	return results, err
}

func TestLostAnswersAreFoundOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{}, func(l ledger.Ledger) ledger.Ledger { return &lossyLedger{Ledger: l, lose: 3} })
		held, err := f.recorder.Prepare(t.Context(), f.packet(100, 90))
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeAlreadyApplied, held.Outcome)
		_, err = f.recorder.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
		require.Equal(t, int64(90), f.position(t, f.bob))
		f.closeAndCheck(t)
	})
}

// The id of the first post is burnt, so the fulfill is sent twice. The reject queued behind it
// must not go in between.
func TestNothingOvertakesAFulfillThatIsSentAgain(t *testing.T) {
	t.Parallel()
	f, slow := newStalledFixture(t, transfers.Config{Lanes: 1})
	p := f.packet(100, 90)
	p.ID = ledger.NewID(1<<8, 1)
	var futures []transfers.Future
	for _, op := range []transfers.Op{ // the first one goes alone, and burns
		transfers.FulfillOp(p), transfers.PrepareOp(p), transfers.FulfillOp(p), transfers.RejectOp(p),
	} {
		future, err := f.recorder.Submit(t.Context(), op)
		require.NoError(t, err)
		futures = append(futures, future)
		if len(futures) == 1 {
			<-slow.requests
		}
	}
	go func() {
		slow.proceed <- nil
		slow.answerAll(t.Context())
	}()
	require.ErrorIs(t, futures[0].Wait(t.Context()).Err, transfers.ErrUnknownPacket)
	require.NoError(t, futures[1].Wait(t.Context()).Err)
	require.NoError(t, futures[2].Wait(t.Context()).Err)
	require.ErrorIs(t, futures[3].Wait(t.Context()).Err, transfers.ErrPacketConflict)
	f.closeAndCheck(t)
}

func TestSmallRequestsAreLearnt(t *testing.T) {
	t.Parallel()
	for _, most := range []int{253, 100, 3, 2} {
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1})
		done := make(chan struct{})
		refused := 0
		go func() {
			defer close(done)
			for batch := range slow.requests {
				if len(batch) > most {
					refused++
					slow.proceed <- ledger.ErrTooMuchData
				} else {
					slow.proceed <- nil
				}
			}
		}()
		var ops []transfers.Op
		for range 200 {
			ops = append(ops, transfers.ForwardOp(f.packet(2, 1))) // two legs
		}
		_, err := f.recorder.RecordAll(t.Context(), ops...)
		require.NoError(t, err)
		require.Equal(t, int64(-400), f.position(t, f.alice))
		f.closeAndCheck(t)
		close(slow.requests)
		<-done
		require.LessOrEqual(t, refused, 9, "the limit is kept, and not found out each time")
	}
}

// narrowLedger refuses requests of more than most transfers.
type narrowLedger struct {
	ledger.Ledger
	most int
}

func (l narrowLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if len(batch) > l.most {
		return nil, ledger.ErrTooMuchData
	}
	return l.Ledger.CreateTransfers(ctx, batch)
}

func TestOperationThatNeverFits(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{Lanes: 1}, func(l ledger.Ledger) ledger.Ledger { return narrowLedger{l, 1} })
	results, err := f.recorder.RecordAll(t.Context(),
		transfers.ForwardOp(f.packet(1, 1)), transfers.ForwardOp(f.packet(2, 1)), transfers.ForwardOp(f.packet(1, 1)))
	require.ErrorIs(t, err, ledger.ErrTooMuchData)
	require.NoError(t, results[0].Err)
	require.ErrorIs(t, results[1].Err, ledger.ErrTooMuchData)
	require.NotErrorIs(t, results[1].Err, transfers.ErrRecorderClosed)
	require.NoError(t, results[2].Err)
	f.closeAndCheck(t)
}

// Many goroutines prepare and resolve packets on several lanes.
func TestManyCallers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{Lanes: 3, MaxBacklog: 16}, nil)
	other, err := transfers.NewRecorder(f.embedded, f.book, transfers.Config{})
	require.NoError(t, err)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			for range 20 {
				held, err := f.recorder.Prepare(t.Context(), f.packet(2, 1))
				if err != nil {
					t.Error(err)
					return
				}
				resolve := other.Fulfill // another recorder resolves the packet
				if i%2 == 0 {
					resolve = f.recorder.Reject
				}
				if _, err := resolve(t.Context(), held.Packet); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	require.Equal(t, int64(-400), f.position(t, f.alice))
	require.Equal(t, int64(200), f.position(t, f.bob))
	require.NoError(t, other.Close(t.Context()))
	f.closeAndCheck(t)
}
