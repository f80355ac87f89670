package settlement_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// As TestReceiveRefusedForEver: refusals never use up the key of a payment in the scale of its rail. The account has a
// remainder before.
var quantitiesRefused = map[string]struct {
	before, amount string
	booked         uint64
	remainder      string
}{
	"whole units":                  {"1", "50", 5, "1/10"},
	"a fraction":                   {"1", "55", 5, "3/5"},
	"a fraction that makes a unit": {"6", "6", 1, "1/5"},
}

func TestQuantityRefusedForEver(t *testing.T) {
	t.Parallel()
	for name, c := range quantitiesRefused {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			quantityRefusedForEver(t, w, c.before, c.amount, c.booked, c.remainder)
		})
	}
}

func quantityRefusedForEver(t *testing.T, w *world, before, amount string, booked uint64, remainder string) {
	t.Helper()
	e := w.engine(settlement.Config{})
	requireBooked(t, e, newQuantity(w.alice, "before", before, 3), 0, decimal(before))
	reopen := w.closePeer(w.alice)
	closeSuspense(w)
	in := newQuantity(w.alice, "k", amount, 3)
	for i := range 20 { // more than a key has attempts
		_, err := e.RecordIncomingQuantity(t.Context(), in)
		require.ErrorIs(t, err, accounts.ErrPeerClosed, "call %d", i)
	}
	reopen()
	first := requireBooked(t, e, in, booked, remainder)
	again := requireBooked(t, w.engine(settlement.Config{}), in, booked, remainder)
	require.True(t, again.AlreadyBooked)
	require.Equal(t, first.BookedAt, again.BookedAt)
	require.Equal(t, units(booked), w.balance(w.alice).SettledIn)
	_, err := e.RecordIncomingQuantity(t.Context(), newQuantity(w.alice, "k", amount+"1", 4))
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// decimal writes tenths of a unit.
func decimal(tenths string) string { return map[string]string{"1": "1/10", "6": "3/5"}[tenths] }

// closeSuspense closes our suspense account, and returns the function to open it again.
func closeSuspense(w *world) (reopen func()) {
	own, _ := w.book.AssetIDs(usd.Ledger)
	id := w.writePacket(own.Suspense, own.Control, 0, ledger.TransferPending|ledger.TransferClosingDebit)
	return func() { w.writeRow(ledger.Transfer{PendingID: id, Flags: ledger.TransferVoidPending}) }
}

// A payment was refused often while it would have completed a unit. When it can be booked it completes none.
func TestQuantityRefusedThenWithoutAUnit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	quantityRefusedThenWithoutAUnit(t, w)
}

func quantityRefusedThenWithoutAUnit(t *testing.T, w *world) {
	t.Helper()
	e := w.engine(settlement.Config{})
	requireBooked(t, e, newQuantity(w.alice, "before", "6", 3), 0, "3/5")
	reopen := w.closePeer(w.alice)
	closeSuspense(w)
	in := newQuantity(w.alice, "k", "6", 3)
	for range 20 {
		_, err := e.RecordIncomingQuantity(t.Context(), in)
		require.ErrorIs(t, err, accounts.ErrPeerClosed)
	}
	reopen()
	requireBooked(t, e, newQuantity(w.alice, "between", "5", 3), 1, "1/10")
	requireBooked(t, e, in, 0, "7/10")
	require.True(t, requireBooked(t, w.engine(settlement.Config{}), in, 0, "7/10").AlreadyBooked)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// The peer is closed after each call's look-up, and opened again: the key is not used up by that either.
func TestQuantityOfAPeerThatFlips(t *testing.T) {
	t.Parallel()
	for _, amount := range []string{"50", "55"} {
		w := newWorld(t)
		in := newQuantity(w.alice, "k", amount, 3)
		for i := range 20 { // more than a key has attempts
			var reopen func()
			l := &hookedLedger{Ledger: w.ledger, beforeCreate: func([]ledger.Transfer) {
				if reopen == nil {
					reopen = w.closePeer(w.alice)
				}
			}}
			openSuspense := closeSuspense(w)
			_, err := w.engineOn(l, settlement.Config{}).RecordIncomingQuantity(t.Context(), in)
			require.ErrorIs(t, err, accounts.ErrPeerClosed, "call %d", i)
			reopen()
			openSuspense()
		}
		booked, err := w.engine(settlement.Config{}).RecordIncomingQuantity(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, units(5), booked.Amount)
		ledgertest.RequireNothingHeld(t, w.ledger)
	}
}
