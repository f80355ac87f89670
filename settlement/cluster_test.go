//go:build cgo && unix

package settlement_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// Tests without virtual time, on one TigerBeetle or else on a server in this process.
func TestOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	l, worlds := c.Open(t), uint64(0)
	newWorld := func(t *testing.T, names ...string) *world {
		t.Helper()
		worlds++
		return newWorldOn(t, l, worlds, names...)
	}
	// One after another: each test requires at its end that nothing is held on the ledger.
	t.Run("engines share a ledger", func(t *testing.T) { //nolint:paralleltest // see above
		enginesShareALedger(t, newWorld(t, peersBeside...))
	})
	for name, run := range quantityTests { //nolint:paralleltest // see above
		t.Run("quantities: "+name, func(t *testing.T) { run(t, newWorld(t)) })
	}
	t.Run("quantities that are refused", func(t *testing.T) { //nolint:paralleltest // see above
		for _, c := range quantitiesRefused {
			quantityRefusedForEver(t, newWorld(t), c.before, c.amount, c.booked, c.remainder)
		}
		quantityRefusedThenWithoutAUnit(t, newWorld(t))
	})
	t.Run("find orders", func(t *testing.T) { findOrders(t, newWorld(t, "bob")) })                       //nolint:paralleltest // see above
	t.Run("find incoming payments", func(t *testing.T) { findIncoming(t, newWorld(t, "bob", "carol")) }) //nolint:paralleltest // see above
	t.Run("find by key", func(t *testing.T) { findByKey(t, newWorld(t, "bob")) })                        //nolint:paralleltest // see above
	t.Run("a crash at every step", func(t *testing.T) {                                                  //nolint:paralleltest // see above
		for _, heir := range []string{"first", "second"} {
			for step := 0; crashAt(t, newWorld(t), step, 95, heir); step++ {
				require.Less(t, step, 100)
			}
		}
	})
	t.Run("another engine at every step", func(t *testing.T) { //nolint:paralleltest // see above
		wrong := 0
		for step, met := 0, true; met; step++ {
			var paid ledger.Amount
			met, paid, _ = anotherEngineAt(t, newWorld(t), step, func(l ledger.Ledger, _ *world) ledger.Ledger { return l }, false)
			require.Equal(t, units(80), paid, "step %d", step)
			_, paid, withdrawn := anotherEngineAt(t, newWorld(t), step, balanceFirst, false)
			require.Equal(t, units(80), paid, "step %d", step)
			wrong += withdrawn
		}
		require.NotZero(t, wrong, "an engine that reads the balance first is found out")
	})
	t.Run("a crash at every step with a limit", func(t *testing.T) { //nolint:paralleltest // see above
		for step := 0; crashWithAt(t, newWorld(t), step, 95, "second", limitDay); step++ {
			require.Less(t, step, 100)
		}
	})
	t.Run("limits and pauses", func(t *testing.T) { //nolint:paralleltest // see above
		raceOnALimit(t, newWorld(t, "bob", "carol"), nil)
		manyPauses(t, newWorld(t))
		heldIsCancelled(t, newWorld(t))
	})
	t.Run("a cold start", func(t *testing.T) { //nolint:paralleltest // see above
		peers, rows := 20, 200
		if text := os.Getenv("PEERLEDGER_COLD_START"); text != "" { // "1000x4000": peers, and rows of each
			_, err := fmt.Sscanf(text, "%dx%d", &peers, &rows)
			require.NoError(t, err)
		}
		names := make([]string, peers-1)
		for i := range names {
			names[i] = fmt.Sprint("cold ", i)
		}
		coldStart(t, newWorld(t, names...), rows)
	})
	t.Run("announcements by many at once", func(t *testing.T) { //nolint:paralleltest // see above
		announcementsByMany(t, newWorld(t))
	})
	t.Run("an announcement with a crash at every step", func(t *testing.T) { //nolint:paralleltest // see above
		for _, calls := range []string{"ar", "afr", "fa"} {
			for _, closed := range []bool{false, true} {
				w := newWorld(t)
				for step := 0; announceCrashAt(t, w, calls, closed, step); step++ {
					require.Less(t, step, 100)
					w = newWorld(t)
				}
			}
		}
	})
	t.Run("vouchers received by many at once", func(t *testing.T) { //nolint:paralleltest // see above
		vouchersByMany(t, newWorld(t))
	})
}
