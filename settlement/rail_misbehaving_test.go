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

// badRail is a bank that does what its behaviour says with each call; it writes down all
// money that leaves it, by key. It remembers keys only if it says so.
type badRail struct {
	behave func(context.Context, *badRail, settlement.Order, int) (ledger.Amount, error)
	left   map[ledger.ID]ledger.Amount
	calls  int
}

func (r *badRail) Settle(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
	r.calls++
	return r.behave(ctx, r, o, r.calls)
}

// payOnce pays a key that was not paid.
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
	// What is there in the end: keys that were paid, what left the rail, what is owed.
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
	// Each key is another payment to it. It gets one key for each order, however often
	// it is asked.
	"pays twice for two keys": {func(_ context.Context, r *badRail, o settlement.Order, call int) (ledger.Amount, error) {
		paid := r.payOnce(o)
		if call == 1 {
			panic("in the answer")
		}
		return paid, nil
	}, 2, 180, 20, 0},
	// It has no memory, and says so afterwards: what it paid too much is booked, as a
	// debt of alice's.
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

// TestRailsThatMisbehave has rails do all that real ones do. Alice is owed 100 and, later,
// again 100. In the end the books say what left the rail, and no more than what she is owed
// has left it, unless the rail itself paid more than it was asked for.
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
