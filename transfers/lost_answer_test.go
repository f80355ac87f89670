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

// losingLedger delays the first request until begin is closed. The second request is executed and
// its answer lost. The third request is not executed, and fails after the time meanwhile. Later
// requests succeed.
type losingLedger struct {
	ledger.Ledger
	begin     chan struct{}
	meanwhile time.Duration
	third     error // of the third request
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

// A prepare is applied and the answer is lost. A later request that was not sent proves nothing
// about the prepare, also after the packet has expired: the prepare is sent again.
func TestUnknownPrepareIsNeverReportedAsUnsent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		third   error
		packets int
		want    ledger.Outcome
	}{
		"not sent":                  {errNoConnection, 1, ledger.OutcomeAlreadyApplied},
		"not sent, of several":      {errNoConnection, 3, ledger.OutcomeAlreadyApplied},
		"too much data, of several": {ledger.ErrTooMuchData, 3, ledger.OutcomeAlreadyApplied},
		"too much data, alone":      {ledger.ErrTooMuchData, 1, ledger.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, f := newLosingLedger(t, transfers.Config{}, 20*time.Second, c.third)
				ops := make([]transfers.Op, c.packets)
				for i := range ops {
					p := f.packet(100, 90)
					p.Hold, p.Expiry = 0, time.Now().Add(time.Duration(15*i+10)*time.Second) // only the first packet expires
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

// The answer to the prepare's first request is lost, the second request is not sent, and the third
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
// ledger answers only with the burnt id. The sender still gets T04.
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

// shortAnswers leaves the last result out of the first answers.
type shortAnswers struct {
	ledger.Ledger
	cutAnswers int
}

func (l *shortAnswers) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.Ledger.CreateTransfers(ctx, batch)
	if l.cutAnswers--; l.cutAnswers >= 0 && err == nil {
		return results[:len(results)-1], nil
	}
	return results, err
}

// An answer without a result for each transfer is an unknown outcome: the request is sent again.
func TestMissingAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{}, func(l ledger.Ledger) ledger.Ledger { return &shortAnswers{Ledger: l, cutAnswers: 2} })
		held, err := f.recorder.Prepare(t.Context(), f.packet(100, 90))
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeAlreadyApplied, held.Outcome)
		_, err = f.recorder.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
		require.Equal(t, int64(90), f.position(t, f.bob))
		f.closeAndCheck(t)
	})
}
