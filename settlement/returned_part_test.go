package settlement_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement"
)

// A part of a payment in suspense for a closed peer comes back: the part becomes arrears, and the whole payment stays in
// suspense. The peer is charged for the part after reopening.
func TestPartReturnedOfAPaymentInSuspense(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(manualConfig(newRail(), at100))
	reopen := w.closePeer(w.alice)
	w.recordIncoming(e, w.alice, "payment", 100)
	back := settlement.ReturnedPayment{Account: w.alice, Key: "return", Payment: "payment", Amount: units(40)}
	_, err := e.RecordReturned(t.Context(), back)
	require.NoError(t, err)
	require.Equal(t, units(40), w.balance(w.alice).Arrears)
	waits, err := w.book.WaitingInSuspense(t.Context(), w.balance(w.alice))
	require.NoError(t, err)
	require.Equal(t, units(100), waits[0])

	reopen()
	released, err := e.Release(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, units(100), released.Amount)
	_, err = e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Zero(t, w.balance(w.alice).Arrears)
	require.Equal(t, units(60), w.balance(w.alice).Prepaid)
}
