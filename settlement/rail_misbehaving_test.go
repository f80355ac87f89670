package settlement_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// badRail is a bank with a behaviour, which decides about each call. left has all money that left the
// bank, by key; only the behaviour decides whether the bank remembers keys.
type badRail struct {
	behave func(context.Context, *badRail, settlement.Order, int) (ledger.Amount, error)
	left   map[ledger.ID]ledger.Amount
	calls  int
}

func (r *badRail) Settle(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
	r.calls++
	return r.behave(ctx, r, o, r.calls)
}

// payOnce pays a key, unless the key was paid.
func (r *badRail) payOnce(o settlement.Order) ledger.Amount {
	if _, known := r.left[o.ID]; !known {
		r.left[o.ID] = o.Amount
	}
	return r.left[o.ID]
}

func (r *badRail) totalPaid() (all ledger.Amount) {
	for _, n := range r.left {
		all = addAmounts(all, n)
	}
	return all
}

type misbehaviour struct {
	behave func(context.Context, *badRail, settlement.Order, int) (ledger.Amount, error)
	// At the end: the number of paid keys, the amount that left the rail, and the amounts owed.
	keys                      int
	left, payable, receivable uint64
}

var noAmount ledger.Amount

var misbehaviours = map[string]misbehaviour{
	"times out after paying": {func(ctx context.Context, r *badRail, o settlement.Order, call int) (ledger.Amount, error) {
		paid := r.payOnce(o)
		if call%4 != 0 {
			<-ctx.Done()
			return noAmount, ctx.Err()
		}
		return paid, nil
	}, 2, 180, 20, 0},
	"times out before paying": {func(ctx context.Context, r *badRail, o settlement.Order, call int) (ledger.Amount, error) {
		if call%4 != 0 {
			<-ctx.Done()
			return noAmount, ctx.Err()
		}
		return r.payOnce(o), nil
	}, 2, 180, 20, 0},
	"answers when its time is long over": {func(_ context.Context, r *badRail, o settlement.Order, _ int) (ledger.Amount, error) {
		paid := r.payOnce(o)
		sleepVirtual(3 * time.Minute)
		return paid, nil
	}, 2, 180, 20, 0},
	"breaks the connection after paying": {func(_ context.Context, r *badRail, o settlement.Order, call int) (ledger.Amount, error) {
		paid := r.payOnce(o)
		if call%3 != 0 {
			return noAmount, errors.New("connection reset")
		}
		return paid, nil
	}, 2, 180, 20, 0},
	// The rail makes one payment for each key. It gets one key for each order, however often it is
	// called.
	"pays twice for two keys": {func(_ context.Context, r *badRail, o settlement.Order, call int) (ledger.Amount, error) {
		paid := r.payOnce(o)
		if call == 1 {
			panic("in the answer")
		}
		return paid, nil
	}, 2, 180, 20, 0},
	// The rail has no memory, and reports both payments afterwards: the excess is booked, as a debt of
	// alice.
	"pays twice for one key": {func(_ context.Context, r *badRail, o settlement.Order, call int) (ledger.Amount, error) {
		r.left[o.ID] = addAmounts(r.left[o.ID], o.Amount)
		if call == 1 {
			return noAmount, errors.New("connection reset")
		}
		return r.left[o.ID], nil
	}, 1, 160, 40, 0},
	"refuses, and pays later under another key": {func(_ context.Context, r *badRail, o settlement.Order, call int) (ledger.Amount, error) {
		if call == 1 {
			return noAmount, settlement.ErrDeclined
		}
		return r.payOnce(o), nil
	}, 2, 180, 20, 0},
	"refuses for good": {func(context.Context, *badRail, settlement.Order, int) (ledger.Amount, error) {
		return noAmount, settlement.ErrDeclined
	}, 0, 0, 200, 0},
	"pays a part and refuses the rest": {func(_ context.Context, r *badRail, o settlement.Order, call int) (ledger.Amount, error) {
		if call > 2 {
			return noAmount, settlement.ErrDeclined
		}
		r.left[o.ID] = units(30)
		return units(30), settlement.ErrDeclined
	}, 2, 60, 140, 0},
	"pays far too much": {func(_ context.Context, r *badRail, o settlement.Order, _ int) (ledger.Amount, error) {
		r.left[o.ID] = units(300)
		return units(300), nil
	}, 1, 300, 0, 100},
	"takes days": {func(_ context.Context, r *badRail, o settlement.Order, _ int) (ledger.Amount, error) {
		if o.Sequence == 1 && time.Since(o.PlacedAt) < 48*time.Hour {
			return noAmount, settlement.ErrPending
		}
		return r.payOnce(o), nil
	}, 2, 180, 20, 0},
}

// TestRailsThatMisbehave has rails with all faults of real rails. We owe alice 100 and, later, another
// 100. At the end the books have the amount that left the rail, and no more than owed has left the
// rail, unless the rail itself paid more than ordered.
func TestRailsThatMisbehave(t *testing.T) {
	t.Parallel()
	for name, c := range misbehaviours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t), &badRail{behave: c.behave, left: map[ledger.ID]ledger.Amount{}}
				e := w.engine(automaticConfig(r))
				w.earn(w.alice, 100)
				e.NotifyBalances([]accounts.PeerAccount{w.alice})
				sleepVirtual(24 * time.Hour)
				w.earn(w.alice, 100)
				e.NotifyBalances([]accounts.PeerAccount{w.alice})
				sleepVirtual(26 * time.Hour)
				e.Enqueue(w.peers)
				sleepVirtual(time.Hour)

				b := w.balance(w.alice)
				require.Len(t, r.left, c.keys)
				require.Equal(t, units(c.left), r.totalPaid())
				require.Equal(t, units(c.left), b.SettledOut)
				require.Equal(t, units(c.payable), b.Payable)
				require.Equal(t, units(c.receivable), b.Receivable)
				require.NoError(t, e.Close(t.Context()))
				ledgertest.RequireNothingHeld(t, w.ledger)
			})
		})
	}
}
