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

// timedConfig is the Config of an engine that checks all accounts every second.
func timedConfig(r settlement.Settler, p settlement.Policy) settlement.Config {
	cfg := automaticConfig(r)
	cfg.Policies.Default, cfg.SweepInterval = p, time.Second
	return cfg
}

func TestPaidAtLeastEvery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		e := w.engine(timedConfig(r, settlement.Every{After: time.Hour}))
		e.Enqueue(w.peers)
		sleepVirtual(3 * time.Hour) // nothing is owed
		w.earn(w.alice, 10)
		e.NotifyBalances(w.peers)
		sleepVirtual(time.Hour - time.Second)
		require.Zero(t, r.totalPaid(w.alice))
		w.earn(w.alice, 5)
		e.NotifyBalances(w.peers)
		sleepVirtual(3 * time.Second)
		require.Equal(t, units(15), r.totalPaid(w.alice), "an hour after the first of it")
		sleepVirtual(30 * time.Minute)
		w.earn(w.alice, 7)
		e.NotifyBalances(w.peers)
		sleepVirtual(time.Hour - time.Second)
		require.Equal(t, units(15), r.totalPaid(w.alice))
		sleepVirtual(3 * time.Second)
		require.Equal(t, units(22), r.totalPaid(w.alice))
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// The time goes on while no process runs: the ledger has the timestamps.
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
					e := w.engine(timedConfig(r, settlement.Every{After: time.Hour}))
					e.Enqueue(w.peers)
					sleepVirtual(10 * time.Minute)
					require.NoError(t, e.Close(t.Context()))
				}
				e := w.engine(timedConfig(r, settlement.Every{After: time.Hour}))
				e.Enqueue(w.peers)
				sleepVirtual(2 * time.Second)
				require.Equal(t, addAmounts(start, units(10)), r.totalPaid(w.alice))
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
		e := w.engine(timedConfig(r, settlement.Idle{After: time.Minute}))
		for range 10 {
			w.earn(w.alice, 5)
			e.NotifyBalances(w.peers)
			sleepVirtual(50 * time.Second)
			require.Zero(t, r.totalPaid(w.alice))
		}
		for range 5 { // another process's packets, which this one is not told of
			w.earn(w.alice, 5)
			sleepVirtual(50 * time.Second)
			require.Zero(t, r.totalPaid(w.alice))
		}
		sleepVirtual(12 * time.Second)
		require.Equal(t, units(75), r.totalPaid(w.alice))
		require.NoError(t, e.Close(t.Context()))

		// A restart does not count as a packet.
		w.earn(w.alice, 5)
		sleepVirtual(time.Minute)
		e = w.engine(timedConfig(r, settlement.Idle{After: time.Minute}))
		e.Enqueue(w.peers)
		sleepVirtual(2 * time.Second)
		require.Equal(t, units(80), r.totalPaid(w.alice))
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// A peer that refuses packets is paid below the threshold, but not for every packet.
func TestPeerThatRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		own, err := w.book.OwnAccount(usd)
		require.NoError(t, err)
		cfg := automaticConfig(r)
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
		sleepVirtual(100 * time.Millisecond)
		require.Equal(t, units(40), r.totalPaid(w.alice), "down to 20")
		for range 20 {
			w.earn(w.alice, 1)
			e.NotifyBalances(w.peers)
			e.NotifyRefused(w.alice)
			sleepVirtual(time.Second)
		}
		require.Equal(t, units(40), r.totalPaid(w.alice))
		sleepVirtual(41 * time.Second)
		require.Equal(t, units(60), r.totalPaid(w.alice), "a minute after the order before")
		e.NotifyRefused(w.peers[1]) // to whom we owe nothing
		sleepVirtual(time.Minute)
		w.earn(w.peers[1], 99)
		e.NotifyBalances(w.peers)
		sleepVirtual(time.Minute)
		require.Zero(t, r.totalPaid(w.peers[1]), "it pressed when nothing was owed")
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// A peer that refuses packets while an order to it is placed is paid again, OrderCooldown later: the
// order was decided on before the refusal.
func TestPeerThatRefusesDuringAnOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		l := &hookedFirstOrder{Ledger: w.ledger}
		e := w.engineOn(l, automaticConfig(r))
		l.before = func() {
			w.earn(w.alice, 30)
			e.NotifyRefused(w.alice)
		}
		w.earn(w.alice, 100)
		e.NotifyBalances(w.peers)
		sleepVirtual(100 * time.Millisecond)
		require.Equal(t, units(80), r.totalPaid(w.alice), "down to 20, and 30 were earned since")
		sleepVirtual(2 * time.Minute)
		require.Equal(t, units(110), r.totalPaid(w.alice), "the refusal asks for the rest")
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// An operator who settles while an order for the peer's refusal is placed is not forgotten: the next
// order follows at once.
func TestOperatorWhoSettlesDuringAPeersOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		l := &hookedFirstOrder{Ledger: w.ledger}
		e := w.engineOn(l, automaticConfig(r))
		byOperator := make(chan []settlement.Payment, 1)
		l.before = func() {
			w.earn(w.alice, 30)
			go func() {
				payments, err := e.SettleNow(t.Context(), w.alice)
				assertNoError(t, err)
				byOperator <- payments
			}()
			synctest.Wait() // SettleNow waits for the visit
		}
		w.earn(w.alice, 60)
		e.NotifyRefused(w.alice)
		sleepVirtual(100 * time.Millisecond)
		require.Equal(t, units(70), r.totalPaid(w.alice), "40 for the refusal, 30 for the operator")
		require.Equal(t, []uint64{30}, paidAmounts(<-byOperator))
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

// A credit by an operator is payable, but not earned by packets.
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

// However fast packets come, balances are looked up once per CheckCooldown, and the number of
// remembered accounts is bounded.
func TestRoundsAreApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		var requests atomic.Int64
		e := w.engineOn(&faultyLedger{Ledger: w.ledger, fault: func(call) fault { requests.Add(1); return noFault }}, automaticConfig(r))
		list := make([]accounts.PeerAccount, 1000)
		for i := range list {
			list[i] = w.peers[i%2]
		}
		for range 1000 {
			e.NotifyBalances(list)
			sleepVirtual(time.Millisecond)
		}
		sleepVirtual(100 * time.Millisecond)
		require.InDelta(t, 20, requests.Load(), 2, "a second's worth of rounds")
		for range 1000 { // with no time in between
			e.NotifyBalances(list)
		}
		sleepVirtual(100 * time.Millisecond)
		require.InDelta(t, 21, requests.Load(), 3)
		require.NoError(t, e.Close(t.Context()))
	})
}

// Due returns the amount that is ordered next, also before the first check of the loop.
func TestDueKnowsTheTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		cfg := manualConfig(r, settlement.Every{After: time.Hour, SettleTo: units(20)})
		cfg.Policies.Peer = map[string]settlement.Policy{"bob": settlement.Idle{After: time.Hour}}
		e := w.engine(cfg)
		w.earn(w.alice, 100)
		sleepVirtual(time.Hour + time.Second) // the packet is some nanoseconds late
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
		sleepVirtual(time.Hour)
		require.Equal(t, units(100), e.Due(w.balance(bobs[0])))
	})
}
