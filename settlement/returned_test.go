package settlement_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// narrowQueries accepts as many rows in a query as a server with --development.
type narrowQueries struct{ ledger.Ledger }

func (l narrowQueries) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	if filter.Limit > 253 {
		return nil, ledger.ErrTooMuchData
	}
	return l.Ledger.GetAccountTransfers(ctx, filter)
}

func TestReturnsOnALedgerOfSmallRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engineOn(narrowQueries{w.ledger}, manualConfig(newRail(), at100))
	w.recordIncoming(e, w.alice, "payment", 300)
	back := settlement.ReturnedPayment{Account: w.alice, Payment: "payment", Amount: units(1)}
	for i := range 300 {
		back.Key = fmt.Sprint("return ", i)
		_, err := e.RecordReturned(t.Context(), back)
		require.NoError(t, err)
	}
	back.Key = "one too many"
	_, err := e.RecordReturned(t.Context(), back)
	require.ErrorIs(t, err, settlement.ErrReturnedTooMuch)
	require.Zero(t, w.balance(w.alice).Position().Sign())
}

func TestKeyOfAReturnFromSuspense(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(manualConfig(newRail(), at100))
	reopen := w.closePeer(w.alice)
	w.recordIncoming(e, w.alice, "one", 100)
	w.recordIncoming(e, w.alice, "two", 100)
	first := settlement.ReturnedPayment{Account: w.alice, Key: "return", Payment: "one", Amount: units(100)}
	_, err := e.RecordReturned(t.Context(), first)
	require.NoError(t, err)
	for _, other := range []settlement.ReturnedPayment{
		{Account: w.alice, Key: "return", Payment: "one", Amount: units(40)},
		{Account: w.alice, Key: "return", Payment: "two", Amount: units(100)},
		{Account: w.alice, Key: "return", Payment: "two", Amount: units(40)},
	} {
		_, err := e.RecordReturned(t.Context(), other)
		require.ErrorIs(t, err, accounts.ErrKeyReused, "%v of %s", other.Amount, other.Payment)
		require.ErrorContains(t, err, ": 1.00 USD was booked under it at 20")
	}
	again, err := e.RecordReturned(t.Context(), first)
	require.NoError(t, err)
	require.True(t, again.AlreadyBooked)
	reopen()
	released, err := e.Release(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, units(100), released.Amount)
	require.Equal(t, units(100), w.balance(w.alice).Prepaid)
}
