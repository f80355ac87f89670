package settlement_test

import (
	"errors"
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
		require.Equal(t, units(15), r.totalPaid(w.alice), "an hour after the first packet")
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

// The time of a debt goes on while no process runs: the ledger has the timestamps.
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

// If a request for the time of a debt fails, the debt does not count as old: nothing is paid.
func TestUnknownAgeOfADebt(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	w.earn(w.alice, 10)
	for at, failed := 0, true; failed; at++ {
		failed = false
		l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
			if c.number != at {
				return noFault
			}
			failed = true
			return fault{before: errRefused}
		}}
		_, err := w.engineOn(l, manualConfig(r, settlement.Every{After: time.Hour})).Settle(t.Context(), w.alice)
		require.Equal(t, failed, errors.Is(err, errRefused), "request %d: %v", at, err)
		requireNotCalled(t, r)
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
		for range 5 { // packets of another process, without NotifyBalances here
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
