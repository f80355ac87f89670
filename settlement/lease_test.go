package settlement_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/settlement"
)

// An order that has gone from engine to engine is kept by the one that took it over last, as by
// the first one: it renews its own claims, whatever the number of the newest was.
func TestClaimsAreRenewedAfterTakeovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.earn(w.alice, 100)
		owner := w.engine(namedConfig("owner", brokenSettler))
		owner.NotifyBalances(w.peers)
		sleepVirtual(3 * time.Minute)
		require.ErrorIs(t, owner.Close(t.Context()), settlement.ErrOrdersOpen)
		for _, name := range []string{"second", "third"} {
			cfg, taken := namedConfig(name, brokenSettler), 0
			cfg.Events.TakenOver = func(settlement.Order) { taken++ }
			heir := w.engine(cfg)
			heir.Enqueue(w.peers)
			sleepVirtual(2 * time.Minute)
			require.Equal(t, 1, taken, name)

			other, stolen := namedConfig("waits for "+name, brokenSettler), 0
			other.Events.TakenOver = func(settlement.Order) { stolen++ }
			waits := w.engine(other)
			waits.Enqueue(w.peers)
			for range 10 {
				sleepVirtual(time.Minute)
				open, err := waits.Orders(t.Context(), w.alice)
				require.NoError(t, err)
				require.Len(t, open, 1)
				require.LessOrEqual(t, time.Since(open[0].LeaseRenewedAt), 21*time.Second, "it is renewed at a third of the lease")
			}
			require.Zero(t, stolen, name)
			require.NoError(t, waits.Close(t.Context()))
			require.ErrorIs(t, heir.Close(t.Context()), settlement.ErrOrdersOpen)
		}
	})
}
