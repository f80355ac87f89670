package settlement_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// A limit's use is what counts against it: payments of the last day, and open orders. Limits without a day are
// listed without a sum.
func TestPayoutUses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		alice, bob := w.peers[0], w.peers[1]
		cfg := manualConfig(r, payAll)
		cfg.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(100), ApproveAbove: units(90)})
		cfg.PeerPayoutLimits.Peer = map[string]settlement.PayoutLimit{"bob": {MaxPerDay: units(30)}}
		cfg.PeerPayoutLimits.Default = settlement.PayoutLimit{MaxOrder: units(80)}
		cfg.Rails.Default.PayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(70)})
		e := w.engine(cfg)
		w.earn(alice, 20)
		w.earn(bob, 5)
		for _, a := range []accounts.PeerAccount{alice, bob} {
			_, err := e.Settle(t.Context(), a)
			require.NoError(t, err)
		}
		uses := func(list ...accounts.PeerAccount) []settlement.PayoutUse {
			uses, err := e.PayoutUses(t.Context(), list...)
			require.NoError(t, err)
			return uses
		}
		got := uses(alice, bob)
		require.Equal(t, []settlement.PayoutLimitScope{settlement.AssetLimit, settlement.RailLimit, settlement.PeerLimit, settlement.PeerLimit},
			[]settlement.PayoutLimitScope{got[0].Scope, got[1].Scope, got[2].Scope, got[3].Scope})
		require.Equal(t, []ledger.Amount{units(25), units(75)}, []ledger.Amount{got[0].Counts, got[0].Remaining})
		require.Equal(t, []ledger.Amount{units(25), units(45)}, []ledger.Amount{got[1].Counts, got[1].Remaining})
		require.Equal(t, alice, got[2].Account)
		require.Equal(t, []ledger.Amount{{}, ledger.AmountMax}, []ledger.Amount{got[2].Counts, got[2].Remaining}, "nothing bounds her day")
		require.Equal(t, []ledger.Amount{units(5), units(25)}, []ledger.Amount{got[3].Counts, got[3].Remaining})

		sleepVirtual(25 * time.Hour)
		require.Equal(t, units(100), uses(bob)[0].Remaining, "the payments are older than a day")
		require.Empty(t, uses())
		require.NoError(t, e.Close(t.Context()))
	})
}

func TestPayoutUsesOfUnknownAssets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(manualConfig(newRail(), payAll))
	_, err := e.PayoutUses(t.Context(), accounts.PeerAccount{})
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
}
