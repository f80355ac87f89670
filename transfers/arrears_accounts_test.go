package transfers_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// olderLedger is a ledger provisioned by a version without arrears. After that, creating
// accounts fails for a while.
type olderLedger struct {
	ledger.Ledger
	provisions bool
	fail       error
	failures   int
	asked      chan struct{} // receives a token for each failure, if there is room
}

func (o *olderLedger) CreateAccounts(ctx context.Context, all []ledger.Account) ([]ledger.CreateAccountResult, error) {
	if !o.provisions {
		if o.failures--; o.failures >= 0 {
			select {
			case o.asked <- struct{}{}:
			default:
			}
			return nil, o.fail
		}
		return o.Ledger.CreateAccounts(ctx, all)
	}
	var known []ledger.Account
	for _, a := range all {
		if a.Code != chart.CodeArrears {
			known = append(known, a)
		}
	}
	created, err := o.Ledger.CreateAccounts(ctx, known)
	results := make([]ledger.CreateAccountResult, len(all))
	for i, a := range all {
		results[i].Status = ledger.AccountCreated
		if a.Code != chart.CodeArrears {
			results[i], created = created[0], created[1:]
		}
	}
	return results, err
}

// newOlderFixture returns a fixture whose peers have no arrears accounts.
func newOlderFixture(t *testing.T, o *olderLedger) (*fixture, *virtualClock) {
	t.Helper()
	w := newVirtualClock()
	f := &fixture{embedded: embedded.New(embedded.WithClock(w.Now))}
	o.Ledger, o.provisions = f.embedded, true
	var err error
	f.book, err = accounts.NewBook(o, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	peers, err := f.book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	f.alice, f.bob = peers[0], peers[1]
	o.provisions = false
	f.recorder, err = transfers.NewRecorder(f.embedded, f.book, transfers.Config{Clock: w.Now})
	require.NoError(t, err)
	return f, w
}

// The sender's arrears account is missing, and cannot be created at first. The fulfill waits,
// and none of its ids is burnt.
func TestLateFulfillWaitsForTheArrearsAccount(t *testing.T) {
	t.Parallel()
	for _, fail := range []error{errors.New("no connection"), ledger.ErrOutcomeUnknown, ledger.ErrTooMuchData} {
		synctest.Test(t, func(t *testing.T) {
			o := &olderLedger{fail: fail, failures: 5}
			f, w := newOlderFixture(t, o)
			p := f.holdExpired(t, w)
			got, err := f.recorder.Fulfill(t.Context(), p)
			require.NoError(t, err)
			require.True(t, got.Late)
			require.Equal(t, ledger.OutcomeApplied, got.Outcome)
			f.requireLate(t, p, 4)
			require.Negative(t, o.failures)

			o.failures = 1 << 30 // the recorder knows the account by now, and does not create it again
			_, err = f.recorder.Forward(t.Context(), f.packet(7, 7))
			require.NoError(t, err)
			require.Equal(t, int64(307), f.arrears(t, f.alice))
			f.closeAndCheck(t)
		})
	}
}

// The recorder is closed while the arrears account cannot be created. Close lists the fulfill as
// unsent, and the next recorder books it.
func TestLateFulfillIsClosedWithoutTheArrearsAccount(t *testing.T) {
	t.Parallel()
	for _, fail := range []error{errors.New("no connection"), ledger.ErrOutcomeUnknown, ledger.ErrClosed} {
		o := &olderLedger{fail: fail, failures: 1 << 30, asked: make(chan struct{}, 1)}
		f, w := newOlderFixture(t, o)
		p := f.holdExpired(t, w)
		future, err := f.recorder.Submit(t.Context(), transfers.FulfillOp(p))
		require.NoError(t, err)
		<-o.asked
		err = f.recorder.Close(canceled(t.Context()))
		got := future.Wait(t.Context())
		require.Equal(t, ledger.OutcomeRefused, got.Outcome)
		require.NotErrorIs(t, got.Err, ledger.ErrOutcomeUnknown)
		if errors.Is(fail, ledger.ErrClosed) {
			require.ErrorIs(t, got.Err, ledger.ErrClosed)
		} else {
			var left *transfers.CloseError
			require.ErrorAs(t, err, &left)
			require.Empty(t, left.UnknownOps)
			require.Len(t, left.UnsentOps, 1)
			require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown)
		}
		o.failures = 0
		f.recorder, err = transfers.NewRecorder(f.embedded, f.book, transfers.Config{Clock: w.Now})
		require.NoError(t, err)
		again, err := f.recorder.Fulfill(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeApplied, again.Outcome)
		f.requireLate(t, p, 4)
		f.closeAndCheck(t)
	}
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
