package settlement_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// A rail answers days later: until Resolve or Cancel, the order is shown as open, without a failure.
func TestRailThatAnswersLater(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer  func(*settlement.Engine, settlement.OpenOrder) error
		settled uint64
		told    string
	}{
		"paid": {func(e *settlement.Engine, o settlement.OpenOrder) error {
			p, err := e.Resolve(context.Background(), o.Account, o.ID, o.Amount)
			if err == nil && p.Paid != o.Amount {
				err = errors.New("another amount")
			}
			return err
		}, 80, "paid 80"},
		"paid in part": {func(e *settlement.Engine, o settlement.OpenOrder) error {
			_, err := e.Resolve(context.Background(), o.Account, o.ID, units(50))
			return err
		}, 50, "partly paid 50 of 80"},
		"paid more": {func(e *settlement.Engine, o settlement.OpenOrder) error {
			_, err := e.Resolve(context.Background(), o.Account, o.ID, units(95))
			return err
		}, 95, "paid 95"},
		"cancelled": {func(e *settlement.Engine, o settlement.OpenOrder) error {
			_, err := e.Cancel(context.Background(), o.Account, o.ID)
			return err
		}, 0, "voided 80: settlement: order cancelled"},
	} {
		for _, byAnother := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, by another process %v", name, byAnother), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					var told eventLog
					calls := 0
					cfg := automaticConfig(settlement.SettlerFunc(func(context.Context, settlement.Order) (ledger.Amount, error) {
						calls++
						return ledger.Amount{}, settlement.ErrPending
					}))
					cfg.Events = told.events()
					cfg.Events.Failed = func(err error) { told.addLine("failed %v", err) }
					e := w.engine(cfg)
					w.earn(w.alice, 100)
					e.NotifyBalances(w.peers)
					sleepVirtual(4 * time.Minute)
					open := openOrder(t, e, w.alice)
					require.ErrorIs(t, open.LastErr, settlement.ErrPending)
					require.Equal(t, []string{"placed 80"}, told.takeLines())
					require.Equal(t, 1, calls, "it is asked again after 5 minutes")

					answering := e
					if byAnother {
						other := manualConfig(newRail(), at100)
						other.Instance, other.Events = "operator", told.events()
						answering = w.engine(other)
					}
					for range 2 { // it may be repeated
						require.NoError(t, c.answer(answering, open))
						require.Equal(t, units(c.settled), w.balance(w.alice).SettledOut)
						require.Equal(t, []string{c.told}, told.takeLines())
					}
					contradicts := units(7)
					_, err := answering.Resolve(t.Context(), w.alice, open.ID, contradicts)
					require.ErrorIs(t, err, settlement.ErrOrderConflict)
					_, err = e.Settle(t.Context(), w.alice) // it finds out
					require.NoError(t, err)
					require.NoError(t, e.Close(t.Context()))
					require.Zero(t, w.balance(w.alice).Settling)
				})
			})
		}
	}
}

func TestAnswersToNoOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "bob")
	cfg := manualConfig(brokenSettler, at100)
	e := w.engine(cfg)
	w.earn(w.alice, 100)
	_, err := e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, errRail)
	open := openOrder(t, e, w.alice)
	own, err := w.book.OwnAccount(usd)
	require.NoError(t, err)
	hold := w.holdPacket(w.alice, 1)
	for name, c := range map[string]struct {
		account accounts.PeerAccount
		id      ledger.ID
		paid    ledger.Amount
		want    error
	}{
		"unknown":            {w.alice, ledger.NewID(1, 2), units(1), settlement.ErrNoOrder},
		"of another account": {w.peers[1], open.ID, units(1), settlement.ErrNoOrder},
		"a packet":           {w.alice, hold, units(1), settlement.ErrNoOrder},
		"our own":            {own, open.ID, units(1), accounts.ErrUnknownAsset},
		"nobody's":           {accounts.PeerAccount{}, open.ID, units(1), accounts.ErrUnknownAsset},
		"nothing paid":       {w.alice, open.ID, units(0), accounts.ErrInvalid},
		"everything paid":    {w.alice, open.ID, ledger.AmountMax, accounts.ErrInvalid},
	} {
		_, err := e.Resolve(t.Context(), c.account, c.id, c.paid)
		require.ErrorIs(t, err, c.want, name)
		require.NotContains(t, err.Error(), "order 0 of", name)
		var order *settlement.OrderError
		require.ErrorAs(t, err, &order)
		if errors.Is(c.want, accounts.ErrInvalid) {
			continue
		}
		_, err = e.Cancel(t.Context(), c.account, c.id)
		require.ErrorIs(t, err, c.want, name)
	}
	require.Equal(t, units(80), w.balance(w.alice).Settling)
	require.Error(t, e.Close(t.Context()))
	_, err = e.Cancel(t.Context(), w.alice, open.ID)
	require.ErrorIs(t, err, settlement.ErrEngineClosed)
}

// An order that was closed by hand is not open for Close, also before the next visit.
func TestCloseAfterAnOrderWasClosedByHand(t *testing.T) {
	t.Parallel()
	for name, closeOrder := range map[string]func(context.Context, *settlement.Engine, settlement.OpenOrder) error{
		"Resolve": func(ctx context.Context, e *settlement.Engine, o settlement.OpenOrder) error {
			_, err := e.Resolve(ctx, o.Account, o.ID, o.Amount)
			return err
		},
		"Cancel": func(ctx context.Context, e *settlement.Engine, o settlement.OpenOrder) error {
			_, err := e.Cancel(ctx, o.Account, o.ID)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.earn(w.alice, 100)
			e := w.engine(manualConfig(brokenSettler, at100))
			_, err := e.Settle(t.Context(), w.alice)
			require.ErrorIs(t, err, errRail)
			require.NoError(t, closeOrder(t.Context(), e, openOrder(t, e, w.alice)))
			require.NoError(t, e.Close(t.Context()))
		})
	}
}

// An engine that finds its order paid by another one goes on with the next order at once.
func TestNextOrderAfterAnAnswerElsewhere(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	r.before = func(o settlement.Order) error {
		if o.Sequence == 1 {
			return settlement.ErrPending
		}
		return nil
	}
	e := w.engine(manualConfig(r, payAll))
	operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
	w.earn(w.alice, 100)
	_, err := e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrPending)
	_, err = operator.Resolve(t.Context(), w.alice, openOrder(t, e, w.alice).ID, units(100))
	require.NoError(t, err)
	w.earn(w.alice, 30)
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{100, 30}, paidAmounts(paid))
}

// An engine that finds its order cancelled by another one reports no payment for the order.
func TestNoPaymentAfterACancellationElsewhere(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	r.before = func(settlement.Order) error { return settlement.ErrPending }
	cfg := manualConfig(r, payAll)
	var told eventLog
	cfg.Events = told.events()
	e := w.engine(cfg)
	operator := w.engine(settlement.Config{Instance: "operator", NoTakeover: true})
	w.earn(w.alice, 100)
	_, err := e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, settlement.ErrPending)
	_, err = operator.Cancel(t.Context(), w.alice, openOrder(t, e, w.alice).ID)
	require.NoError(t, err)
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, paid)
	require.Equal(t, []string{"placed 100"}, told.takeLines())
	w.requireConserved(r)
}
