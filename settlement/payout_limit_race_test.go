package settlement_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// orderBarrier is a ledger that holds back a number of orders until all have arrived, so that all were decided before
// the first is placed.
type orderBarrier struct {
	ledger.Ledger
	all sync.WaitGroup
}

func (m *orderBarrier) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if rows[0].Code == chart.CodeOrder && rows[0].Flags.Has(ledger.TransferPending) {
		m.all.Done()
		m.all.Wait()
	}
	return m.Ledger.CreateTransfers(ctx, rows)
}

// Engines that decide at the same moment, each within the limit, do not exceed it together: the later order is given
// back, and no rail is asked for it.
func TestEnginesInARaceOnALimit(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{"orders are paid at once": nil, "orders stay open": settlement.ErrPending} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { raceOnALimit(t, newWorld(t, "bob", "carol"), answer) })
		})
	}
}

func raceOnALimit(t *testing.T, w *world, answer error) {
	t.Helper()
	r := newRail()
	var mu sync.Mutex
	var refused []error
	var given []time.Time
	var back time.Time
	r.before = func(o settlement.Order) error {
		mu.Lock()
		defer mu.Unlock()
		given = append(given, o.PlacedAt)
		return answer
	}
	m := &orderBarrier{Ledger: w.ledger}
	m.all.Add(len(w.peers))
	var visits sync.WaitGroup
	for i, a := range w.peers {
		w.earn(a, 50)
		cfg := manualConfig(r, payAll)
		cfg.Instance = fmt.Sprint("engine ", i)
		cfg.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(100)})
		cfg.Events.Voided = func(o settlement.Order, why error) {
			mu.Lock()
			defer mu.Unlock()
			refused, back = append(refused, why), o.PlacedAt
		}
		e := w.engineOn(m, cfg)
		visits.Go(func() { _, _ = e.Settle(t.Context(), a) })
	}
	visits.Wait()
	_, called := r.countKeys()
	require.Equal(t, 2, called)
	require.Len(t, refused, 1)
	require.ErrorIs(t, refused[0], settlement.ErrPayoutLimit)
	for _, placed := range given {
		require.True(t, placed.Before(back), "the later one is given back")
	}
	if answer == nil {
		w.requireConserved(r)
	}
}

// After a crash between the order and its check, the next owner of the order checks it, also an owner without limits.
func TestCrashBeforeTheCheckOfALimit(t *testing.T) {
	t.Parallel()
	// An engine without limits pays the order that the first engine was about to give back.
	allowed := map[bool][]ledger.Amount{true: {units(60), units(100)}, false: {units(60), units(100), units(120)}}
	for _, limited := range []bool{true, false} {
		t.Run(fmt.Sprint("the heir has limits: ", limited), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t, "bob"), newRail()
				bob := w.peers[1]
				m := &orderBarrier{Ledger: w.ledger}
				m.all.Add(2)
				crash := &silentAfterOrder{Ledger: m}
				w.earn(w.alice, 60)
				w.earn(bob, 60)
				cfg := manualConfig(r, payAll)
				cfg.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(100)})
				cfg.Instance = "crashes"
				first := w.engineOn(crash, cfg)
				cfg.Instance = "goes on"
				second := w.engineOn(m, cfg)
				var visits sync.WaitGroup
				visits.Go(func() { _, _ = second.Settle(t.Context(), bob) })
				visits.Go(func() { _, _ = first.Settle(t.Context(), w.alice) })
				visits.Wait()
				sleepVirtual(2 * time.Minute)
				heir := manualConfig(r, payAll)
				heir.Instance = "heir"
				if limited {
					heir.AssetPayoutLimits = cfg.AssetPayoutLimits
				}
				_, _ = w.engine(heir).Settle(t.Context(), w.alice, bob)
				paid := addAmounts(r.totalPaid(w.alice), r.totalPaid(bob))
				require.Contains(t, allowed[limited], paid)
				w.requireConserved(r)
			})
		})
	}
}

// silentAfterOrder is a ledger that answers no request after an order was placed.
type silentAfterOrder struct {
	ledger.Ledger
	stopped bool
}

func (s *silentAfterOrder) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if s.stopped {
		return nil, errRail
	}
	s.stopped = rows[0].Code == chart.CodeOrder
	return s.Ledger.CreateTransfers(ctx, rows)
}

func (s *silentAfterOrder) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	if s.stopped {
		return nil, errRail
	}
	return s.Ledger.LookupTransfers(ctx, ids)
}

// hookedAccountQueries is a ledger that calls a function before a query of accounts.
type hookedAccountQueries struct {
	ledger.Ledger
	do func()
}

func (b *hookedAccountQueries) QueryAccounts(ctx context.Context, f ledger.QueryFilter) ([]ledger.Account, error) {
	b.do()
	return b.Ledger.QueryAccounts(ctx, f)
}

// An old order counts if it is closed while an engine adds up for the first time.
func TestOldOrderIsClosedDuringTheFirstSum(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		bob := w.peers[1]
		later := newRail()
		later.before = func(settlement.Order) error { return settlement.ErrPending }
		w.earn(w.alice, 60)
		holder := w.engine(manualConfig(later, payAll))
		_, err := holder.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrPending)
		open, err := holder.Orders(t.Context())
		require.NoError(t, err)
		sleepVirtual(100 * time.Hour)
		l := &hookedAccountQueries{Ledger: w.ledger, do: func() {
			_, err := holder.Resolve(t.Context(), w.alice, open[0].ID, units(60))
			assertNoError(t, err)
		}}
		w.earn(bob, 500)
		cfg := manualConfig(r, payAll)
		cfg.Instance = "another"
		cfg.AssetPayoutLimits = usdLimits(settlement.PayoutLimit{MaxPerDay: units(100)})
		paid, err := w.engineOn(l, cfg).Settle(t.Context(), bob)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit)
		require.Equal(t, []uint64{40}, paidAmounts(paid))
	})
}
