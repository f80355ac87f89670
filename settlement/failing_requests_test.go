package settlement_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

var errRefused = errors.New("the ledger takes no request now")

// errandWorld is an engine for peers in different states. alice has earned 150, and has sent vouchers on
// two channels; bob has an order without an answer of the rail; carol has prepaid 300 in two payments;
// dave's payment came while dave's account was closed, and the account is open again.
type errandWorld struct {
	*world
	bob, carol, dave accounts.PeerAccount

	rail   *rail
	order  ledger.ID // bob's
	engine *settlement.Engine
	at     int // number of the refused request, from 1; 0: none is refused
	asked  int
	failed bool
}

func newErrandWorld(t *testing.T) *errandWorld {
	t.Helper()
	f := &faultyLedger{Ledger: embedded.New()}
	o := &errandWorld{world: newWorldOn(t, f.Ledger, 0, "bob", "carol", "dave"), rail: newRail()}
	f.fault = o.fault
	o.bob, o.carol, o.dave = o.peers[1], o.peers[2], o.peers[3]
	before := o.world.engine(manualConfig(o.rail, at100))
	for _, v := range []settlement.Voucher{o.newVoucher("a", 30), o.newVoucher("b", 5), o.newVoucher("a", 40)} {
		_, err := before.RecordVoucher(t.Context(), v)
		require.NoError(t, err)
	}
	_, err := before.RecordRedemption(t.Context(), o.newVoucher("a", 30))
	require.NoError(t, err)
	o.earn(o.alice, 150)
	o.recordIncoming(before, o.carol, "one", 200)
	o.recordIncoming(before, o.carol, "two", 100)
	reopen := o.closePeer(o.dave)
	o.recordIncoming(before, o.dave, "late", 70)
	o.recordIncoming(before, o.dave, "later", 7)
	reopen()

	o.rail.before = func(order settlement.Order) error {
		if order.Account == o.bob {
			return settlement.ErrPending
		}
		return nil
	}
	o.engine = o.engineOn(f, manualConfig(o.rail, at100))
	o.earn(o.bob, 120)
	_, err = o.engine.Settle(t.Context(), o.bob)
	require.ErrorIs(t, err, settlement.ErrPending)
	open, err := o.engine.Orders(t.Context(), o.bob)
	require.NoError(t, err)
	require.Len(t, open, 1)
	o.order = open[0].ID
	return o
}

func (o *errandWorld) fault(call) fault {
	if o.at > 0 {
		if o.asked++; o.asked == o.at {
			o.failed = true
			return fault{before: errRefused}
		}
	}
	return noFault
}

// bookedState returns the balances of all peers.
func (o *errandWorld) bookedState() []string {
	var lines []string
	for _, a := range o.peers {
		b := o.balance(a)
		lines = append(lines, fmt.Sprint(a, b.Payable, b.Receivable, b.Settling, b.Arrears, b.Prepaid, b.SettledIn, b.SettledOut, b.Earned))
	}
	ledgertest.RequireConserved(o.t, o.ledger)
	return append(lines, fmt.Sprint(o.suspenseDebt()), fmt.Sprint(o.rail.totalPaid(o.alice), o.rail.totalPaid(o.bob), o.rail.totalPaid(o.carol)))
}

// errand calls a method of an engine, and returns the part of the answer that is the same in every run.
type errand func(*errandWorld, context.Context) (any, error)

// errands book nothing twice when repeated.
var errands = map[string]errand{
	"Check": func(o *errandWorld, ctx context.Context) (any, error) {
		_, err := o.engine.Settle(ctx, o.alice)
		return nil, err // without the payments: if the look-up after a payment fails, the repetition returns no payment
	},
	"Settle": func(o *errandWorld, ctx context.Context) (any, error) {
		_, err := o.engine.SettleNow(ctx, o.alice)
		return nil, err
	},
	"Resolve": func(o *errandWorld, ctx context.Context) (any, error) {
		payment, err := o.engine.Resolve(ctx, o.bob, o.order, units(100))
		return payment.Paid, err
	},
	"Resolve with a part": func(o *errandWorld, ctx context.Context) (any, error) {
		payment, err := o.engine.Resolve(ctx, o.bob, o.order, units(60))
		return payment.Paid, err
	},
	"Cancel": func(o *errandWorld, ctx context.Context) (any, error) {
		order, err := o.engine.Cancel(ctx, o.bob, o.order)
		return order.Amount, err
	},
	"Orders": func(o *errandWorld, ctx context.Context) (any, error) {
		open, err := o.engine.Orders(ctx, o.alice, o.bob)
		if err != nil {
			return nil, err
		}
		return []any{len(open), open[0].Amount}, nil
	},
	"Exposure": func(o *errandWorld, ctx context.Context) (any, error) {
		x, err := o.engine.Exposure(ctx, o.alice, "a", "b")
		for i := range x.Channels {
			x.Channels[i].BookedAt = time.Time{}
		}
		return x, err
	},
	"Receive": func(o *errandWorld, ctx context.Context) (any, error) {
		r, err := o.engine.RecordIncoming(ctx, settlement.IncomingPayment{Account: o.alice, Key: "k", Amount: units(30)})
		return r.Amount, err
	},
	"RecordOutgoing": func(o *errandWorld, ctx context.Context) (any, error) {
		r, err := o.engine.RecordOutgoing(ctx, settlement.OutgoingPayment{Account: o.alice, Key: "k", Amount: units(30)})
		return r.Amount, err
	},
	"RecordOutgoing beyond": func(o *errandWorld, ctx context.Context) (any, error) {
		r, err := o.engine.RecordOutgoing(ctx, settlement.OutgoingPayment{Account: o.alice, Key: "k", Amount: units(3000), BeyondHeadroom: true})
		return r.Amount, err
	},
	"RecordReturned": func(o *errandWorld, ctx context.Context) (any, error) {
		r, err := o.engine.RecordReturned(ctx, settlement.ReturnedPayment{Account: o.carol, Key: "k", Payment: "one", Amount: units(30)})
		return r.Amount, err
	},
	"RecordReturned from suspense": func(o *errandWorld, ctx context.Context) (any, error) {
		r, err := o.engine.RecordReturned(ctx, settlement.ReturnedPayment{Account: o.dave, Key: "k", Payment: "late", Amount: units(70)})
		return r.Amount, err
	},
	"RecordVoucher": func(o *errandWorld, ctx context.Context) (any, error) {
		r, err := o.engine.RecordVoucher(ctx, o.newVoucher("a", 100))
		return r.Cumulative, err
	},
	"Redeemed": func(o *errandWorld, ctx context.Context) (any, error) {
		r, err := o.engine.RecordRedemption(ctx, o.newVoucher("b", 50))
		return r.Cumulative, err
	},
	"Refund": func(o *errandWorld, ctx context.Context) (any, error) {
		if err := o.engine.Refund(ctx, o.carol); err != nil {
			return nil, err
		}
		_, err := o.engine.Settle(ctx, o.carol)
		return nil, err
	},
	"Release": func(o *errandWorld, ctx context.Context) (any, error) {
		_, err := o.engine.Release(ctx, o.dave)
		return nil, err
	},
}

// An errand with a failing request returns an error, except for a read after its writes. When
// repeated, the errand is done once.
func TestFailingRequests(t *testing.T) {
	t.Parallel()
	for name, do := range errands {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clean := newErrandWorld(t)
			want, err := do(clean, t.Context())
			require.NoError(t, err)
			state := clean.bookedState()
			for at := 1; ; at++ {
				o := newErrandWorld(t)
				o.at = at
				_, err := do(o, t.Context())
				o.at = 0
				if !o.failed {
					require.NoError(t, err)
					require.Greater(t, at, 1)
					return
				}
				if err == nil { // the look-up after the last payment failed
					paid := !o.rail.totalPaid(o.alice).IsZero() || !o.rail.totalPaid(o.carol).IsZero()
					require.True(t, paid, "request %d", at)
					require.Equal(t, state, o.bookedState(), "request %d", at)
					continue
				}
				require.ErrorIs(t, err, errRefused, "request %d", at)
				got, err := do(o, t.Context())
				require.NoError(t, err, "request %d had failed", at)
				require.Equal(t, formatResult(t, want), formatResult(t, got), "request %d had failed", at)
				require.Equal(t, state, o.bookedState(), "request %d had failed", at)
			}
		})
	}
}

func formatResult(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}
