package settlement_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

func TestPositionAlerts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var told eventLog
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
			{1, 0, []string{"high reached: alice on ledger 1 is at 1.00 USD, the threshold is 1.00 USD"}},
			{50, 0, nil},
			{0, 60, nil}, // 90: within the margin
			{10, 0, nil},
			{0, 11, []string{"high cleared: alice on ledger 1 is at 0.89 USD, the threshold is 1.00 USD"}},
			{0, 139, []string{"low reached: alice on ledger 1 is at -0.50 USD, the threshold is 0.50 USD"}},
			{0, 50, nil},
			{61, 0, []string{"low cleared: alice on ledger 1 is at -0.39 USD, the threshold is 0.50 USD"}},
			{139, 0, []string{"high reached: alice on ledger 1 is at 1.00 USD, the threshold is 1.00 USD"}},
			{0, 200, []string{
				"high cleared: alice on ledger 1 is at -1.00 USD, the threshold is 1.00 USD",
				"low reached: alice on ledger 1 is at -1.00 USD, the threshold is 0.50 USD",
			}},
		} {
			if c.earn > 0 {
				w.earn(w.alice, c.earn)
			}
			if c.spend > 0 {
				w.spend(w.alice, c.spend)
			}
			e.NotifyBalances(w.peers)
			sleepVirtual(100 * time.Millisecond)
			require.Equal(t, c.want, told.takeLines(), "at %v", w.balance(w.alice).Position())
		}
		require.NoError(t, e.Close(t.Context()))
	})
}
