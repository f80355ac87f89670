package transfers_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// slowLedger is a ledger that answers each request after a delay.
type slowLedger struct {
	ledger.Ledger
	delay time.Duration
	twice bool // the first request is executed twice, as by a cluster client after a lost session
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

// The answer took longer than the hold: the packet must not be forwarded.
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

// downLedger is a ledger that executes nothing and returns an error until a point in time.
type downLedger struct {
	ledger.Ledger
	until time.Time
}

func (d downLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if time.Now().Before(d.until) {
		return nil, errors.New("no connection")
	}
	return d.Ledger.CreateTransfers(ctx, batch)
}

// The ledger is down beyond the packet's expiry. The prepare is refused at the expiry, and the
// forward waits for the ledger.
func TestNothingIsSentAfterItsExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{}, func(l ledger.Ledger) ledger.Ledger { return downLedger{l, time.Now().Add(time.Minute)} })
		p := f.packet(100, 90)
		p.Hold, p.Expiry = 0, time.Now().Add(10*time.Second)
		began := time.Now()
		_, err := f.recorder.Prepare(t.Context(), p)
		require.ErrorIs(t, err, transfers.ErrHoldTooShort)
		require.Less(t, time.Since(began), 12*time.Second, "the caller has the answer while the ledger is still down")
		_, err = f.recorder.Forward(t.Context(), p)
		require.NoError(t, err, "a forward is owed, and waits")
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
