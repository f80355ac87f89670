package transfers_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// losingLedger delays the first request until begin is closed. It executes the second request and
// loses the answer. It drops the third one, a while later. Later requests succeed.
type losingLedger struct {
	ledger.Ledger
	begin     chan struct{}
	meanwhile time.Duration
	third     error
	requests  int
}

var errNoConnection = errors.New("no connection")

func (l *losingLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	l.requests++
	switch l.requests {
	case 1:
		<-l.begin
	case 2:
		if _, err := l.Ledger.CreateTransfers(ctx, batch); err != nil {
			return nil, err
		}
		return nil, ledger.ErrOutcomeUnknown
	case 3:
		time.Sleep(l.meanwhile) //nolint:forbidigo // virtual time
		return nil, l.third
	}
	return l.Ledger.CreateTransfers(ctx, batch)
}

// submitTogether submits operations so that they form one request, the second.
func (l *losingLedger) submitTogether(t *testing.T, f *fixture, ops ...transfers.Op) []transfers.Future {
	t.Helper()
	f.submit(t, transfers.ForwardOp(f.packet(1, 1)))
	synctest.Wait()
	futures := f.submit(t, ops...)
	close(l.begin)
	return futures
}

func newLosingLedger(t *testing.T, cfg transfers.Config, meanwhile time.Duration, third error) (*losingLedger, *fixture) {
	t.Helper()
	l := &losingLedger{begin: make(chan struct{}), meanwhile: meanwhile, third: third}
	cfg.Lanes = 1
	return l, newFixture(t, cfg, func(under ledger.Ledger) ledger.Ledger { l.Ledger = under; return l })
}

// A prepare is applied and the answer is lost. A later request that was not sent says nothing
// about it, also after the packet has expired: the prepare is sent again.
func TestUnknownPrepareIsNeverToldAsNotSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		third   error
		packets int
		want    ledger.Outcome
	}{
		"not sent":                   {errNoConnection, 1, ledger.OutcomeAlreadyApplied},
		"not sent, of several":       {errNoConnection, 3, ledger.OutcomeAlreadyApplied},
		"too much data, of several":  {ledger.ErrTooMuchData, 3, ledger.OutcomeAlreadyApplied},
		"too much data, of one only": {ledger.ErrTooMuchData, 1, ledger.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, f := newLosingLedger(t, transfers.Config{}, 20*time.Second, c.third)
				ops := make([]transfers.Op, c.packets)
				for i := range ops {
					p := f.packet(100, 90)
					p.Hold, p.Expiry = 0, time.Now().Add(time.Duration(15*i+10)*time.Second) // the first one expires, others do not
					ops[i] = transfers.PrepareOp(p)
				}
				for i, future := range l.submitTogether(t, f, ops...) {
					got := future.Wait(t.Context())
					require.Equal(t, c.want, got.Outcome, "%d: %v", i, got.Err)
					require.NotErrorIs(t, got.Err, transfers.ErrHoldTooShort)
				}
				require.NoError(t, f.recorder.Close(t.Context()))
				ledgertest.RequireConserved(t, f.embedded)
			})
		})
	}
}

// The answer to the first request is lost, the second request is not sent, and the third one
// is answered. The hold counts from the first request, and has ended.
func TestHoldCountsFromTheFirstRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, f := newLosingLedger(t, transfers.Config{}, 70*time.Second, errNoConnection)
		got := l.submitTogether(t, f, transfers.PrepareOp(f.packet(100, 90)))[0].Wait(t.Context()) // held for a minute
		require.Equal(t, ledger.OutcomeAlreadyApplied, got.Outcome)
		require.ErrorIs(t, got.Err, transfers.ErrHoldExpired)
		f.closeAndCheck(t)
	})
}

// A prepare is refused for a transient reason, and the answer is lost. After the resend the
// ledger says only that the id is burnt. The sender still gets T04.
func TestRefusalWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, f := newLosingLedger(t, transfers.Config{}, 0, errNoConnection)
		got := l.submitTogether(t, f, transfers.PrepareOp(f.packet(5000, 5000)))[0].Wait(t.Context())
		require.Equal(t, ledger.OutcomeIDBurnt, got.Outcome)
		require.ErrorIs(t, got.Err, ledger.ErrIDBurnt)
		require.Equal(t, "T04", transfers.ILPCode(got.Err))
		f.closeAndCheck(t)
	})
}
