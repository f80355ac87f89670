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

// largerUnit makes a rail pay whole thousands, and Config say so.
func largerUnit(r *rail, cfg *settlement.Config) {
	r.pays = func(o settlement.Order) ledger.Amount { return units(o.Amount.Big().Uint64() / 1000 * 1000) }
	cfg.Rails.Default.Unit = func(peer string, asset accounts.Asset) ledger.Amount {
		if peer != "alice" || asset != usd {
			return ledger.Amount{}
		}
		return units(1000)
	}
	cfg.Policies.Default = settlement.AtLeast{Amount: units(1000), Of: settlement.Threshold{SettleThreshold: units(2000)}}
}

// A rail whose unit is larger than the asset's, as settlement/rfc0038's Settler with EngineScales, leaves less than one unit
// of each order. The next order does not wait as after payments in part.
func TestRailOfALargerUnitIsNotDelayed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		cfg := automaticConfig(r)
		largerUnit(r, &cfg)
		e := w.engine(cfg)
		most := uint64(0)
		for range 600 {
			w.earn(w.alice, 2711)
			e.NotifyBalances(w.peers)
			sleepVirtual(time.Second)
			most = max(most, w.balance(w.alice).Payable.Big().Uint64())
		}
		require.Less(t, most, uint64(2000), "what is owed after each second")
		require.NoError(t, e.Close(t.Context()))
		require.Equal(t, units(600*2711), addAmounts(r.totalPaid(w.alice), w.balance(w.alice).Payable), "the rest stays owed")
		w.requireConserved(r)
	})
}

// A payment that leaves a unit or more is a payment in part, as without a unit.
func TestRailOfALargerUnitThatPaysInPart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		cfg := automaticConfig(r)
		largerUnit(r, &cfg)
		r.pays = func(settlement.Order) ledger.Amount { return units(1000) }
		w.earn(w.alice, 100_000)
		e := w.engine(cfg)
		e.NotifyBalances(w.peers)
		sleepVirtual(300 * time.Millisecond)
		require.Equal(t, units(3000), r.totalPaid(w.alice), "the fourth order waits")
		_ = e.Close(t.Context())
		w.requireConserved(r)
	})
}

// Orders cut to the largest order follow one another also if the rail leaves less than a unit of each.
func TestLargestOrderOfALargerUnit(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	cfg := manualConfig(r, nil)
	largerUnit(r, &cfg)
	cfg.PeerPayoutLimits.Default.MaxOrder = units(1500)
	w.earn(w.alice, 9999)
	payments, err := w.engine(cfg).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000}, paidAmounts(payments))
	require.Equal(t, units(999), w.balance(w.alice).Payable)
	w.requireConserved(r)
}
