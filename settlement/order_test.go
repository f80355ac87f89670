package settlement_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

func TestOrdersAreCapped(t *testing.T) {
	t.Parallel()
	least60 := settlement.AtLeast{Amount: units(60), Of: settlement.Threshold{SettleThreshold: units(100)}}
	for name, c := range map[string]struct {
		policy settlement.Policy
		given  func(*world)
		want   []uint64
	}{
		"below the threshold": {at100, func(w *world) { w.earn(w.alice, 99) }, nil},
		"at the threshold":    {at100, func(w *world) { w.earn(w.alice, 100) }, []uint64{80}},
		"what is not fulfilled is not owed": {at100, func(w *world) {
			w.earn(w.alice, 90)
			w.writePacket(w.liquidity(), w.book.PeerIDs(w.alice).Peer, 50, ledger.TransferPending)
		}, nil},
		"what was spent again is not owed": {at100, func(w *world) {
			w.earn(w.alice, 150)
			w.spend(w.alice, 51)
		}, nil},
		"a prepayment is not paid back": {at100, func(w *world) {
			w.paySettlement(w.alice, 500)
			w.earn(w.alice, 99)
		}, nil},
		"beside a prepayment": {at100, func(w *world) {
			w.paySettlement(w.alice, 500)
			w.earn(w.alice, 100)
		}, []uint64{80}},
		"a debt that was paid is no prepayment": {at100, func(w *world) {
			w.spend(w.alice, 300)
			w.paySettlement(w.alice, 300)
			w.earn(w.alice, 100)
		}, []uint64{80}},
		"headroom": {least60, func(w *world) {
			w.earn(w.alice, 100)
			w.holdPacket(w.alice, 1040)
		}, []uint64{60}},
		"below the minimum once capped": {least60, func(w *world) {
			w.earn(w.alice, 100)
			w.holdPacket(w.alice, 1041)
		}, nil},
		"what packets earned, whatever the policy demands": {greedy{}, func(w *world) {
			w.paySettlement(w.alice, 500)
			w.earn(w.alice, 70)
			w.spend(w.alice, 30)
		}, []uint64{70}},
		"nothing of the credit line, whatever the policy demands": {greedy{}, func(w *world) {
			w.earn(w.alice, 70)
			w.spend(w.alice, 1050)
		}, nil},
		"a closed account": {at100, func(w *world) {
			w.earn(w.alice, 100)
			w.closePeer(w.alice)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := newWorld(t), newRail()
			c.given(w)
			placed := 0
			cfg := manualConfig(r, c.policy)
			cfg.Events.Placed = func(settlement.Order) { placed++ }
			paid, err := w.engine(cfg).Settle(t.Context(), w.alice)
			require.NoError(t, err)
			require.Equal(t, c.want, paidAmounts(paid))
			require.Len(t, c.want, placed)
			require.Equal(t, r.totalPaid(w.alice), w.balance(w.alice).SettledOut)
			ledgertest.RequireConserved(t, w.ledger)
		})
	}
}

// greedy wants everything.
type greedy struct{}

func (greedy) Due(settlement.PolicyInput) settlement.PaymentRequest {
	return settlement.PaymentRequest{Amount: ledger.AmountMax}
}

func TestOrderIsWrittenAsDesigned(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	cfg := manualConfig(r, at100)
	cfg.Instance = "one"
	opened := uint64(w.balance(w.alice).Opened.UnixNano())
	ids := w.book.PeerIDs(w.alice)
	var seen settlement.Order
	r.before = func(o settlement.Order) error {
		seen = o
		rows, err := w.ledger.LookupTransfers(t.Context(), []ledger.ID{o.ID})
		require.NoError(t, err)
		require.Len(t, rows, 1, "the order is in the ledger before the hook is called")
		ns := chart.Namespace("")
		require.Equal(t, ns.Derive("order", chart.U64(opened), chart.ID(ids.Settlement), chart.U64(o.Sequence)), o.ID)
		require.Equal(t, ledger.Transfer{
			ID: o.ID, DebitAccountID: ids.Peer, CreditAccountID: ids.Settlement, Amount: o.Amount,
			UserData64: o.Sequence | 1<<56, UserData128: uint128.Uint128(ns.Derive("instance", []byte("one"))),
			Ledger: usd.Ledger, Code: chart.CodeOrder, Timestamp: rows[0].Timestamp,
			Flags: ledger.TransferPending | ledger.TransferBalancingDebit,
		}, rows[0])
		require.Equal(t, time.Unix(0, int64(rows[0].Timestamp)), o.PlacedAt)
		return nil
	}
	e := w.engine(cfg)
	w.earn(w.alice, 130)
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []settlement.Payment{{Order: seen, Paid: units(110)}}, paid)
	require.Equal(t, uint64(1), seen.Sequence)
	require.Equal(t, w.alice, seen.Account)
	require.Equal(t, usd, seen.Asset)

	w.earn(w.alice, 80)
	paid, err = e.Settle(t.Context())
	require.NoError(t, err, "an account that was checked is known from then on")
	require.Equal(t, []uint64{80}, paidAmounts(paid))
	require.Equal(t, uint64(2), seen.Sequence)
	w.requireConserved(r)
}

// A ledger that begins anew has another order 1.
func TestOrderIDsOfTwoLedgersDiffer(t *testing.T) {
	t.Parallel()
	r := newRail()
	for range 2 {
		w := newWorld(t)
		w.earn(w.alice, 100)
		_, err := w.engine(manualConfig(r, at100)).Settle(t.Context(), w.alice)
		require.NoError(t, err)
		ledgertest.RequireNothingHeld(t, w.ledger)
	}
	paid, _ := r.countKeys()
	require.Equal(t, 2, paid)
}

func TestBurntNumbersAreWalkedOver(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	// The peer is closed between the look at the balance and the order.
	var reopen func()
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if c.creates && reopen == nil {
			reopen = w.closePeer(w.alice)
		}
		return noFault
	}}
	e := w.engineOn(l, manualConfig(r, at100))
	_, err := e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, ledger.ErrIDSpent)
	reopen()
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{80}, paidAmounts(paid))
	require.Equal(t, uint64(2), paid[0].Order.Sequence)
	w.requireConserved(r)
}

// An order of nothing is voided at once, and Close does not speak of it.
func TestVoidedOrderIsNotOpen(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	held := false
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if c.creates && !held {
			held = true
			w.holdPacket(w.alice, 1100)
		}
		return noFault
	}}
	e := w.engineOn(l, manualConfig(r, at100))
	_, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.NoError(t, e.Close(t.Context()))
	ledgertest.RequireConserved(t, w.ledger)
}

// An engine is paused between placing an order, which turned out too small, and giving it
// back. Meanwhile another one has taken it over and is paying it: it must not be voided.
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
		"to nothing":        {0, 0, settlement.ErrWithdrawn},
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

// renewing renews the claim on an order right before it is given back, as the engine's own
// keeper does: the same row, by itself.
type renewing struct {
	ledger.Ledger
	renewed int
}

func (l *renewing) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
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

// The keeper of the engine itself renews the claim on an order that is about to be given
// back: the order is still its own, and the Settler does not get it.
func TestTooSmallOrderWhoseClaimIsRenewed(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	l := &renewing{Ledger: w.ledger}
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

// The void of an order below the minimum fails: it is tried again, and nobody pays.
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

// A crash between placing an order of nothing and voiding it: no Settler will ever
// see it, so any engine may close it.
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

// The minimum is no reason to void an order that the Settler may have seen.
func TestOpenOrderIsResumedWhateverThePolicySaysNow(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	r.after = func(settlement.Order) error { return errRail }
	w.earn(w.alice, 100)
	_, err := w.engine(manualConfig(r, at100)).Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, errRail)

	r.after = func(settlement.Order) error { return nil }
	w.earn(w.alice, 200)
	larger := settlement.AtLeast{Amount: units(200), Of: settlement.Threshold{SettleThreshold: units(250)}}
	paid, err := w.engine(manualConfig(r, larger)).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{80}, paidAmounts(paid))
	w.requireConserved(r)
}

func TestOrdersListsWhatIsOpen(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, "bob"), newRail()
	bob := w.peers[1]
	r.before = func(settlement.Order) error { return errRail }
	w.earn(w.alice, 100)
	e := w.engine(manualConfig(r, at100))
	for range 2 {
		_, err := e.Settle(t.Context(), w.alice, bob)
		require.ErrorIs(t, err, errRail)
	}
	open, err := e.Orders(t.Context())
	require.NoError(t, err)
	require.Len(t, open, 1)
	require.Equal(t, w.alice, open[0].Account)
	require.Equal(t, units(80), open[0].Amount)
	require.True(t, open[0].OwnedByThisInstance)
	require.Equal(t, 2, open[0].Attempts)
	require.ErrorIs(t, open[0].LastErr, errRail)

	cfg := manualConfig(r, at100)
	cfg.Instance = "another"
	open, err = w.engine(cfg).Orders(t.Context(), w.peers...)
	require.NoError(t, err)
	require.Len(t, open, 1)
	require.False(t, open[0].OwnedByThisInstance)
	require.Zero(t, open[0].Attempts)

	r.before = func(settlement.Order) error { return nil }
	_, err = e.Settle(t.Context())
	require.NoError(t, err)
	open, err = e.Orders(t.Context())
	require.NoError(t, err)
	require.Empty(t, open)
	w.requireConserved(r)
}

func TestOneUnknownAccountDoesNotKeepTheOthersWaiting(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 100)
	stranger, err := w.book.PeerAccount("stranger", usd)
	require.NoError(t, err)
	e := w.engine(manualConfig(r, at100))
	e.NotifyBalances([]accounts.PeerAccount{w.alice, stranger})
	paid, err := e.Settle(t.Context())
	require.Equal(t, []uint64{80}, paidAmounts(paid))
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	var of *settlement.OrderError
	require.ErrorAs(t, err, &of)
	require.Equal(t, stranger, of.Account)
	require.ErrorContains(t, err, "settle with stranger on ledger 1")
	_, err = e.Settle(t.Context())
	require.NoError(t, err, "it is forgotten")
	w.requireConserved(r)
}
