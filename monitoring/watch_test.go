package monitoring_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/monitoring"
	"github.com/peerledger/peerledger/settlement"
)

// pass lets virtual time pass.
func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // virtual time
	synctest.Wait()
}

func TestFiguresOfAScrape(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newConnector(t, monitoring.Config{}, settlement.Config{
		Rails: settlement.Rails{Default: railOf("chain", never)},
		Policies: settlement.Policies{
			Default: settlement.FirstOf{
				settlement.AtLeast{Amount: units(10), Of: settlement.Threshold{SettleThreshold: units(300)}}, settlement.Threshold{SettleThreshold: units(200)}, settlement.Idle{After: time.Hour},
			},
			Peer: map[string]settlement.Policy{"carol": nil},
		},
	},
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd},
		accounts.PeerConfig{ID: "carol", Asset: usd}, accounts.PeerConfig{ID: "alice", Asset: eur, CreditLine: accounts.Unlimited})
	c.peers = append(c.peers, c.peers[0]) // a duplicate, shown once
	alice, bob, carol := c.peers[0], c.peers[1], c.peers[2]
	c.forward(t, alice, bob, 250)
	c.forward(t, alice, carol, 700)
	require.NoError(t, c.book.SuspendPeer(ctx, carol))
	require.NoError(t, c.metrics.Watch(ctx, c.sources))

	for metric, want := range map[string]map[string]float64{
		"peerledger_peer_position":            {"USD,1,alice": -9.5, "USD,1,bob": 2.5, "USD,1,carol": 7, "EUR,2,alice": 0},
		"peerledger_peer_owed":                {"USD,1,alice": 0, "USD,1,bob": 2.5, "USD,1,carol": 7, "EUR,2,alice": 0},
		"peerledger_peer_due":                 {"USD,1,alice": 0, "USD,1,bob": 2.5, "USD,1,carol": 0, "EUR,2,alice": 0},
		"peerledger_peer_threshold":           {"USD,1,alice": 2, "USD,1,bob": 2, "EUR,2,alice": 200e-9},
		"peerledger_peer_credit_line":         {"USD,1,alice": 10, "USD,1,bob": 0, "USD,1,carol": 0, "EUR,2,alice": 0x1p96 / 1e9},
		"peerledger_peer_headroom":            {"USD,1,alice": .5, "USD,1,bob": 2.5, "USD,1,carol": 7, "EUR,2,alice": 0x1p96 / 1e9},
		"peerledger_peer_suspended":           {"USD,1,alice": 0, "USD,1,bob": 0, "USD,1,carol": 1, "EUR,2,alice": 0},
		"peerledger_peer_settling":            {"USD,1,alice": 0, "USD,1,bob": 0, "USD,1,carol": 0, "EUR,2,alice": 0},
		"peerledger_peers":                    {"USD,1": 3, "EUR,2": 1},
		"peerledger_peers_suspended":          {"USD,1": 1, "EUR,2": 0},
		"peerledger_peers_past_threshold":     {"USD,1": 1, "EUR,2": 0},
		"peerledger_peers_line_nearly_used":   {"USD,1": 1, "EUR,2": 0},
		"peerledger_other_peers":              {"USD,1": 0, "EUR,2": 0},
		"peerledger_orders_open":              {"USD,1": 0, "EUR,2": 0},
		"peerledger_liquidity":                {"USD,1": 0, "EUR,2": 0},
		"peerledger_recorder_backlog":         {"": 0},
		"peerledger_recorder_backlog_limit":   {"": 65536},
		"peerledger_recorder_backlog_full":    {"": 0},
		"peerledger_scrape_errors_total":      {"balances": 0, "orders": 0, "liquidity": 0, "suspense": 0, "remainder": 0},
		"peerledger_orders":                   {},
		"peerledger_cluster_sessions":         {},
		"peerledger_cluster_reopenings_total": {},
	} {
		require.Equal(t, want, c.values(t, metric), metric)
	}
}

// A scrape reads no payments: the prepayment is an upper bound until the process has read the payments.
// Arrears are in the look-up of balances.
func TestArrearsAndPrepayments(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := newConnector(t, monitoring.Config{Interval: time.Nanosecond, Top: 1}, settlement.Config{},
		accounts.PeerConfig{ID: "alice", Asset: usd}, accounts.PeerConfig{ID: "bob", Asset: usd, CreditLine: units(100)})
	alice, bob := c.peers[0], c.peers[1]
	_, err := c.engine.RecordIncoming(ctx, settlement.IncomingPayment{Account: alice, Key: "1", Amount: units(500)})
	require.NoError(t, err)
	c.forward(t, bob, alice, 50)
	c.forward(t, alice, bob, 200)
	own, known := c.book.AssetIDs(usd.Ledger)
	require.True(t, known)
	owed := ledger.Transfer{
		ID: ledger.NewID(1, 1), DebitAccountID: c.book.PeerIDs(bob).Arrears, CreditAccountID: own.Suspense,
		Amount: units(30), Ledger: usd.Ledger, Code: 31,
	}
	results, err := c.ledger.CreateTransfers(ctx, []ledger.Transfer{owed})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)

	for name, peer := range map[string]accounts.PeerAccount{"alice": alice, "bob": bob} {
		_, err = c.engine.Announce(ctx, settlement.IncomingPayment{Account: peer, Key: name, Amount: units(150)})
		require.NoError(t, err)
	}
	book, err := accounts.NewBook(c.ledger, accounts.Config{Assets: []accounts.Asset{usd, eur}})
	require.NoError(t, err)
	c.sources.Book = book // has read no payments yet
	require.NoError(t, c.metrics.Watch(ctx, c.sources))
	c.ledger.noRows.Store(true)
	require.Equal(t, map[string]float64{"USD,1": 3, "EUR,2": 0}, c.values(t, "peerledger_announced"))
	require.Equal(t, map[string]float64{"USD,1,alice": 1.5}, c.values(t, "peerledger_peer_announced"))
	require.Equal(t, map[string]float64{"USD,1": 1, "EUR,2": 0}, c.values(t, "peerledger_peers_in_arrears"))
	require.Equal(t, map[string]float64{"USD,1": .3, "EUR,2": 0}, c.values(t, "peerledger_arrears"))
	require.Equal(t, map[string]float64{"USD,1,alice": 0}, c.values(t, "peerledger_peer_arrears"))
	require.Equal(t, map[string]float64{"USD,1,alice": 3.5}, c.values(t, "peerledger_peer_prepaid"), "upper bound: the whole payable")
	require.Equal(t, map[string]float64{"USD,1,alice": 0}, c.values(t, "peerledger_peer_owed"), "lower bound")

	c.ledger.noRows.Store(false)
	exact, err := book.Balance(ctx, alice)
	require.NoError(t, err)
	require.Equal(t, units(300), exact.Prepaid)
	c.ledger.noRows.Store(true)
	require.Equal(t, map[string]float64{"USD,1,alice": 3}, c.values(t, "peerledger_peer_prepaid"))
	require.Equal(t, map[string]float64{"USD,1,alice": .5}, c.values(t, "peerledger_peer_owed"))
	require.InDelta(t, 3, c.values(t, "peerledger_prepaid")["USD,1"], 1e-9)
	require.Equal(t, map[string]float64{"balances": 0, "orders": 0, "liquidity": 0, "suspense": 0, "remainder": 0}, c.values(t, "peerledger_scrape_errors_total"))
	c.ledger.noRows.Store(false)
}

// The money in suspense for closed peers is shown by peer: for the peers of Config.Peers, and for the
// peers with the largest amounts among the rest.
func TestSuspenseOfPeers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	names := []string{"alice", "bob", "carol", "dave"}
	var peers []accounts.PeerConfig
	for _, name := range names {
		peers = append(peers, accounts.PeerConfig{ID: name, Asset: usd})
	}
	c := newConnector(t, monitoring.Config{Interval: time.Nanosecond, Top: 1, Peers: []string{"alice"}}, settlement.Config{}, peers...)
	receive := func(account accounts.PeerAccount, key string, amount uint64) {
		receipt, err := c.engine.RecordIncoming(ctx, settlement.IncomingPayment{Account: account, Key: key, Amount: units(amount)})
		require.NoError(t, err)
		require.True(t, receipt.InSuspense)
	}
	for i, amount := range []uint64{5, 100, 700} {
		err := c.book.ClosePeer(ctx, c.peers[i])
		require.NoError(t, err)
		receive(c.peers[i], "1", amount)
	}
	require.NoError(t, c.metrics.Watch(ctx, c.sources))
	require.Equal(t, map[string]float64{"USD,1,alice": .05, "USD,1,carol": 7}, c.values(t, "peerledger_peer_suspense"))
	require.Equal(t, map[string]float64{"USD,1": 8.05, "EUR,2": 0}, c.values(t, "peerledger_suspense_waiting"))

	require.NoError(t, c.book.ReopenPeer(ctx, c.peers[2]))
	_, err := c.engine.Release(ctx, c.peers[2])
	require.NoError(t, err)
	require.Equal(t, map[string]float64{"USD,1,alice": .05, "USD,1,bob": 1}, c.values(t, "peerledger_peer_suspense"))

	// After a failed read the figures in suspense are absent, and all other figures are shown.
	receive(c.peers[1], "2", 3)
	c.ledger.noOwn.Store(true)
	require.Empty(t, c.values(t, "peerledger_peer_suspense"))
	require.Empty(t, c.values(t, "peerledger_suspense_waiting"))
	require.InDelta(t, 4, c.values(t, "peerledger_peers")["USD,1"], 0)
	require.Equal(t, map[string]float64{"balances": 0, "orders": 0, "liquidity": 0, "suspense": 4, "remainder": 0}, c.values(t, "peerledger_scrape_errors_total"))
	c.ledger.noOwn.Store(false)
	require.InDelta(t, 1.08, c.values(t, "peerledger_suspense_waiting")["USD,1"], 1e-9)
}

// Open orders are counted by owner, and by state: open or stuck.
func TestOrdersByStateAndAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := settlement.Config{
			Rails: settlement.Rails{Default: railOf("chain", never)}, StuckAfter: time.Minute,
			Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: units(100)}},
		}
		c := newConnector(t, monitoring.Config{}, cfg,
			accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd}, accounts.PeerConfig{ID: "carol", Asset: usd})
		ctx := t.Context()
		require.NoError(t, c.metrics.Watch(ctx, c.sources))
		c.forward(t, c.peers[0], c.peers[1], 250)
		_, err := c.engine.Settle(ctx, c.peers...)
		require.Error(t, err)
		other := cfg
		other.Instance, other.Manual = "another", true
		engine, err := settlement.NewEngine(c.ledger, c.book, other)
		require.NoError(t, err)
		pass(30 * time.Second)
		c.forward(t, c.peers[0], c.peers[2], 150)
		_, err = engine.Settle(ctx, c.peers[2])
		require.Error(t, err)

		require.Equal(t, map[string]float64{"USD,1,mine,chain,open": 1, "USD,1,other,chain,open": 1}, c.values(t, "peerledger_orders"))
		require.InDelta(t, 30, c.values(t, "peerledger_orders_oldest_age_seconds")["USD,1"], 1)
		require.Equal(t, map[string]float64{"USD,1": 2, "EUR,2": 0}, c.values(t, "peerledger_orders_open"))
		require.Equal(t, map[string]float64{"USD,1": 4, "EUR,2": 0}, c.values(t, "peerledger_orders_open_amount"))
		require.Zero(t, c.values(t, "peerledger_peers_past_threshold")["USD,1"], "each peer has an open order")
		pass(40 * time.Second)
		require.Equal(t, map[string]float64{"USD,1,mine,chain,stuck": 1, "USD,1,other,chain,open": 1}, c.values(t, "peerledger_orders"))
		require.ErrorIs(t, engine.Close(ctx), settlement.ErrOrdersOpen)
	})
}

// An order that waits for approval is held, however old, and never stuck.
func TestHeldOrders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		c := newConnector(t, monitoring.Config{Interval: time.Second}, settlement.Config{
			StuckAfter: time.Minute, RetryInitialInterval: time.Hour, RetryMaxInterval: time.Hour,
			Rails:            settlement.Rails{Default: railOf("chain", never)},
			Policies:         settlement.Policies{Default: settlement.Threshold{SettleThreshold: units(100)}},
			PeerPayoutLimits: accounts.Rules[settlement.PayoutLimit]{Default: settlement.PayoutLimit{ApproveAbove: units(100)}},
		}, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
		bob := c.peers[1]
		c.forward(t, c.peers[0], bob, 200)
		_, err := c.engine.Settle(ctx, bob)
		require.ErrorIs(t, err, settlement.ErrAwaitsApproval)
		pass(2 * time.Minute)
		require.NoError(t, c.metrics.Watch(ctx, c.sources))
		require.Equal(t, map[string]float64{"USD,1,mine,chain,held": 1}, c.values(t, "peerledger_orders"))

		open, err := c.engine.Orders(ctx, bob)
		require.NoError(t, err)
		_, err = c.engine.Approve(ctx, bob, open[0].ID)
		require.NoError(t, err)
		require.NoError(t, c.metrics.Watch(ctx, c.sources)) // reads anew at once
		require.Equal(t, map[string]float64{"USD,1,mine,chain,stuck": 1}, c.values(t, "peerledger_orders"))
	})
}

// At most Config.MaxOrders orders are read; all open orders are counted.
func TestOrdersAreBounded(t *testing.T) {
	t.Parallel()
	peers := []accounts.PeerConfig{{ID: "alice", Asset: usd, CreditLine: units(100_000)}}
	for i := range 9 {
		peers = append(peers, accounts.PeerConfig{ID: fmt.Sprint("peer ", i), Asset: usd})
	}
	c := newConnector(t, monitoring.Config{MaxOrders: 4}, settlement.Config{
		Rails:    settlement.Rails{Default: &settlement.Rail{Name: "chain", Settler: settlement.SettlerFunc(never)}},
		Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: units(100)}},
	}, peers...)
	for _, p := range c.peers[1:] {
		c.forward(t, c.peers[0], p, 150)
	}
	_, err := c.engine.Settle(t.Context(), c.peers...)
	require.Error(t, err)
	require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
	require.InDelta(t, 9, c.values(t, "peerledger_orders_open")["USD,1"], 0)
	require.Equal(t, map[string]float64{"USD,1,mine,chain,open": 4}, c.values(t, "peerledger_orders"))

	// If the orders cannot be read, they are still counted, from the balances.
	c.ledger.noRows.Store(true)
	require.NoError(t, c.metrics.Watch(t.Context(), c.sources)) // reads anew at once
	require.InDelta(t, 9, c.values(t, "peerledger_orders_open")["USD,1"], 0)
	require.Empty(t, c.values(t, "peerledger_orders"))
	require.Empty(t, c.values(t, "peerledger_orders_oldest_age_seconds"))
	require.Equal(t, map[string]float64{"balances": 0, "orders": 1, "liquidity": 0, "suspense": 0, "remainder": 0}, c.values(t, "peerledger_scrape_errors_total"))
	c.ledger.noRows.Store(false)
}

// However many servers scrape, and however often, the ledger is read once in an interval.
func TestLedgerIsAskedOncePerInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConnector(t, monitoring.Config{Interval: 10 * time.Second}, settlement.Config{}, accounts.PeerConfig{ID: "alice", Asset: usd})
		require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
		before := c.ledger.lookups.Load()
		scrape := func() {
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() {
					if _, err := c.registry.Gather(); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		scrape()
		once := c.ledger.lookups.Load() - before
		require.Equal(t, int64(2), once, "our positions, and the balances")
		pass(9 * time.Second)
		scrape()
		require.Equal(t, once, c.ledger.lookups.Load()-before)
		pass(time.Second)
		scrape()
		require.Equal(t, 2*once, c.ledger.lookups.Load()-before)
		require.Equal(t, map[string]float64{"": 2}, c.values(t, "peerledger_scrape_reads_total"))
	})
}

// The figures of a failed read are absent, and the failure is counted once in an interval. Figures that
// need no read are shown.
func TestFailedReadsAreAbsent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var failed []error
		c := newConnector(t, monitoring.Config{ReadFailed: func(err error) { failed = append(failed, err) }},
			settlement.Config{}, accounts.PeerConfig{ID: "alice", Asset: usd})
		require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
		require.Len(t, c.values(t, "peerledger_peer_position"), 1)
		c.ledger.setAway(true)
		require.Len(t, c.values(t, "peerledger_peer_position"), 1, "the ledger is not read again yet")
		pass(5 * time.Second)
		for range 3 {
			require.Equal(t, map[string]float64{"balances": 1, "orders": 0, "liquidity": 1, "suspense": 0, "remainder": 0}, c.values(t, "peerledger_scrape_errors_total"))
			for _, metric := range []string{"peerledger_peer_position", "peerledger_peers", "peerledger_liquidity", "peerledger_orders_open"} {
				require.Empty(t, c.values(t, metric), metric)
			}
			require.Len(t, c.values(t, "peerledger_recorder_backlog"), 1)
		}
		require.Len(t, failed, 2)
		var read *monitoring.ReadError
		require.ErrorAs(t, errors.Join(failed...), &read)
		require.ErrorIs(t, read, errAway)
		require.ErrorContains(t, read, "monitoring: read liquidity: ")
		c.ledger.setAway(false)
		pass(5 * time.Second)
		require.Len(t, c.values(t, "peerledger_peer_position"), 1)
		require.Equal(t, map[string]float64{"balances": 1, "orders": 0, "liquidity": 1, "suspense": 0, "remainder": 0}, c.values(t, "peerledger_scrape_errors_total"))
	})
}

// A read of the ledger ends at Config.Timeout, and when the context of Watch ends. After the end of the
// context nothing is read.
func TestScrapeHasADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newConnector(t, monitoring.Config{Timeout: 2 * time.Second}, settlement.Config{}, accounts.PeerConfig{ID: "alice", Asset: usd})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		require.NoError(t, c.metrics.Watch(ctx, c.sources))
		c.ledger.hang.Store(true)
		began := time.Now()
		require.Empty(t, c.values(t, "peerledger_peers"))
		require.Equal(t, 2*time.Second, time.Since(began))
		require.Equal(t, map[string]float64{"balances": 1, "orders": 0, "liquidity": 1, "suspense": 0, "remainder": 0}, c.values(t, "peerledger_scrape_errors_total"))

		pass(5 * time.Second)
		began = time.Now()
		time.AfterFunc(time.Second, cancel)
		require.Empty(t, c.values(t, "peerledger_peers"))
		require.Equal(t, time.Second, time.Since(began))
		asked := c.ledger.lookups.Load()
		pass(time.Minute)
		require.Empty(t, c.values(t, "peerledger_recorder_backlog"))
		// The recorder's refreshes go on meanwhile, but look up no accounts: no peer has a cap.
		require.Equal(t, asked, c.ledger.lookups.Load())
	})
}

// For random positions, a bounded number of peers has series, and the sums of the other peers complete
// the total.
func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 3))
	for range 5 {
		n := 2 + random.IntN(30)
		var list []accounts.PeerConfig
		for i := range n {
			list = append(list, accounts.PeerConfig{ID: fmt.Sprint("peer ", i), Asset: usd, CreditLine: units(1_000_000)})
		}
		cfg := monitoring.Config{Top: 1 + random.IntN(8), Peers: []string{"peer 1", "nobody"}}
		c := newConnector(t, cfg, settlement.Config{}, list...)
		for range 40 {
			from, to := random.IntN(n), random.IntN(n)
			if from != to {
				c.forward(t, c.peers[from], c.peers[to], 1+random.Uint64N(1000))
			}
		}
		require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
		shown := c.values(t, "peerledger_peer_position")
		require.Contains(t, shown, "USD,1,peer 1")
		require.Len(t, shown, min(n, 1+cfg.Top))
		smallest, sum := -1., 0.
		for name, position := range shown {
			sum += position
			if size := max(position, -position); name != "USD,1,peer 1" && (smallest < 0 || size < smallest) {
				smallest = size
			}
		}
		sum += c.values(t, "peerledger_other_peers_payable")["USD,1"] - c.values(t, "peerledger_other_peers_receivable")["USD,1"]
		require.InDelta(t, 0, sum, 1e-6, "all positions sum up to 0")
		require.InDelta(t, n, float64(len(shown))+c.values(t, "peerledger_other_peers")["USD,1"], 0)
		for i, a := range c.peers {
			b, err := c.book.Balance(t.Context(), a)
			require.NoError(t, err)
			if _, hasSeries := shown[fmt.Sprint("USD,1,peer ", i)]; !hasSeries {
				require.LessOrEqual(t, float64(max(b.Payable.Lo, b.Receivable.Lo))/100, smallest)
			}
		}
	}
}

// A peer with an operator's credit alone is not past its threshold: no order is due.
func TestAdjustmentIsNotPastTheThreshold(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{Interval: time.Nanosecond}, settlement.Config{
		Rails:    settlement.Rails{Default: railOf("chain", whole)},
		Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: units(100)}},
	}, accounts.PeerConfig{ID: "alice", Asset: usd})
	_, err := c.book.Adjust(t.Context(), accounts.Adjustment{Account: c.peers[0], Key: "1", Credit: units(500), ReasonCode: 1})
	require.NoError(t, err)
	paid, err := c.engine.Settle(t.Context(), c.peers...) // reads the adjustments
	require.NoError(t, err)
	require.Empty(t, paid)
	require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
	require.Equal(t, map[string]float64{"USD,1,alice": 5}, c.values(t, "peerledger_peer_position"))
	require.Equal(t, map[string]float64{"USD,1,alice": 0}, c.values(t, "peerledger_peer_owed"))
	require.Zero(t, c.values(t, "peerledger_peers_past_threshold")["USD,1"])
}

// A float shows a 96-bit amount with its first 15 digits.
func TestLargeAmounts(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{}, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: accounts.Unlimited})
	huge, err := ledger.ParseAmount("79228162514264337593543950335") // 2^96-1
	require.NoError(t, err)
	_, err = c.engine.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: c.peers[0], Key: "1", Amount: huge})
	require.NoError(t, err)
	require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
	require.InEpsilon(t, 792281625142643375935439503.35, c.values(t, "peerledger_peer_position")["USD,1,alice"], 1e-15)
}
