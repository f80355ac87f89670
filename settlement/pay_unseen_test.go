package settlement_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

func TestOrderResolvedByAnotherHand(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		paid       uint64
		resolution ledger.Transfer
		conflict   bool
	}{
		"voided":                 {80, ledger.Transfer{Flags: ledger.TransferVoidPending}, true},
		"posted in part":         {80, ledger.Transfer{Flags: ledger.TransferPostPending, Amount: units(79)}, true},
		"posted, and more paid":  {81, ledger.Transfer{Flags: ledger.TransferPostPending, Amount: units(80)}, true},
		"posted as it was paid":  {80, ledger.Transfer{Flags: ledger.TransferPostPending, Amount: units(80)}, false},
		"posted, nothing paid":   {0, ledger.Transfer{Flags: ledger.TransferPostPending, Amount: units(80)}, true},
		"voided, nothing paid":   {0, ledger.Transfer{Flags: ledger.TransferVoidPending}, false},
		"voided, and more paid":  {81, ledger.Transfer{Flags: ledger.TransferVoidPending}, true},
		"posted, paid a part":    {79, ledger.Transfer{Flags: ledger.TransferPostPending, Amount: units(80)}, true},
		"posted a part and paid": {79, ledger.Transfer{Flags: ledger.TransferPostPending, Amount: units(79)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			settler := func(_ context.Context, o settlement.Order) (ledger.Amount, error) {
				row := c.resolution
				row.PendingID = o.ID
				w.writeRow(row)
				return units(c.paid), nil
			}
			w.earn(w.alice, 100)
			_, err := w.engine(manualConfig(settlement.SettlerFunc(settler), at100)).Settle(t.Context(), w.alice)
			switch {
			case c.conflict:
				require.ErrorIs(t, err, settlement.ErrOrderConflict)
			case c.paid == 0:
				require.ErrorIs(t, err, settlement.ErrDeclined)
			default:
				require.NoError(t, err)
			}
			require.Equal(t, c.resolution.Amount, w.balance(w.alice).SettledOut, "it stays as it was booked")
			require.Equal(t, units(0), w.suspenseDebt())
			ledgertest.RequireNothingHeld(t, w.ledger)
		})
	}
}

// Two engines of one instance (a restart that overlaps) close an order with different answers: the
// second engine gets an error, whichever engine is second.
func TestTwoAnswersForOneOrder(t *testing.T) {
	t.Parallel()
	answers := []uint64{0, 79, 80, 81, 82}
	for _, first := range answers {
		for _, second := range answers {
			t.Run(fmt.Sprintf("%d then %d", first, second), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				answer := func(n uint64) settlement.Settler {
					return settlement.SettlerFunc(func(context.Context, settlement.Order) (ledger.Amount, error) {
						return units(n), nil
					})
				}
				late := settlement.SettlerFunc(func(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
					_, err := w.engine(manualConfig(answer(first), at100)).Settle(ctx, w.alice)
					require.Equal(t, first == 0, errors.Is(err, settlement.ErrDeclined))
					return units(second), nil
				})
				w.earn(w.alice, 100)
				_, err := w.engine(manualConfig(late, at100)).Settle(t.Context(), w.alice)
				require.Equal(t, first != second, errors.Is(err, settlement.ErrOrderConflict), "%v", err)
				require.Equal(t, units(first), w.balance(w.alice).SettledOut)
				ledgertest.RequireNothingHeld(t, w.ledger)
			})
		}
	}
}

// The account is closed between the read of its balance and the post: the ledger refuses the post,
// and the next attempt has another id.
func TestOrderIsPostedAfterARefusal(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	paying := false
	var reopen func()
	r.after = func(settlement.Order) error { paying = true; return nil }
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if c.creates && paying && reopen == nil {
			reopen = w.closePeer(w.alice)
		}
		return noFault
	}}
	w.earn(w.alice, 100)
	e := w.engineOn(l, manualConfig(r, at100))
	_, err := e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, ledger.ErrIDBurnt)
	reopen()
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{80}, paidAmounts(paid))
	w.requireConserved(r)
}

// The post is applied, its answer is lost, and the caller goes away. The next visit finds the order
// closed, and reports the payment.
func TestOrderThatWasClosedUnseen(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	ctx, cancel := context.WithCancel(t.Context())
	lost := false
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if paid, _ := r.countKeys(); !c.creates || paid == 0 || ctx.Err() != nil {
			return noFault
		}
		if !lost {
			lost = true
			return fault{after: ledger.ErrOutcomeUnknown}
		}
		cancel() // while it is asked for again
		return fault{before: ledger.ErrOutcomeUnknown}
	}}
	cfg := manualConfig(r, at100)
	var told []settlement.Payment
	cfg.Events.Paid = func(p settlement.Payment) { told = append(told, p) }
	e := w.engineOn(l, cfg)
	w.earn(w.alice, 100)
	_, err := e.Settle(ctx, w.alice)
	require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	require.Empty(t, told)
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{80}, paidAmounts(paid))
	require.Equal(t, paid, told)
	require.NoError(t, e.Close(t.Context()), "no order is open")
	w.requireConserved(r)
}

// The Settler answers "paid". The booking fails, and before the next attempt the order is voided by
// hand: that is a contradiction and no payment.
func TestOrderThatWasVoidedUnseen(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	var voided bool
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if paid, _ := r.countKeys(); c.creates && paid == 1 && !voided {
			voided = true
			return fault{before: errRail}
		}
		return noFault
	}}
	cfg := manualConfig(r, at100)
	cfg.Events.Paid = func(settlement.Payment) { t.Error("nothing was booked") }
	e := w.engineOn(l, cfg)
	w.earn(w.alice, 100)
	_, err := e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, errRail)
	for id := range r.paid {
		w.writeRow(ledger.Transfer{PendingID: id, Flags: ledger.TransferVoidPending})
	}
	_, err = e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrOrderConflict)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// The order is in the ledger, and its look-up fails: Close must report the order as open.
func TestOrderThatWasPlacedUnseen(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	placed := false
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if placed && !c.creates {
			return fault{before: errRail}
		}
		placed = placed || c.creates
		return noFault
	}}
	e := w.engineOn(l, manualConfig(r, at100))
	w.earn(w.alice, 100)
	_, err := e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, errRail)
	require.ErrorIs(t, e.Close(t.Context()), settlement.ErrOrdersOpen)
	_, err = w.engine(manualConfig(r, at100)).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	w.requireConserved(r)
}

// Books and rail contradict each other: every further order may be paid twice.
func TestNoOrdersAfterAContradiction(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	r.before = func(o settlement.Order) error {
		w.writeRow(ledger.Transfer{PendingID: o.ID, Flags: ledger.TransferVoidPending})
		return nil
	}
	w.earn(w.alice, 100)
	e := w.engine(manualConfig(r, at100))
	for range 3 {
		_, err := e.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrOrderConflict)
	}
	_, called := r.countKeys()
	require.Equal(t, 1, called)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// While the account is closed, the post is not sent again.
func TestOrderIsPostedAfterTheAccountWasClosedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, answer := range []uint64{80, 81} {
		t.Run(fmt.Sprint(answer), func(t *testing.T) {
			t.Parallel()
			w, r := newWorld(t), newRail()
			var reopen func()
			r.pays = func(settlement.Order) ledger.Amount { return units(answer) }
			r.before = func(settlement.Order) error {
				if reopen == nil {
					reopen = w.closePeer(w.alice)
				}
				return nil
			}
			w.earn(w.alice, 100)
			e := w.engine(manualConfig(r, at100))
			for try := range 3 {
				_, err := e.Settle(t.Context(), w.alice)
				require.ErrorIs(t, err, accounts.ErrPeerClosed)
				require.Equal(t, try == 0, errors.Is(err, ledger.ErrIDBurnt), "the ledger is asked once")
			}
			reopen()
			paid, err := e.Settle(t.Context(), w.alice)
			require.NoError(t, err)
			require.Equal(t, []uint64{answer}, paidAmounts(paid))
			require.Equal(t, 1, r.calls[paid[0].Order.ID], "a final answer is not asked for again")
			w.requireConserved(r)
		})
	}
}
