package settlement_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

// timed is the Config of an engine that looks at everything once a second.
func timed(r settlement.Settler, p settlement.Policy) settlement.Config {
	cfg := automatic(r)
	cfg.Policies.Default, cfg.SweepInterval = p, time.Second
	return cfg
}

func TestPaidAtLeastEvery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		e := w.engine(timed(r, settlement.Every{After: time.Hour}))
		e.Enqueue(w.peers)
		pause(3 * time.Hour) // nothing is owed
		w.earn(w.alice, 10)
		e.NotifyBalances(w.peers)
		pause(time.Hour - time.Second)
		require.Zero(t, r.totalPaid(w.alice))
		w.earn(w.alice, 5)
		e.NotifyBalances(w.peers)
		pause(3 * time.Second)
		require.Equal(t, units(15), r.totalPaid(w.alice), "an hour after the first of it")
		pause(30 * time.Minute)
		w.earn(w.alice, 7)
		e.NotifyBalances(w.peers)
		pause(time.Hour - time.Second)
		require.Equal(t, units(15), r.totalPaid(w.alice))
		pause(3 * time.Second)
		require.Equal(t, units(22), r.totalPaid(w.alice))
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// The time goes on while no process runs, as the ledger knows it.
func TestEveryOutlivesAProcess(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*world, *rail){
		"never paid before": func(*world, *rail) {},
		"paid before": func(w *world, r *rail) {
			w.earn(w.alice, 3)
			_, err := w.engine(manualConfig(r, settlement.Threshold{SettleThreshold: units(1)})).Settle(w.t.Context(), w.alice)
			require.NoError(w.t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t), newRail()
				before(w, r)
				start := r.totalPaid(w.alice)
				w.earn(w.alice, 10)
				for range 6 { // processes that live for ten minutes
					require.Equal(t, start, r.totalPaid(w.alice))
					e := w.engine(timed(r, settlement.Every{After: time.Hour}))
					e.Enqueue(w.peers)
					pause(10 * time.Minute)
					require.NoError(t, e.Close(t.Context()))
				}
				e := w.engine(timed(r, settlement.Every{After: time.Hour}))
				e.Enqueue(w.peers)
				pause(2 * time.Second)
				require.Equal(t, sum(start, units(10)), r.totalPaid(w.alice))
				require.NoError(t, e.Close(t.Context()))
				w.requireConserved(r)
			})
		})
	}
}

func TestPaidWhenIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		e := w.engine(timed(r, settlement.Idle{After: time.Minute}))
		for range 10 {
			w.earn(w.alice, 5)
			e.NotifyBalances(w.peers)
			pause(50 * time.Second)
			require.Zero(t, r.totalPaid(w.alice))
		}
		for range 5 { // another process's packets, which this one is not told of
			w.earn(w.alice, 5)
			pause(50 * time.Second)
			require.Zero(t, r.totalPaid(w.alice))
		}
		pause(12 * time.Second)
		require.Equal(t, units(75), r.totalPaid(w.alice))
		require.NoError(t, e.Close(t.Context()))

		// A restart is no packet.
		w.earn(w.alice, 5)
		pause(time.Minute)
		e = w.engine(timed(r, settlement.Idle{After: time.Minute}))
		e.Enqueue(w.peers)
		pause(2 * time.Second)
		require.Equal(t, units(80), r.totalPaid(w.alice))
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// A peer that takes no more packets is paid below the threshold, but not for every packet.
func TestPeerThatRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		own, err := w.book.OwnAccount(usd)
		require.NoError(t, err)
		cfg := automatic(r)
		cfg.Policies.Default = settlement.AtLeast{Amount: units(10), Of: at100}
		e := w.engine(cfg)
		for _, nobody := range []accounts.PeerAccount{own, {}} {
			e.NotifyRefused(nobody)
		}
		w.earn(w.alice, 60)
		e.NotifyBalances(w.peers)
		synctest.Wait()
		require.Zero(t, r.totalPaid(w.alice))
		e.NotifyRefused(w.alice)
		pause(100 * time.Millisecond)
		require.Equal(t, units(40), r.totalPaid(w.alice), "down to 20")
		for range 20 {
			w.earn(w.alice, 1)
			e.NotifyBalances(w.peers)
			e.NotifyRefused(w.alice)
			pause(time.Second)
		}
		require.Equal(t, units(40), r.totalPaid(w.alice))
		pause(41 * time.Second)
		require.Equal(t, units(60), r.totalPaid(w.alice), "a minute after the order before")
		e.NotifyRefused(w.peers[1]) // to whom we owe nothing
		pause(time.Minute)
		w.earn(w.peers[1], 99)
		e.NotifyBalances(w.peers)
		pause(time.Minute)
		require.Zero(t, r.totalPaid(w.peers[1]), "it pressed when nothing was owed")
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

func TestSettleNow(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, "bob"), newRail()
	cfg := manualConfig(r, at100)
	cfg.Policies.Peer = map[string]settlement.Policy{"bob": nil}
	e := w.engine(cfg)
	for _, a := range w.peers {
		w.earn(a, 60)
	}
	paid, err := e.SettleNow(t.Context())
	require.NoError(t, err)
	require.Empty(t, paid, "with nobody")
	paid, err = e.SettleNow(t.Context(), w.peers...)
	require.NoError(t, err)
	require.Equal(t, []uint64{40}, paidAmounts(paid), "bob has no policy")
	w.earn(w.alice, 10)
	paid, err = e.SettleNow(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{10}, paidAmounts(paid), "at once again: it is the operator who asks")
	w.earn(w.alice, 10)
	paid, err = e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, paid, "which was answered")
	w.requireConserved(r)
}

// What an operator credited is owed, but packets did not earn it.
func TestAdjustmentsAreNotPaidOut(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, "bob"), newRail()
	adjust := func(key string, n uint64) {
		_, err := w.book.Adjust(t.Context(), accounts.Adjustment{Account: w.alice, Key: key, Credit: units(n), ReasonCode: 1})
		require.NoError(t, err)
	}
	e := w.engine(manualConfig(r, at100))
	check := func() []uint64 {
		paid, err := e.Settle(t.Context(), w.peers...)
		require.NoError(t, err)
		return paidAmounts(paid)
	}
	adjust("one", 500)
	require.Empty(t, check())
	w.earn(w.alice, 99)
	require.Empty(t, check(), "the 500 count as prepaid")
	w.earn(w.alice, 1)
	require.Equal(t, []uint64{80}, check())
	adjust("two", 50)
	w.earn(w.alice, 79)
	require.Empty(t, check())
	w.earn(w.alice, 1)
	require.Equal(t, []uint64{80}, check())
	require.Equal(t, units(570), w.balance(w.alice).Payable, "550 adjusted, 20 stay owed")
	w.earn(w.peers[1], 100)
	require.Equal(t, []uint64{80}, check(), "bob's are his own")
	e = w.engine(manualConfig(r, at100))
	w.earn(w.alice, 80)
	require.Equal(t, []uint64{80}, check(), "a new engine knows them too")
	w.requireConserved(r)
}

func TestPositionAlerts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var told record
		e := w.engine(settlement.Config{
			CheckCooldown: 50 * time.Millisecond, Events: told.events(), PositionThresholds: accounts.Rules[settlement.PositionThresholds]{
				Peer: map[string]settlement.PositionThresholds{"alice": {High: units(100), Low: units(50), Margin: units(10)}},
			},
		})
		for _, c := range []struct {
			earn, spend uint64
			want        []string
		}{
			{99, 0, nil},
			{1, 0, []string{"high reached: alice on ledger 1 is at 1.00 USD, the mark is 1.00 USD"}},
			{50, 0, nil},
			{0, 60, nil}, // 90: within the margin
			{10, 0, nil},
			{0, 11, []string{"high cleared: alice on ledger 1 is at 0.89 USD, the mark is 1.00 USD"}},
			{0, 139, []string{"low reached: alice on ledger 1 is at -0.50 USD, the mark is 0.50 USD"}},
			{0, 50, nil},
			{61, 0, []string{"low cleared: alice on ledger 1 is at -0.39 USD, the mark is 0.50 USD"}},
			{139, 0, []string{"high reached: alice on ledger 1 is at 1.00 USD, the mark is 1.00 USD"}},
			{0, 200, []string{
				"high cleared: alice on ledger 1 is at -1.00 USD, the mark is 1.00 USD",
				"low reached: alice on ledger 1 is at -1.00 USD, the mark is 0.50 USD",
			}},
		} {
			if c.earn > 0 {
				w.earn(w.alice, c.earn)
			}
			if c.spend > 0 {
				w.spend(w.alice, c.spend)
			}
			e.NotifyBalances(w.peers)
			pause(100 * time.Millisecond)
			require.Equal(t, c.want, told.take(), "at %v", w.balance(w.alice).Position())
		}
		require.NoError(t, e.Close(t.Context()))
	})
}

// However fast packets come, balances are looked at once a round, and what is touched is
// remembered in a bounded way.
func TestRoundsAreApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		var requests atomic.Int64
		e := w.engineOn(&faultyLedger{Ledger: w.ledger, fault: func(call) fault { requests.Add(1); return noFault }}, automatic(r))
		list := make([]accounts.PeerAccount, 1000)
		for i := range list {
			list[i] = w.peers[i%2]
		}
		for range 1000 {
			e.NotifyBalances(list)
			pause(time.Millisecond)
		}
		pause(100 * time.Millisecond)
		require.InDelta(t, 20, requests.Load(), 2, "a second's worth of rounds")
		for range 1000 { // with no time in between
			e.NotifyBalances(list)
		}
		pause(100 * time.Millisecond)
		require.InDelta(t, 21, requests.Load(), 3)
		require.NoError(t, e.Close(t.Context()))
	})
}

// What is due is what is ordered, also before the loop has looked.
func TestDueKnowsTheTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		cfg := manualConfig(r, settlement.Every{After: time.Hour, SettleTo: units(20)})
		cfg.Policies.Peer = map[string]settlement.Policy{"bob": settlement.Idle{After: time.Hour}}
		e := w.engine(cfg)
		w.earn(w.alice, 100)
		pause(time.Hour + time.Second) // the packet is some nanoseconds late
		payments, err := e.Settle(t.Context(), w.alice)
		require.NoError(t, err)
		require.Equal(t, []uint64{80}, paidAmounts(payments))
		w.earn(w.alice, 50)
		require.Zero(t, e.Due(w.balance(w.alice)), "the payment has begun a new hour")

		bobs, err := w.book.Provision(t.Context(), accounts.PeerConfig{ID: "bob", Asset: usd})
		require.NoError(t, err)
		w.earn(bobs[0], 100)
		e.NotifyBalances(bobs)
		require.Zero(t, e.Due(w.balance(bobs[0])), "a packet was booked just now")
		pause(time.Hour)
		require.Equal(t, units(100), e.Due(w.balance(bobs[0])))
	})
}
