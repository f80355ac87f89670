package settlement_test

import (
	"context"
	"fmt"
	"sync"
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

// all pays whatever is owed.
var all = settlement.Threshold{SettleThreshold: units(1)}

// The largest order cuts an order, and the rest of what was due follows at once, although it is
// below the threshold by then.
func TestLargestOrder(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(*settlement.Config){
		"of the peer": func(c *settlement.Config) { c.PeerPayoutLimits.Default.Order = units(30) },
		"of the rail": func(c *settlement.Config) {
			c.Rails.Default.PayoutLimits = dollars(settlement.PayoutLimit{Order: units(30)})
		},
		"of the asset": func(c *settlement.Config) { c.AssetPayoutLimits = dollars(settlement.PayoutLimit{Order: units(30)}) },
		"the smallest": func(c *settlement.Config) {
			c.PeerPayoutLimits.Default.Order = units(40)
			c.AssetPayoutLimits = dollars(settlement.PayoutLimit{Order: units(30)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r := newWorld(t), newRail()
			cfg := manual(r, at100)
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
			require.Equal(t, []uint64{30, 30, 20}, amounts(paid))
			w.conserved(r)
		})
	}
}

// oneOrder is a ledger that takes one order.
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

// An engine that is started again between a cut order and the next one waits for the policy.
func TestRestartAfterACutOrder(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	cfg := manual(r, at100)
	cfg.PeerPayoutLimits.Default.Order = units(30)
	w.earn(w.alice, 100)
	first := w.engineOn(&oneOrder{Ledger: w.ledger}, cfg)
	_, err := first.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, errRail)
	require.Equal(t, units(30), r.total(w.alice))
	_ = first.Close(t.Context())

	again := w.engine(cfg)
	paid, err := again.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, paid, "70 are owed, which is below the threshold")
	w.earn(w.alice, 30)
	paid, err = again.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{30, 30, 20}, amounts(paid))
	w.conserved(r)
}

// A refund that is larger than the largest order is paid in several, all of it.
func TestLargestOrderOfARefund(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	cfg := manual(r, at100)
	cfg.PeerPayoutLimits.Default.Order = units(30)
	e := w.engine(cfg)
	w.pay(w.alice, 70)
	require.NoError(t, e.Refund(t.Context(), w.alice))
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{30, 30, 10}, amounts(paid))
	w.conserved(r)
}

// A largest order below the policy's minimum pays nothing, and that is told once.
func TestLargestOrderBelowTheMinimum(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	cfg := manual(r, settlement.AtLeast{Amount: units(50), Of: settlement.Threshold{SettleThreshold: units(60)}})
	cfg.PeerPayoutLimits.Default.Order = units(30)
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

// dollars are limits in our only asset.
func dollars(l settlement.PayoutLimit) map[accounts.Asset]settlement.PayoutLimit {
	return map[accounts.Asset]settlement.PayoutLimit{usd: l}
}

// bounded is a Config of an engine that runs, with a limit of a day for all payments.
func bounded(name string, s settlement.Settler, most uint64) settlement.Config {
	cfg := named(name, s)
	cfg.Policies.Default = all
	cfg.AssetPayoutLimits = dollars(settlement.PayoutLimit{Day: units(most)})
	return cfg
}

// The sum of a day counts the payments of all engines in the last 24 hours: it cuts an order, and
// then stops orders until there is room. It is told once, and a restart forgets nothing.
func TestDayLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		bob := w.peers[1]
		told := map[string]int{}
		engine := func(name string) *settlement.Engine {
			cfg := bounded(name, r, 100)
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
		pause(time.Hour)
		require.Equal(t, units(60), r.total(w.alice))

		two := engine("two")
		w.earn(bob, 70)
		for range 100 {
			two.NotifyBalances(w.peers)
			pause(time.Minute)
		}
		require.Equal(t, units(40), r.total(bob), "cut to what is left")
		require.Equal(t, 1, told["two"])
		_, err := two.Settle(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit)
		require.ErrorContains(t, err, "the asset may be paid 1.00 USD in 24 hours, and 1.00 USD are paid or ordered")
		_, err = two.SettleNow(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit, "also when an operator asks")
		require.NoError(t, one.Close(t.Context()))
		require.NoError(t, two.Close(t.Context()))

		clear(told)
		three := engine("one") // started again
		three.Enqueue(w.peers)
		pause(20 * time.Hour)
		require.Equal(t, units(40), r.total(bob), "it knows what was paid before it started")
		require.Equal(t, 1, told["one"])
		pause(time.Hour)
		require.Equal(t, units(40), r.total(bob), "the 24 hours of the first payment are not over")
		pause(25 * time.Minute)
		require.Equal(t, units(70), r.total(bob))
		w.earn(bob, 100)
		three.NotifyBalances(w.peers)
		pause(2 * time.Minute)
		require.Equal(t, units(100), r.total(bob), "40 and 30 are less than a day old")
		require.Equal(t, 2, told["one"], "again, since orders fitted meanwhile")
		require.NoError(t, three.Close(t.Context()))
		w.conserved(r)
	})
}

// Whose payments count against a limit: those of the peer, of the rail, or all of the asset; not
// those of another asset, of another deployment on the ledger, or by hand.
func TestWhatCountsAgainstADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := embedded.New()
		w, other, r := newWorldOn(t, l, 0, "bob", "carol"), newWorldOn(t, l, 1), newRail()
		limit := settlement.PayoutLimit{Day: units(100)}
		rails := map[string]*settlement.Rail{"bank": {Name: "bank", Settler: r}, "chain": {Name: "chain", Settler: r}}
		engine := func(change func(*settlement.Config)) *settlement.Engine {
			cfg := manual(r, all)
			cfg.Rails = settlement.Rails{Default: rails["bank"], Peer: map[string]*settlement.Rail{"carol": rails["chain"]}}
			change(&cfg)
			return w.engine(cfg)
		}
		settle := func(e *settlement.Engine, a accounts.PeerAccount) (sum uint64) {
			paid, _ := e.Settle(t.Context(), a)
			for _, n := range amounts(paid) {
				sum += n
			}
			return sum
		}
		alice, bob, carol := w.peers[0], w.peers[1], w.peers[2]
		w.earn(alice, 80)
		require.Equal(t, uint64(80), settle(engine(func(*settlement.Config) {}), alice))
		other.earn(other.alice, 500)
		_, err := other.engine(manual(r, all)).Settle(t.Context(), other.alice)
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
			rails["bank"].PayoutLimits = dollars(settlement.PayoutLimit{Day: units(250)})
			rails["chain"].PayoutLimits = dollars(settlement.PayoutLimit{Day: units(30)})
		})
		require.Equal(t, uint64(50), settle(rail, bob), "the bank has paid 200")
		require.Equal(t, uint64(30), settle(rail, carol))
		require.Zero(t, settle(rail, carol))
		rails["bank"].PayoutLimits, rails["chain"].PayoutLimits = nil, nil
		asset := engine(func(c *settlement.Config) { c.AssetPayoutLimits = dollars(settlement.PayoutLimit{Day: units(300)}) })
		require.Equal(t, uint64(20), settle(asset, carol), "280 were paid in all")
	})
}

// An open order counts in full, however old it is, and then with what was paid for it; what a rail
// paid beyond an order counts, and so does an order that pays ahead, by its rail.
func TestOpenOrdersCountAgainstADay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob", "carol"), newRail()
		alice, bob, carol := w.peers[0], w.peers[1], w.peers[2]
		later := newRail()
		later.before = func(settlement.Order) error { return settlement.ErrPending }
		w.earn(alice, 60)
		holder := w.engine(manual(later, all))
		_, err := holder.Settle(t.Context(), alice)
		require.ErrorIs(t, err, settlement.ErrPending)
		open, err := holder.Orders(t.Context())
		require.NoError(t, err)
		pause(100 * time.Hour)

		cfg := manual(r, all)
		cfg.Instance = "another"
		cfg.AssetPayoutLimits = dollars(settlement.PayoutLimit{Day: units(100)})
		cfg.Policies.Peer = map[string]settlement.Policy{"carol": settlement.Prefund{PrefundThreshold: units(1).Big(), SettleTo: units(0).Big()}}
		e := w.engine(cfg)
		w.earn(bob, 500)
		paid, err := e.Settle(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit)
		require.Equal(t, []uint64{40}, amounts(paid))
		_, err = holder.Resolve(t.Context(), alice, open[0].ID, units(10))
		require.NoError(t, err)
		r.pays = func(o settlement.Order) ledger.Amount { return sum(o.Amount, units(10)) }
		paid, err = e.Settle(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit)
		require.Equal(t, []uint64{60}, amounts(paid), "50 were left, and 60 were paid")
		w.earn(carol, 50)
		_, err = e.Settle(t.Context(), carol)
		require.ErrorContains(t, err, "1.10 USD are paid or ordered")
		pause(25 * time.Hour)
		paid, err = e.Settle(t.Context(), carol)
		require.NoError(t, err)
		require.Equal(t, []uint64{60}, amounts(paid))
	})
}

// meeting is a ledger on which so many orders that are to be placed wait for one another, so that
// all were decided on before the first is there.
type meeting struct {
	ledger.Ledger
	all sync.WaitGroup
}

func (m *meeting) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if rows[0].Code == chart.CodeOrder && rows[0].Flags.Has(ledger.TransferPending) {
		m.all.Done()
		m.all.Wait()
	}
	return m.Ledger.CreateTransfers(ctx, rows)
}

// Engines that decide at the same moment, each within the limit, do not exceed it together: the
// order that is placed later is given back, and no rail is asked for it.
func TestEnginesInARaceOnALimit(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{"orders are paid at once": nil, "orders stay open": settlement.ErrPending} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { raceOnALimit(t, newWorld(t, "bob", "carol"), answer) })
		})
	}
}

func raceOnALimit(t *testing.T, w *world, answer error) {
	t.Helper()
	r := newRail()
	var mu sync.Mutex
	var refused []error
	var given []time.Time
	var back time.Time
	r.before = func(o settlement.Order) error {
		mu.Lock()
		defer mu.Unlock()
		given = append(given, o.PlacedAt)
		return answer
	}
	m := &meeting{Ledger: w.ledger}
	m.all.Add(len(w.peers))
	var visits sync.WaitGroup
	for i, a := range w.peers {
		w.earn(a, 50)
		cfg := manual(r, all)
		cfg.Instance = fmt.Sprint("engine ", i)
		cfg.AssetPayoutLimits = dollars(settlement.PayoutLimit{Day: units(100)})
		cfg.Events.Voided = func(o settlement.Order, why error) {
			mu.Lock()
			defer mu.Unlock()
			refused, back = append(refused, why), o.PlacedAt
		}
		e := w.engineOn(m, cfg)
		visits.Go(func() { _, _ = e.Settle(t.Context(), a) })
	}
	visits.Wait()
	_, called := r.keys()
	require.Equal(t, 2, called)
	require.Len(t, refused, 1)
	require.ErrorIs(t, refused[0], settlement.ErrPayoutLimit)
	for _, placed := range given {
		require.True(t, placed.Before(back), "the later one is given back")
	}
	if answer == nil {
		w.conserved(r)
	}
}

// A crash between the order and its check leaves the check to whoever has the order next, also
// when that one has no limits.
func TestCrashBeforeTheCheckOfALimit(t *testing.T) {
	t.Parallel()
	// An engine without limits pays what the one that placed the order was about to give back.
	allowed := map[bool][]ledger.Amount{true: {units(60), units(100)}, false: {units(60), units(100), units(120)}}
	for _, limited := range []bool{true, false} {
		t.Run(fmt.Sprint("the heir has limits: ", limited), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t, "bob"), newRail()
				bob := w.peers[1]
				m := &meeting{Ledger: w.ledger}
				m.all.Add(2)
				crash := &stopsAfterOrder{Ledger: m}
				w.earn(w.alice, 60)
				w.earn(bob, 60)
				cfg := manual(r, all)
				cfg.AssetPayoutLimits = dollars(settlement.PayoutLimit{Day: units(100)})
				cfg.Instance = "crashes"
				first := w.engineOn(crash, cfg)
				cfg.Instance = "goes on"
				second := w.engineOn(m, cfg)
				var visits sync.WaitGroup
				visits.Go(func() { _, _ = second.Settle(t.Context(), bob) })
				visits.Go(func() { _, _ = first.Settle(t.Context(), w.alice) })
				visits.Wait()
				pause(2 * time.Minute)
				heir := manual(r, all)
				heir.Instance = "heir"
				if limited {
					heir.AssetPayoutLimits = cfg.AssetPayoutLimits
				}
				_, _ = w.engine(heir).Settle(t.Context(), w.alice, bob)
				paid := sum(r.total(w.alice), r.total(bob))
				require.Contains(t, allowed[limited], paid)
				w.conserved(r)
			})
		})
	}
}

// stopsAfterOrder is a ledger that answers nothing any more once an order was placed.
type stopsAfterOrder struct {
	ledger.Ledger
	stopped bool
}

func (s *stopsAfterOrder) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if s.stopped {
		return nil, errRail
	}
	s.stopped = rows[0].Code == chart.CodeOrder
	return s.Ledger.CreateTransfers(ctx, rows)
}

func (s *stopsAfterOrder) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	if s.stopped {
		return nil, errRail
	}
	return s.Ledger.LookupTransfers(ctx, ids)
}

func TestImpossibleLimits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	wrong := settlement.PayoutLimit{Order: units(10), Day: units(5)}
	unknown := map[accounts.Asset]settlement.PayoutLimit{{Code: "EUR", Scale: 2, Ledger: 9}: {}}
	for name, c := range map[string]struct {
		change func(*settlement.Config)
		want   error
	}{
		"of peers":         {func(c *settlement.Config) { c.PeerPayoutLimits.Default = wrong }, accounts.ErrInvalid},
		"of an asset":      {func(c *settlement.Config) { c.AssetPayoutLimits = dollars(wrong) }, accounts.ErrInvalid},
		"of a rail":        {func(c *settlement.Config) { c.Rails.Default.PayoutLimits = dollars(wrong) }, accounts.ErrInvalid},
		"an unknown asset": {func(c *settlement.Config) { c.AssetPayoutLimits = unknown }, accounts.ErrUnknownAsset},
		"a rail's unknown": {func(c *settlement.Config) { c.Rails.Default.PayoutLimits = unknown }, accounts.ErrUnknownAsset},
		"a peer's unknown": {func(c *settlement.Config) { c.PeerPayoutLimits.Asset = unknown }, accounts.ErrUnknownAsset},
		"equal is possible": {func(c *settlement.Config) {
			c.PeerPayoutLimits.Default = settlement.PayoutLimit{Order: units(5), Day: units(5)}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := manual(newRail(), all)
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

// beforeAccounts is a ledger on which something happens before accounts are queried.
type beforeAccounts struct {
	ledger.Ledger
	do func()
}

func (b *beforeAccounts) QueryAccounts(ctx context.Context, f ledger.QueryFilter) ([]ledger.Account, error) {
	b.do()
	return b.Ledger.QueryAccounts(ctx, f)
}

// An old order that is closed while an engine adds up for the first time counts.
func TestOldOrderIsClosedDuringTheFirstSum(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		bob := w.peers[1]
		later := newRail()
		later.before = func(settlement.Order) error { return settlement.ErrPending }
		w.earn(w.alice, 60)
		holder := w.engine(manual(later, all))
		_, err := holder.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrPending)
		open, err := holder.Orders(t.Context())
		require.NoError(t, err)
		pause(100 * time.Hour)
		l := &beforeAccounts{Ledger: w.ledger, do: func() {
			_, err := holder.Resolve(t.Context(), w.alice, open[0].ID, units(60))
			assertNoError(t, err)
		}}
		w.earn(bob, 500)
		cfg := manual(r, all)
		cfg.Instance = "another"
		cfg.AssetPayoutLimits = dollars(settlement.PayoutLimit{Day: units(100)})
		paid, err := w.engineOn(l, cfg).Settle(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit)
		require.Equal(t, []uint64{40}, amounts(paid))
	})
}
