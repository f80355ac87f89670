package settlement_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// An engine is stopped between placing an order below the minimum and voiding the order. Meanwhile
// another engine has taken the order over and is paying: the order must not be voided.
func TestTooSmallOrderThatWasTakenOver(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	policy := settlement.AtLeast{Amount: units(60), Of: at100}
	heirs := manualConfig(r, policy)
	heirs.Instance = "heir"
	heirs.Clock = func() time.Time { return time.Now().Add(time.Hour) }
	heir := w.engine(heirs)
	creates := 0
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if !c.creates {
			return noFault
		}
		switch creates++; creates {
		case 1: // a packet takes most of the headroom just before the order is placed
			w.holdPacket(w.alice, 1100-30)
		case 2: // it is about to be given back
			paid, err := heir.Settle(context.Background(), w.alice)
			require.NoError(t, err)
			require.Equal(t, []uint64{30}, paidAmounts(paid))
		}
		return noFault
	}}
	cfg := manualConfig(r, policy)
	cfg.Events.Voided = func(settlement.Order, error) { require.Fail(t, "the rail has paid it") }
	_, err := w.engineOn(l, cfg).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.GreaterOrEqual(t, creates, 2)
	require.Equal(t, units(30), r.totalPaid(w.alice))
	require.Equal(t, units(30), w.balance(w.alice).SettledOut)
	ledgertest.RequireConserved(t, w.ledger)
}

func TestOrderThatShrankBelowTheMinimumIsVoided(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		minimum, left uint64
		why           error
	}{
		"below the minimum": {60, 59, settlement.ErrTooSmall},
		"to nothing":        {0, 0, settlement.ErrCheckFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := newWorld(t), newRail()
			w.earn(w.alice, 100)
			// A packet takes most of the headroom just before the order is placed.
			var hold ledger.ID
			l := &faultyLedger{Ledger: w.ledger, fault: func(call call) fault {
				if call.creates && hold.IsZero() {
					hold = w.holdPacket(w.alice, 1100-c.left)
				}
				return noFault
			}}
			now := time.Now()
			var voided []error
			var policy settlement.Policy = at100
			if c.minimum > 0 {
				policy = settlement.AtLeast{Amount: units(c.minimum), Of: at100}
			}
			cfg := manualConfig(r, policy)
			cfg.Clock = func() time.Time { return now }
			cfg.Events.Voided = func(_ settlement.Order, err error) { voided = append(voided, err) }
			e := w.engineOn(l, cfg)
			paid, err := e.Settle(t.Context(), w.alice)
			require.NoError(t, err)
			require.Empty(t, paid)
			require.Len(t, voided, 1)
			require.ErrorIs(t, voided[0], c.why)

			w.writeRow(ledger.Transfer{PendingID: hold, Flags: ledger.TransferVoidPending})
			if c.minimum > 0 {
				paid, err = e.Settle(t.Context(), w.alice)
				require.NoError(t, err)
				require.Empty(t, paid, "not rearmed yet")
				now = now.Add(2 * time.Minute)
			}
			_, called := r.countKeys()
			require.Zero(t, called)

			paid, err = e.Settle(t.Context(), w.alice)
			require.NoError(t, err)
			require.Equal(t, []uint64{80}, paidAmounts(paid))
			w.requireConserved(r)
		})
	}
}

// renewingLedger renews the claim on an order right before the order is voided, as the engine's own
// lease renewal does: the same row, alone.
type renewingLedger struct {
	ledger.Ledger
	renewed int
}

func (l *renewingLedger) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if l.renewed == 0 && len(rows) == 2 && rows[0].Code == chart.CodeClaim {
		l.renewed++
		claim := rows[0]
		claim.Flags &^= ledger.TransferLinked
		if results, err := l.Ledger.CreateTransfers(ctx, []ledger.Transfer{claim}); err != nil || !results[0].Status.Outcome().Done() {
			return results, err
		}
	}
	return l.Ledger.CreateTransfers(ctx, rows)
}

// The engine's own lease renewal renews the claim on an order that is about to be voided: the order
// is still the engine's own, and the Settler does not get the order.
func TestTooSmallOrderWhoseClaimIsRenewed(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	l := &renewingLedger{Ledger: w.ledger}
	held := false
	before := &faultyLedger{Ledger: l, fault: func(c call) fault {
		if c.creates && !held { // a packet takes most of the headroom just before the order is placed
			held = true
			w.holdPacket(w.alice, 1100-30)
		}
		return noFault
	}}
	var voided []error
	cfg := manualConfig(r, settlement.AtLeast{Amount: units(60), Of: at100})
	cfg.Events.Voided = func(_ settlement.Order, err error) { voided = append(voided, err) }
	paid, err := w.engineOn(before, cfg).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, paid)
	require.Equal(t, 1, l.renewed)
	require.Len(t, voided, 1)
	require.ErrorIs(t, voided[0], settlement.ErrTooSmall)
	_, called := r.countKeys()
	require.Zero(t, called)
	ledgertest.RequireConserved(t, w.ledger)
}

// The void of an order below the minimum fails: the engine tries the void again, and no rail pays.
func TestTooSmallOrderThatCouldNotBeVoided(t *testing.T) {
	t.Parallel()
	errDown := errors.New("down")
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	var creates int
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if !c.creates {
			return noFault
		}
		creates++
		switch creates {
		case 1: // the order
			w.holdPacket(w.alice, 1100-59)
			return noFault
		case 2: // its void
			return fault{before: errDown}
		default:
			return noFault
		}
	}}
	var voided []error
	cfg := manualConfig(r, settlement.AtLeast{Amount: units(60), Of: at100})
	cfg.Events.Voided = func(_ settlement.Order, err error) { voided = append(voided, err) }
	e := w.engineOn(l, cfg)
	_, err := e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, errDown)
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, paid)
	require.Len(t, voided, 1)
	require.ErrorIs(t, voided[0], settlement.ErrTooSmall)
	_, called := r.countKeys()
	require.Zero(t, called)
	require.True(t, w.balance(w.alice).Settling.IsZero())
}

// A process crashes between placing an order of amount 0 and voiding the order. No Settler will ever
// get the order, so any engine may close it.
func TestOpenOrderOfNothingIsClosedByAnyEngine(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	var hold ledger.ID
	l := &faultyLedger{Ledger: w.ledger, fault: func(call call) fault {
		switch {
		case !call.creates:
			return noFault
		case hold.IsZero():
			hold = w.holdPacket(w.alice, 1100)
			return noFault
		default:
			return fault{before: errCrash}
		}
	}}
	_, err := w.engineOn(l, manualConfig(r, at100)).Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, errCrash)
	w.writeRow(ledger.Transfer{PendingID: hold, Flags: ledger.TransferVoidPending})

	now := time.Now()
	cfg := manualConfig(r, at100)
	cfg.Instance = "another"
	cfg.Clock = func() time.Time { return now }
	e := w.engine(cfg)
	_, err = e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	now = now.Add(2 * time.Minute)
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{80}, paidAmounts(paid))
	require.Equal(t, uint64(2), paid[0].Order.Sequence)
	w.requireConserved(r)
}

// An order that fails its check is found paid: the engine gives no further orders to the account.
func TestOrderThatFailsItsCheckAndWasPaid(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	l := &hookedFirstOrder{Ledger: w.ledger, before: func() { w.spend(w.alice, 60) }}
	cfg := manualConfig(r, at100)
	cfg.Events.Placed = func(o settlement.Order) {
		w.writeRow(ledger.Transfer{PendingID: o.ID, Amount: o.Amount, Flags: ledger.TransferPostPending})
	}
	e := w.engineOn(l, cfg)
	for range 2 {
		_, err := e.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrOrderConflict)
		w.earn(w.alice, 200)
	}
	requireNotCalled(t, r)
}
