package settlement_test

import (
	"context"
	"math/big"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// tallyLedger finds no accounts by a query while it is down, and counts the look-ups of settlement accounts.
type tallyLedger struct {
	ledger.Ledger
	settlements []ledger.ID
	down        bool
	lookups     atomic.Int64
}

func (l *tallyLedger) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	if l.down {
		return nil, errRail
	}
	return l.Ledger.QueryAccounts(ctx, filter)
}

func (l *tallyLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	if !slices.ContainsFunc(ids, func(id ledger.ID) bool { return !slices.Contains(l.settlements, id) }) {
		l.lookups.Add(1)
	}
	return l.Ledger.LookupAccounts(ctx, ids)
}

func (w *world) newTallyLedger() *tallyLedger {
	l := &tallyLedger{Ledger: w.ledger}
	for _, a := range w.peers {
		l.settlements = append(l.settlements, w.book.PeerIDs(a).Settlement)
	}
	return l
}

// Nothing is paid until the old open orders are read: they count against the day.
func TestOldOrdersCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r, later := newWorld(t, "bob"), newRail(), newRail()
		later.before = func(settlement.Order) error { return settlement.ErrPending }
		w.earn(w.alice, 60)
		_, err := w.engine(manualConfig(later, payAll)).Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrPending)
		sleepVirtual(100 * time.Hour)

		l, bob := w.newTallyLedger(), w.peers[1]
		cfg := manualConfig(r, payAll)
		cfg.Instance = "another"
		cfg.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(100)})
		e := w.engineOn(l, cfg)
		w.earn(bob, 500)
		l.down = true
		_, err = e.Settle(t.Context(), bob)
		require.ErrorIs(t, err, errRail)
		requireNotCalled(t, r)
		l.down = false
		paid, err := e.Settle(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit)
		require.Equal(t, []uint64{40}, paidAmounts(paid))
	})
}

// datedRows counts the answered rows of orders that are older than a moment.
type datedRows struct {
	ledger.Ledger
	before uint64 // timestamp
	older  atomic.Int64
}

func (d *datedRows) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	rows, err := d.Ledger.QueryTransfers(ctx, filter)
	for _, row := range rows {
		if row.Code == chart.CodeOrder && row.Timestamp < d.before {
			d.older.Add(1)
		}
	}
	return rows, err
}

// A new engine reads the orders of the last day and the margin of an hour. Older closed orders are not read, so a start
// takes no longer on old books.
func TestTallyReadsNoOldRows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		cfg := manualConfig(r, payAll)
		cfg.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(100)})
		pay := func(l ledger.Ledger, want uint64) {
			t.Helper()
			w.earn(w.alice, want)
			paid, err := w.engineOn(l, cfg).Settle(t.Context(), w.alice)
			require.NoError(t, err)
			require.Equal(t, []uint64{want}, paidAmounts(paid))
		}
		pay(w.ledger, 100)
		sleepVirtual(25*time.Hour + time.Second)
		l := &datedRows{Ledger: w.ledger, before: uint64(time.Now().Add(-25 * time.Hour).UnixNano())}
		pay(l, 60)
		require.Zero(t, l.older.Load())
		w.requireConserved(r)
	})
}

// After the first pass the tally knows the accounts of all orders: payments need no look-ups for them.
func TestTallyKnowsTheAccounts(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, "bob", "carol"), newRail()
	l := w.newTallyLedger()
	cfg := manualConfig(r, payAll)
	cfg.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(100)})
	e := w.engineOn(l, cfg)
	for _, a := range w.peers {
		w.earn(a, 10)
		paid, err := e.Settle(t.Context(), a)
		require.NoError(t, err)
		require.Equal(t, []uint64{10}, paidAmounts(paid))
	}
	require.Zero(t, l.lookups.Load())
	w.requireConserved(r)
}

// An order that pays ahead counts against the limit of its rail.
func TestPayingAheadCountsByItsRail(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t, "bob"), newRail()
	cfg := manualConfig(r, payAll)
	cfg.Rails.Default.Name = "bank"
	cfg.Rails.Default.PayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(100)})
	cfg.Policies.Peer = map[string]settlement.Policy{"alice": settlement.Prefund{PrefundThreshold: big.NewInt(-10), SettleTo: big.NewInt(-60)}}
	e := w.engine(cfg)
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{60}, paidAmounts(paid))
	w.earn(w.peers[1], 500)
	paid, err = e.Settle(t.Context(), w.peers[1])
	require.ErrorIs(t, err, settlement.ErrPayoutLimit)
	require.Equal(t, []uint64{40}, paidAmounts(paid))
	w.requireConserved(r)
}
