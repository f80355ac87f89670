package settlement_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

var errRail = errors.New("no answer from the rail")

func TestWhatTheSettlerSaysIsBooked(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	e := w.engine(manualConfig(r, at100))

	w.earn(w.alice, 100)
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{80}, paidAmounts(paid))
	require.Equal(t, units(20), w.balance(w.alice).Payable, "in full")

	r.pays = func(o settlement.Order) ledger.Amount { return o.Amount.Min(units(50)) }
	w.earn(w.alice, 130)
	paid, err = e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{50, 50}, paidAmounts(paid), "in parts, while it is at the threshold")
	require.Equal(t, units(50), w.balance(w.alice).Payable)

	r.pays = func(o settlement.Order) ledger.Amount { sum, _ := o.Amount.Add(units(7)); return sum }
	w.earn(w.alice, 50)
	paid, err = e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{87}, paidAmounts(paid), "more than ordered")
	require.Equal(t, units(13), w.balance(w.alice).Payable)
	require.Equal(t, units(0), w.suspenseDebt(), "the rest was taken from the peer")
	w.requireConserved(r)
}

func TestMoreThanOrderedAndMoreThanThePeerHas(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	r.pays = func(settlement.Order) ledger.Amount { return units(5000) }
	w.earn(w.alice, 100)
	paid, err := w.engine(manualConfig(r, at100)).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{5000}, paidAmounts(paid))
	b := w.balance(w.alice)
	require.Equal(t, units(5000), b.SettledOut)
	require.Equal(t, units(4900), b.Receivable)
	require.Zero(t, b.Headroom, "the whole credit line is used")
	require.Equal(t, units(0), w.suspenseDebt())
	require.Equal(t, units(5000-1100), b.Arrears, "the rest is collected when it can be")
	w.requireConserved(r)
}

func TestDeclinedIsGivenBackAndRearmedLater(t *testing.T) {
	t.Parallel()
	answers := func(err error) settlement.SettlerFunc {
		return func(context.Context, settlement.Order) (ledger.Amount, error) { return ledger.Amount{}, err }
	}
	for name, settler := range map[string]settlement.Settler{
		"declined":         answers(settlement.ErrDeclined),
		"declined, reason": answers(fmt.Errorf("no such peer: %w", settlement.ErrDeclined)),
		"paid nothing":     answers(nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.earn(w.alice, 100)
			now := time.Now()
			cfg := manualConfig(settler, at100)
			cfg.Clock = func() time.Time { return now }
			var voided []settlement.Order
			cfg.Events.Voided = func(o settlement.Order, err error) {
				require.ErrorIs(t, err, settlement.ErrDeclined)
				voided = append(voided, o)
			}
			paid, err := w.engine(cfg).Settle(t.Context(), w.alice)
			require.Empty(t, paid)
			require.ErrorIs(t, err, settlement.ErrDeclined)
			var of *settlement.OrderError
			require.ErrorAs(t, err, &of)
			require.Equal(t, units(80), of.Order.Amount)
			require.ErrorContains(t, err, "alice on ledger 1: order 1 of 0.80 USD ("+of.Order.ID.String())
			require.Len(t, voided, 1)
			require.Zero(t, w.balance(w.alice).Settling)
			require.Equal(t, units(100), w.balance(w.alice).Payable)

			// The wait is in the ledger, so another engine waits too.
			r := newRail()
			cfg.Rails, cfg.Instance = railsWith(r), "another"
			other := w.engine(cfg)
			paid, err = other.Settle(t.Context(), w.alice)
			require.NoError(t, err)
			require.Empty(t, paid)
			now = now.Add(time.Minute + time.Second)
			paid, err = other.Settle(t.Context(), w.alice)
			require.NoError(t, err)
			require.Equal(t, []uint64{80}, paidAmounts(paid))
			require.Equal(t, uint64(2), paid[0].Order.Sequence)
			w.requireConserved(r)
		})
	}
}

// The amount paid is booked, even if the rail declines the rest.
func TestDeclinedAfterAPart(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	r.pays = func(settlement.Order) ledger.Amount { return units(30) }
	r.after = func(settlement.Order) error { return settlement.ErrDeclined }
	w.earn(w.alice, 200)
	paid, err := w.engine(manualConfig(r, at100)).Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrDeclined)
	require.Equal(t, []uint64{30}, paidAmounts(paid), "and no more at once")
	require.Equal(t, units(170), w.balance(w.alice).Payable)
	w.requireConserved(r)
}

// Without a clear answer the order stays open under its key.
func TestUnclearAnswersAreTriedAgainUnderTheSameKey(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		unclear func(*rail)
		want    error
	}{
		"error before the payment": {func(r *rail) {
			r.before = func(settlement.Order) error { return errRail }
		}, errRail},
		"error after the payment": {func(r *rail) {
			r.after = func(settlement.Order) error { return errRail }
		}, errRail},
		"panic": {func(r *rail) {
			r.after = func(settlement.Order) error { panic("at the rail") }
		}, settlement.ErrPanic},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := newWorld(t), newRail()
			c.unclear(r)
			var failed []error
			cfg := manualConfig(r, at100)
			cfg.Events.Failed = func(err error) { failed = append(failed, err) }
			e := w.engine(cfg)
			w.earn(w.alice, 100)
			for range 3 {
				paid, err := e.Settle(t.Context(), w.alice)
				require.ErrorIs(t, err, c.want)
				require.Empty(t, paid)
				require.Equal(t, units(80), w.balance(w.alice).Settling)
			}
			require.Len(t, failed, 3)
			w.earn(w.alice, 500)
			fine := newRail()
			r.before, r.after = fine.before, fine.after
			paid, err := e.Settle(t.Context(), w.alice)
			require.NoError(t, err)
			require.Equal(t, []uint64{80, 500}, paidAmounts(paid), "the open order first, then the rest")
			_, called := r.countKeys()
			require.Equal(t, 2, called)
			w.requireConserved(r)
		})
	}
}

func TestSettlerThatIsTooSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		slow := settlement.SettlerFunc(func(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
			_, _ = r.Settle(ctx, o)
			<-ctx.Done()
			return ledger.Amount{}, ctx.Err()
		})
		w.earn(w.alice, 100)
		cfg := manualConfig(slow, at100)
		cfg.Rails.Default.Timeout = 7 * time.Second
		e := w.engine(cfg)
		began := time.Now()
		_, err := e.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 7*time.Second, time.Since(began))
		require.Equal(t, units(80), w.balance(w.alice).Settling)
		require.NoError(t, t.Context().Err())

		paid, err := w.engine(manualConfig(r, at100)).Settle(t.Context(), w.alice)
		require.NoError(t, err)
		require.Equal(t, []uint64{80}, paidAmounts(paid))
		w.requireConserved(r)
	})
}

// The largest amount means "all" in a post. As a Settler's answer it would fill the account for ever.
func TestImpossibleAnswer(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	all := settlement.SettlerFunc(func(context.Context, settlement.Order) (ledger.Amount, error) {
		return ledger.AmountMax, nil
	})
	w.earn(w.alice, 100)
	_, err := w.engine(manualConfig(all, at100)).Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrInvalidSettledAmount)
	require.Zero(t, w.balance(w.alice).SettledOut)
	_, err = w.engine(manualConfig(r, at100)).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	w.requireConserved(r)
}

// A Settler that ends its goroutine leaves the order open, and Settle returns an error.
func TestSettlerThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	exits := settlement.SettlerFunc(func(context.Context, settlement.Order) (ledger.Amount, error) {
		runtime.Goexit()
		return ledger.Amount{}, nil
	})
	w.earn(w.alice, 100)
	_, err := w.engine(manualConfig(exits, at100)).Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrPanic)
	_, err = w.engine(manualConfig(r, at100)).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	w.requireConserved(r)
}

func TestNoSettlerBooksOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	e.NotifyBalances([]accounts.PeerAccount{w.alice})
	paid, err := e.Settle(t.Context())
	require.NoError(t, err)
	require.Empty(t, paid)
	_, err = e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "k", Amount: units(5)})
	require.NoError(t, err)
	ledgertest.RequireNothingHeld(t, w.ledger)
}
