package transfers_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// slowLedger is a ledger that answers each request after a delay.
type slowLedger struct {
	ledger.Ledger
	delay time.Duration
	twice bool // it sends the first one again by itself, as a cluster's does that has lost a session
}

func (s *slowLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := s.Ledger.CreateTransfers(ctx, batch)
	time.Sleep(s.delay) //nolint:forbidigo // virtual time
	if s.twice {
		s.twice = false
		return s.Ledger.CreateTransfers(ctx, batch)
	}
	return results, err
}

// The prepare is sent twice before the ledger answers `exists`. The recorder generated the id,
// so the hold is its own.
func TestAbandonedPrepareThatWasSentTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{}, func(l ledger.Ledger) ledger.Ledger {
			return &slowLedger{Ledger: l, delay: 10 * time.Second, twice: true}
		})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := f.recorder.Prepare(ctx, f.packet(100, 90))
		require.ErrorIs(t, err, transfers.ErrAbandoned)
		f.closeAndCheck(t) // nothing is held
	})
}

// The answer to one request took longer than the hold: the packet must not be forwarded,
// wherever the answer was delayed.
func TestAnswerThatTookLongerThanTheHold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{}, func(l ledger.Ledger) ledger.Ledger { return &slowLedger{Ledger: l, delay: 2 * time.Minute} })
		got, err := f.recorder.Prepare(t.Context(), f.packet(100, 90)) // held for a minute
		require.ErrorIs(t, err, transfers.ErrHoldExpired)
		require.Equal(t, ledger.OutcomeApplied, got.Outcome)
		f.closeAndCheck(t)
	})
}

// refusingLedger answers a request when its context has ended, and refuses all requests after
// that.
type refusingLedger struct{ ledger.Ledger }

func (l refusingLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	results, err := l.Ledger.CreateTransfers(context.WithoutCancel(ctx), batch)
	<-ctx.Done()
	return results, err
}

// An abandoned prepare is applied, and its hold cannot be voided before the recorder ends.
func TestCloseSaysWhatIsHeldForNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{Lanes: 1}, func(l ledger.Ledger) ledger.Ledger { return refusingLedger{l} })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := f.recorder.Prepare(ctx, f.packet(100, 90))
		require.ErrorIs(t, err, transfers.ErrAbandoned)
		err = f.recorder.Close(canceled(t.Context()))
		var left *transfers.CloseError
		require.ErrorAs(t, err, &left)
		require.Len(t, left.UnknownOps, 1)
		require.Equal(t, transfers.KindPrepare, left.UnknownOps[0].Kind)
		require.Empty(t, left.UnsentOps)
		b, err := f.book.Balance(t.Context(), f.alice)
		require.NoError(t, err)
		require.Equal(t, units(100), b.HeldIn)
	})
}

// downLedger is a ledger that is down for a while: it returns an error, and executes nothing.
type downLedger struct {
	ledger.Ledger
	until time.Time
}

func (a downLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if time.Now().Before(a.until) {
		return nil, errors.New("no connection")
	}
	return a.Ledger.CreateTransfers(ctx, batch)
}

func TestNothingIsSentAfterItsExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{}, func(l ledger.Ledger) ledger.Ledger { return downLedger{l, time.Now().Add(time.Minute)} })
		p := f.packet(100, 90)
		p.Hold, p.Expiry = 0, time.Now().Add(10*time.Second)
		began := time.Now()
		_, err := f.recorder.Prepare(t.Context(), p)
		require.ErrorIs(t, err, transfers.ErrHoldTooShort)
		require.Less(t, time.Since(began), 12*time.Second, "it is told while the ledger is still away")
		_, err = f.recorder.Forward(t.Context(), p)
		require.NoError(t, err, "what is owed waits")
		f.closeAndCheck(t)
	})
}

// A prepare that expired while it waited is refused before the next request goes out.
func TestExpiredPrepareDoesNotWaitForTheLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1})
		f.submit(t, transfers.ForwardOp(f.packet(1, 1)))
		<-slow.requests
		p := f.packet(100, 90)
		p.Hold, p.Expiry = 0, time.Now().Add(2*time.Second)
		late := f.submit(t, transfers.PrepareOp(p), transfers.ForwardOp(f.packet(2, 2)))[0]
		time.Sleep(2 * time.Second) //nolint:forbidigo // virtual time
		slow.proceed <- nil
		<-slow.requests
		require.ErrorIs(t, late.Wait(t.Context()).Err, transfers.ErrHoldTooShort)
		go func() {
			slow.proceed <- nil
			slow.answerAll(t.Context())
		}()
		f.closeAndCheck(t)
	})
}

// More than a batch of forwards is waiting all the time. Flush waits only for the forwards
// before it.
func TestFlushUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{Lanes: 1, MaxBacklog: 100}, func(l ledger.Ledger) ledger.Ledger {
			return &slowLedger{Ledger: narrowLedger{l, 10}, delay: 5 * time.Millisecond}
		})
		var stop atomic.Bool
		var callers sync.WaitGroup
		for range 200 {
			callers.Go(func() {
				for !stop.Load() {
					_, err := f.recorder.Forward(t.Context(), f.packet(1, 1))
					require.NoError(t, err)
				}
			})
		}
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		began := time.Now()
		require.NoError(t, f.recorder.Flush(t.Context()))
		require.Less(t, time.Since(began), time.Second, "a backlog of 100 takes a tenth of that")
		stop.Store(true)
		callers.Wait() // more than the backlog takes are waiting to be handed over
		f.closeAndCheck(t)
	})
}

// A forward is owed to the receiver also if its sender was never provisioned. All attempts
// give the same result.
func TestForwardFromAnUnknownSender(t *testing.T) {
	t.Parallel()
	f := newFixture(t, transfers.Config{}, nil)
	carol, err := f.book.PeerAccount("carol", usd)
	require.NoError(t, err)
	p := transfers.Packet{ID: ledger.NewID(7<<8, 7), From: carol, To: f.bob, In: 10, Out: 10}
	for i := range 3 {
		got, err := f.recorder.Forward(t.Context(), p)
		require.NoError(t, err)
		require.True(t, got.Late)
		require.Equal(t, i > 0, got.Outcome == ledger.OutcomeAlreadyApplied)
	}
	require.Equal(t, int64(10), f.position(t, f.bob))
	require.Equal(t, int64(10), f.arrears(t, carol))
	f.closeAndCheck(t)
}

// openAccount opens an account that closeAccount has closed.
func (f *fixture) openAccount(t *testing.T, a accounts.PeerAccount) {
	t.Helper()
	results, err := f.embedded.CreateTransfers(t.Context(), []ledger.Transfer{{
		ID: ledger.NewID(a.ID().Lo, 43), PendingID: ledger.NewID(a.ID().Lo, 42), Flags: ledger.TransferVoidPending,
	}})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
}

// A fulfill was refused until no id is left. The error names the remaining step.
func TestBurntFulfill(t *testing.T) {
	t.Parallel()
	f, w := newLateFixture(t, transfers.Config{})
	held, err := f.recorder.Prepare(t.Context(), f.packet(100, 90))
	require.NoError(t, err)
	f.closeAccount(t, f.bob)
	for range 5 {
		_, err = f.recorder.Fulfill(t.Context(), held.Packet)
		require.ErrorIs(t, err, accounts.ErrPeerClosed)
	}
	f.openAccount(t, f.bob)
	_, err = f.recorder.Fulfill(t.Context(), held.Packet)
	require.ErrorIs(t, err, ledger.ErrIDBurnt)
	w.advance(time.Hour)
	_, err = f.recorder.Forward(t.Context(), f.packet(100, 90))
	require.NoError(t, err)
	require.Equal(t, int64(90), f.position(t, f.bob))
	f.closeAndCheck(t)
}

// A fulfill is refused, and its caller books the amount under another id. Then the process
// dies: the next recorder must not book the fulfill too.
func TestRefusedFulfillIsNotReplayed(t *testing.T) {
	t.Parallel()
	f, w := newLateFixture(t, transfers.Config{})
	folder := newFolder(t)
	r := f.newJournaled(t, folder, &eventLog{}, nil)
	held, err := f.recorder.Prepare(t.Context(), f.packet(100, 90))
	require.NoError(t, err)
	f.closeAccount(t, f.bob)
	_, err = r.Fulfill(t.Context(), held.Packet)
	require.ErrorIs(t, err, accounts.ErrPeerClosed)
	killed := readFiles(t, folder).writeFolder(t)
	f.openAccount(t, f.bob)
	w.advance(time.Hour)
	_, err = f.recorder.Forward(t.Context(), f.packet(100, 90))
	require.NoError(t, err)
	h := &eventLog{}
	require.NoError(t, f.newJournaled(t, killed, h, nil).Close(t.Context()))
	require.Empty(t, h.takeReplayed())
	require.Equal(t, int64(90), f.position(t, f.bob))
	require.NoError(t, r.Close(t.Context()))
	f.closeAndCheck(t)
}

// The first fulfill is too early and is refused. The second one was promised before that
// answer: it is still pending when the process dies.
func TestPromiseAfterARefusalIsKept(t *testing.T) {
	t.Parallel()
	f, stalled := newFixture(t, transfers.Config{}, nil), newStalledLedger(nil)
	stalled.Ledger = f.embedded
	folder := newFolder(t)
	r := f.newJournaled(t, folder, &eventLog{}, stalled)
	p := f.packet(100, 90)
	p.ID = ledger.NewID(1<<8, 1)
	early, err := r.Submit(t.Context(), transfers.FulfillOp(p))
	require.NoError(t, err)
	<-stalled.requests
	prepare, err := r.Submit(t.Context(), transfers.PrepareOp(p))
	require.NoError(t, err)
	_, err = r.Submit(t.Context(), transfers.FulfillOp(p))
	require.NoError(t, err)
	stalled.proceed <- nil
	require.ErrorIs(t, early.Wait(t.Context()).Err, transfers.ErrUnknownPacket)
	<-stalled.requests
	killed := readFiles(t, folder).writeFolder(t)
	stalled.proceed <- nil
	require.NoError(t, prepare.Wait(t.Context()).Err)
	_ = r.Close(canceled(t.Context()))
	h := &eventLog{}
	require.NoError(t, f.newJournaled(t, killed, h, nil).Close(t.Context()))
	require.Len(t, h.takeReplayed(), 1)
	require.Equal(t, int64(90), f.position(t, f.bob))
	f.closeAndCheck(t)
}
