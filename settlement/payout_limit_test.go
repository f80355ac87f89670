package settlement_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
)

// payAll pays every amount owed.
var payAll = settlement.Threshold{SettleThreshold: units(1)}

// The largest order cuts an order, and the rest follows at once, although it is below the threshold.
func TestLargestOrder(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(*settlement.Config){
		"of the peer": func(c *settlement.Config) { c.PeerPayoutLimits.Default.MaxOrder = units(30) },
		"of the rail": func(c *settlement.Config) {
			c.Rails.Default.PayoutLimits = usdLimits(settlement.PayoutLimit{MaxOrder: units(30)})
		},
		"of the asset": func(c *settlement.Config) {
			c.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxOrder: units(30)})
		},
		"the smallest": func(c *settlement.Config) {
			c.PeerPayoutLimits.Default.MaxOrder = units(40)
			c.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxOrder: units(30)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := newWorld(t), newRail()
			cfg := manualConfig(r, at100)
			limit(&cfg)
			e := w.engine(cfg)
			w.earn(w.alice, 99)
			paid, err := e.Settle(t.Context(), w.alice)
			require.NoError(t, err)
			require.Empty(t, paid)
			w.earn(w.alice, 1)
			require.Equal(t, units(30), e.Due(w.balance(w.alice)))
			paid, err = e.Settle(t.Context(), w.alice)
			require.NoError(t, err)
			require.Equal(t, []uint64{30, 30, 20}, paidAmounts(paid))
			w.requireConserved(r)
		})
	}
}

// oneOrder is a ledger that accepts one order.
type oneOrder struct {
	ledger.Ledger
	orders int
}

func (o *oneOrder) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if rows[0].Code == chart.CodeOrder && rows[0].Flags.Has(ledger.TransferPending) {
		if o.orders++; o.orders > 1 {
			return nil, errRail
		}
	}
	return o.Ledger.CreateTransfers(ctx, rows)
}

// An engine that is restarted between a cut order and the next one waits for the policy.
func TestRestartAfterACutOrder(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	cfg := manualConfig(r, at100)
	cfg.PeerPayoutLimits.Default.MaxOrder = units(30)
	w.earn(w.alice, 100)
	first := w.engineOn(&oneOrder{Ledger: w.ledger}, cfg)
	_, err := first.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, errRail)
	require.Equal(t, units(30), r.totalPaid(w.alice))
	_ = first.Close(t.Context())

	again := w.engine(cfg)
	paid, err := again.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, paid, "70 are owed, which is below the threshold")
	w.earn(w.alice, 30)
	paid, err = again.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{30, 30, 20}, paidAmounts(paid))
	w.requireConserved(r)
}

// A refund beyond the largest order is paid in several orders.
func TestLargestOrderOfARefund(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	cfg := manualConfig(r, at100)
	cfg.PeerPayoutLimits.Default.MaxOrder = units(30)
	e := w.engine(cfg)
	w.paySettlement(w.alice, 70)
	require.NoError(t, e.Refund(t.Context(), w.alice))
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{30, 30, 10}, paidAmounts(paid))
	w.requireConserved(r)
}

// A largest order below the policy's minimum pays nothing, which is reported once.
func TestLargestOrderBelowTheMinimum(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	cfg := manualConfig(r, settlement.AtLeast{Amount: units(50), Of: settlement.Threshold{SettleThreshold: units(60)}})
	cfg.PeerPayoutLimits.Default.MaxOrder = units(30)
	var told []settlement.PayoutLimitError
	cfg.Events.PayoutLimited = func(l settlement.PayoutLimitError) { told = append(told, l) }
	e := w.engine(cfg)
	w.earn(w.alice, 100)
	for range 3 {
		_, err := e.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit)
		require.ErrorContains(t, err, "an order of peer alice on ledger 1 may be of 0.30 USD at most")
	}
	require.Len(t, told, 1)
	requireNotCalled(t, r)
}

// usdLimits are limits in our only asset.
func usdLimits(l settlement.PayoutLimit) map[accounts.Asset]settlement.PayoutLimit {
	return map[accounts.Asset]settlement.PayoutLimit{usd: l}
}

// dayLimited is a Config of a running engine with a daily limit for all payments.
func dayLimited(name string, s settlement.Settler, most uint64) settlement.Config {
	cfg := namedConfig(name, s)
	cfg.Policies.Default = payAll
	cfg.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(most)})
	return cfg
}

// The daily sum counts the payments of all engines in the last 24 hours: it cuts an order, and then stops orders until
// an amount remains. It is reported once, and a restart forgets nothing.
func TestDayLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		bob := w.peers[1]
		told := map[string]int{}
		engine := func(name string) *settlement.Engine {
			cfg := dayLimited(name, r, 100)
			cfg.Events.PayoutLimited = func(l settlement.PayoutLimitError) {
				told[name]++
				require.Equal(t, settlement.AssetLimit, l.Scope)
			}
			cfg.Events.Failed = func(err error) { require.NoError(t, err, "it is no failure") }
			return w.engine(cfg)
		}
		one := engine("one")
		w.earn(w.alice, 60)
		one.NotifyBalances(w.peers)
		sleepVirtual(time.Hour)
		require.Equal(t, units(60), r.totalPaid(w.alice))

		two := engine("two")
		w.earn(bob, 70)
		for range 100 {
			two.NotifyBalances(w.peers)
			sleepVirtual(time.Minute)
		}
		require.Equal(t, units(40), r.totalPaid(bob), "cut to what is left")
		require.Equal(t, 1, told["two"])
		_, err := two.Settle(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit)
		require.ErrorContains(t, err, "the asset may be paid 1.00 USD in 24 hours, and 1.00 USD are paid or ordered")
		_, err = two.SettleNow(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit, "also when an operator asks")
		require.NoError(t, one.Close(t.Context()))
		require.NoError(t, two.Close(t.Context()))

		clear(told)
		three := engine("one") // restarted
		three.Enqueue(w.peers)
		sleepVirtual(20 * time.Hour)
		require.Equal(t, units(40), r.totalPaid(bob), "it knows what was paid before it started")
		require.Equal(t, 1, told["one"])
		sleepVirtual(time.Hour)
		require.Equal(t, units(40), r.totalPaid(bob), "the 24 hours of the first payment are not over")
		sleepVirtual(25 * time.Minute)
		require.Equal(t, units(70), r.totalPaid(bob))
		w.earn(bob, 100)
		three.NotifyBalances(w.peers)
		sleepVirtual(2 * time.Minute)
		require.Equal(t, units(100), r.totalPaid(bob), "40 and 30 are less than a day old")
		require.Equal(t, 2, told["one"], "again, since orders fitted meanwhile")
		require.NoError(t, three.Close(t.Context()))
		w.requireConserved(r)
	})
}

// A limit counts the payments to the peer, by the rail, or of the asset; never payments of another asset, of another
// deployment on the ledger, or by hand.
func TestWhatCountsAgainstADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := embedded.New()
		w, other, r := newWorldOn(t, l, 0, "bob", "carol"), newWorldOn(t, l, 1), newRail()
		limit := settlement.PayoutLimit{MaxPerDay: units(100)}
		rails := map[string]*settlement.Rail{"bank": {Name: "bank", Settler: r}, "chain": {Name: "chain", Settler: r}}
		engine := func(change func(*settlement.Config)) *settlement.Engine {
			cfg := manualConfig(r, payAll)
			cfg.Rails = settlement.Rails{Default: rails["bank"], Peer: map[string]*settlement.Rail{"carol": rails["chain"]}}
			change(&cfg)
			return w.engine(cfg)
		}
		settle := func(e *settlement.Engine, a accounts.PeerAccount) (sum uint64) {
			paid, _ := e.Settle(t.Context(), a)
			for _, n := range paidAmounts(paid) {
				sum += n
			}
			return sum
		}
		alice, bob, carol := w.peers[0], w.peers[1], w.peers[2]
		w.earn(alice, 80)
		require.Equal(t, uint64(80), settle(engine(func(*settlement.Config) {}), alice))
		other.earn(other.alice, 500)
		_, err := other.engine(manualConfig(r, payAll)).Settle(t.Context(), other.alice)
		require.NoError(t, err)
		_, err = w.engine(settlement.Config{}).RecordOutgoing(t.Context(), settlement.OutgoingPayment{Account: alice, Key: "by hand", Amount: units(500)})
		require.NoError(t, err)

		for _, a := range w.peers {
			w.earn(a, 1000)
		}
		peer := engine(func(c *settlement.Config) { c.PeerPayoutLimits.Default = limit })
		require.Equal(t, uint64(20), settle(peer, alice), "her own")
		require.Equal(t, uint64(100), settle(peer, bob))
		require.Zero(t, settle(peer, bob))
		rail := engine(func(c *settlement.Config) {
			rails["bank"].PayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(250)})
			rails["chain"].PayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(30)})
		})
		require.Equal(t, uint64(50), settle(rail, bob), "the bank has paid 200")
		require.Equal(t, uint64(30), settle(rail, carol))
		require.Zero(t, settle(rail, carol))
		rails["bank"].PayoutLimits, rails["chain"].PayoutLimits = nil, nil
		asset := engine(func(c *settlement.Config) {
			c.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(300)})
		})
		require.Equal(t, uint64(20), settle(asset, carol), "280 were paid in all")
	})
}

// An open order counts in full at any age, and a closed one with its payment. A payment beyond an order counts, and an
// order that pays ahead counts by its rail.
func TestOpenOrdersCountAgainstADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob", "carol"), newRail()
		alice, bob, carol := w.peers[0], w.peers[1], w.peers[2]
		later := newRail()
		later.before = func(settlement.Order) error { return settlement.ErrPending }
		w.earn(alice, 60)
		holder := w.engine(manualConfig(later, payAll))
		_, err := holder.Settle(t.Context(), alice)
		require.ErrorIs(t, err, settlement.ErrPending)
		open, err := holder.Orders(t.Context())
		require.NoError(t, err)
		sleepVirtual(100 * time.Hour)

		cfg := manualConfig(r, payAll)
		cfg.Instance = "another"
		cfg.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(100)})
		cfg.Policies.Peer = map[string]settlement.Policy{"carol": settlement.Prefund{PrefundThreshold: units(1).Big(), SettleTo: units(0).Big()}}
		e := w.engine(cfg)
		w.earn(bob, 500)
		paid, err := e.Settle(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit)
		require.Equal(t, []uint64{40}, paidAmounts(paid))
		_, err = holder.Resolve(t.Context(), alice, open[0].ID, units(10))
		require.NoError(t, err)
		r.pays = func(o settlement.Order) ledger.Amount { return addAmounts(o.Amount, units(10)) }
		paid, err = e.Settle(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit)
		require.Equal(t, []uint64{60}, paidAmounts(paid), "50 were left, and 60 were paid")
		w.earn(carol, 50)
		_, err = e.Settle(t.Context(), carol)
		require.ErrorContains(t, err, "1.10 USD are paid or ordered")
		sleepVirtual(25 * time.Hour)
		paid, err = e.Settle(t.Context(), carol)
		require.NoError(t, err)
		require.Equal(t, []uint64{60}, paidAmounts(paid))
	})
}

func TestImpossibleLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wrong := settlement.PayoutLimit{MaxOrder: units(10), MaxPerDay: units(5)}
	unknown := map[accounts.Asset]settlement.PayoutLimit{{Code: "EUR", Scale: 2, Ledger: 9}: {}}
	for name, c := range map[string]struct {
		change func(*settlement.Config)
		want   error
	}{
		"of peers":         {func(c *settlement.Config) { c.PeerPayoutLimits.Default = wrong }, accounts.ErrInvalid},
		"of an asset":      {func(c *settlement.Config) { c.AssetPayoutLimits = usdLimits(wrong) }, accounts.ErrInvalid},
		"of a rail":        {func(c *settlement.Config) { c.Rails.Default.PayoutLimits = usdLimits(wrong) }, accounts.ErrInvalid},
		"an unknown asset": {func(c *settlement.Config) { c.AssetPayoutLimits = unknown }, accounts.ErrUnknownAsset},
		"a rail's unknown": {func(c *settlement.Config) { c.Rails.Default.PayoutLimits = unknown }, accounts.ErrUnknownAsset},
		"a peer's unknown": {func(c *settlement.Config) { c.PeerPayoutLimits.Asset = unknown }, accounts.ErrUnknownAsset},
		"equal is possible": {func(c *settlement.Config) {
			c.PeerPayoutLimits.Default = settlement.PayoutLimit{MaxOrder: units(5), MaxPerDay: units(5)}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := manualConfig(newRail(), payAll)
			c.change(&cfg)
			_, err := settlement.NewEngine(w.ledger, w.book, cfg)
			if c.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.want)
		})
	}
}
