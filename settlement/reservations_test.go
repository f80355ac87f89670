package settlement_test

import (
	"context"
	"errors"
	"math/big"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// reserver reserves a part of alice's headroom, as a recorder of rounds does.
type reserver struct {
	w    *world
	fail func(context.Context) error // instead of a hold-back; may be nil

	mu       sync.Mutex
	reserved ledger.ID
	amount   uint64 // of the reservation
	keep     uint64 // held by packets: not given back
	calls    int
	released int
	atOrder  []bool // for each release: an order was open
}

func newReserver(w *world, amount, keep uint64) *reserver {
	w.t.Helper()
	require.NoError(w.t, w.book.EnsureTransit(w.t.Context()))
	r := &reserver{w: w, amount: amount, keep: keep}
	r.reserve(amount)
	return r
}

// reserve replaces the reservation. The caller holds mu, but for the first.
func (r *reserver) reserve(n uint64) {
	r.free()
	own, _ := r.w.book.AssetIDs(usd.Ledger)
	r.reserved = r.w.writeRow(ledger.Transfer{
		DebitAccountID: r.w.alice.ID(), CreditAccountID: own.Transit, Amount: units(n), Ledger: usd.Ledger,
		Code: chart.CodeReserve, Flags: ledger.TransferPending | ledger.TransferBalancingDebit,
	})
}

func (r *reserver) free() {
	if !r.reserved.IsZero() {
		r.w.writeRow(ledger.Transfer{PendingID: r.reserved, Flags: ledger.TransferVoidPending})
	}
	r.reserved = ledger.ID{}
}

func (r *reserver) HoldBack(ctx context.Context, a accounts.PeerAccount) (release func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	require.Equal(r.w.t, r.w.alice, a)
	if r.fail != nil {
		return nil, r.fail(ctx)
	}
	r.reserve(r.keep)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.released++
		r.atOrder = append(r.atOrder, !r.w.balance(r.w.alice).Settling.IsZero())
		r.reserve(r.amount)
	}, nil
}

func (r *reserver) countCalls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// An order takes reserved headroom too. Reservations grow again when the order is in the ledger.
func TestOrderTakesReservedHeadroom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ earned, reserved, keep, want uint64 }{
		"all is reserved":           {1100, 2100, 0, 1080},
		"a part is reserved":        {1100, 1500, 0, 1080},
		"packets hold a part":       {1100, 2100, 1500, 600},
		"enough is free: no call":   {1100, 1000, 0, 1080},
		"below the threshold, none": {90, 1090, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := newWorld(t), newRail()
			w.earn(w.alice, test.earned)
			held := newReserver(w, test.reserved, test.keep)
			cfg := manualConfig(r, at100)
			e := w.engine(cfg)
			e.UseReservations(held)
			payments, err := e.Settle(t.Context(), w.alice)
			require.NoError(t, err)
			if test.want == 0 {
				require.Empty(t, payments)
				require.Zero(t, held.calls)
			} else {
				require.Equal(t, []uint64{test.want}, paidAmounts(payments)[:1])
			}
			if test.reserved == 1000 {
				require.Zero(t, held.calls)
			}
			require.Equal(t, held.calls, held.released)
			if held.calls > 0 {
				require.True(t, held.atOrder[0], "released before the order was placed")
			}
			held.free()
			w.requireConserved(r)
		})
	}
}

// If reservations cannot be held back, or not in time, the order is for what is free, and the reservations are left
// alone for OrderCooldown.
func TestReservationsThatStay(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(context.Context) error{
		"an error": func(context.Context) error { return errRefused },
		"no answer": func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t), newRail()
				w.earn(w.alice, 1100)
				held := newReserver(w, 1500, 0)
				held.fail = fail
				cfg := manualConfig(r, at100)
				cfg.OrderCooldown = time.Minute
				var failed []error
				cfg.Events.Failed = func(err error) { failed = append(failed, err) }
				e := w.engine(cfg)
				e.UseReservations(held)
				began := time.Now()
				payments, err := e.Settle(t.Context(), w.alice)
				require.NoError(t, err)
				require.Equal(t, []uint64{600}, paidAmounts(payments))
				require.LessOrEqual(t, time.Since(began), 2*time.Second)
				require.Len(t, failed, 1)
				var of *settlement.OrderError
				require.ErrorAs(t, failed[0], &of)
				require.Equal(t, w.alice, of.Account)
				require.ErrorContains(t, failed[0], "hold reservations back")
				for range 50 { // 480 are due, and all is reserved
					_, err = e.Settle(t.Context(), w.alice)
					require.NoError(t, err)
					sleepVirtual(time.Second)
				}
				require.Equal(t, 1, held.calls)
				sleepVirtual(10 * time.Second)
				held.fail = nil
				payments, err = e.Settle(t.Context(), w.alice)
				require.NoError(t, err)
				require.Equal(t, []uint64{480}, paidAmounts(payments))
				held.free()
				w.requireConserved(r)
			})
		})
	}
}

// Headroom that packets hold is no reason to hold reservations back at each look: once in OrderCooldown they are, and
// a look is one request.
func TestHoldBackInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		w.earn(w.alice, 1100)
		held := newReserver(w, 2100, 2100)
		cfg := automaticConfig(r)
		cfg.OrderCooldown, cfg.SweepInterval = time.Minute, time.Hour
		counting := &countingLedger{Ledger: w.ledger}
		e := w.engineOn(counting, cfg)
		e.UseReservations(held)
		for range 600 {
			e.NotifyBalances(w.peers)
			sleepVirtual(time.Second)
		}
		require.InDelta(t, 10, held.countCalls(), 1)
		counts := counting.takeCounts()
		require.Less(t, counts[0]+counts[1]+counts[2], int64(700), "%v", counts)
		require.NoError(t, e.Close(t.Context()))
		held.free()
		w.requireConserved(r)
	})
}

// Without an order to come, reservations are left alone: at rest, and while payments are paused.
func TestNoHoldBackWithoutAnOrder(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	held := newReserver(w, 1000, 0)
	cfg := manualConfig(r, at100)
	e := w.engine(cfg)
	e.UseReservations(held)
	settle := func() {
		t.Helper()
		_, _ = e.Settle(t.Context(), w.alice)
		require.Zero(t, held.countCalls())
	}
	settle()
	held.free()
	w.earn(w.alice, 1100)
	held.reserve(2100)
	require.NoError(t, e.StopPayments(t.Context()))
	settle()
	held.free()
	w.requireConserved(r)
}

// An order that waits for its time needs no headroom yet.
func TestNoHoldBackBeforeItsTime(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	held := newReserver(w, 500, 0)
	e := w.engine(manualConfig(r, settlement.Prefund{PrefundThreshold: big.NewInt(-10), SettleTo: big.NewInt(-50)}))
	e.UseReservations(held)
	payments, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{50}, paidAmounts(payments))
	w.earn(w.alice, 45)
	payments, err = e.Settle(t.Context(), w.alice) // the next prefunding order waits for OrderCooldown
	require.NoError(t, err)
	require.Empty(t, payments)
	require.Zero(t, held.countCalls())
	held.free()
	w.requireConserved(r)
}

// A payment by hand takes reserved headroom, and is refused only beyond it.
func TestRecordOutgoingTakesReservedHeadroom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.earn(w.alice, 500)
	held := newReserver(w, 1500, 100)
	e := w.engine(settlement.Config{})
	e.UseReservations(held)
	out := settlement.OutgoingPayment{Account: w.alice, Key: "a", Amount: units(1401)}
	_, err := e.RecordOutgoing(t.Context(), out)
	require.ErrorIs(t, err, accounts.ErrNotCovered)
	require.ErrorContains(t, err, "it has 14.00 USD")
	out.Amount = units(1400)
	_, err = e.RecordOutgoing(t.Context(), out)
	require.NoError(t, err)
	require.Zero(t, w.balance(w.alice).Arrears)
	require.Equal(t, 2, held.released)
	held.fail = func(context.Context) error { return errors.New("no recorder") }
	out.Key, out.Amount = "b", units(1)
	_, err = e.RecordOutgoing(t.Context(), out)
	require.ErrorIs(t, err, accounts.ErrNotCovered)
	held.free()
	ledgertest.RequireNothingHeld(t, w.ledger)
}
