package settlement_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

// TestEnginesShareALedger runs several engines on the traffic of many accounts.
// Only settlements debit accounts here, so an account that was ever paid must end between SettleTo and
// SettleThreshold: an order on a stale balance would take the account below SettleTo.
func TestEnginesShareALedger(t *testing.T) {
	t.Parallel()
	enginesShareALedger(t, newWorld(t, peersBeside...))
}

// peersBeside are the peers besides alice.
var peersBeside = func() (names []string) {
	for i := range 39 {
		names = append(names, fmt.Sprint("peer ", i))
	}
	return names
}()

func enginesShareALedger(t *testing.T, w *world) {
	t.Helper()
	seed := ledgertest.Seed(t)
	const engines, rounds = 4, 60
	peers := len(w.peers)
	r := newRail()
	r.before = func(settlement.Order) error { runtime.Gosched(); return nil }
	r.pays = func(o settlement.Order) ledger.Amount { // a part now and then
		if o.ID.Lo%4 == 0 {
			return o.Amount.Min(units(50))
		}
		return o.Amount
	}
	all := make([]*settlement.Engine, engines)
	for i := range all {
		cfg := manualConfig(r, at100)
		cfg.Manual, cfg.Instance = false, fmt.Sprint("engine ", i)
		all[i] = w.engine(cfg)
	}

	var traffic sync.WaitGroup
	for i := range engines {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		traffic.Go(func() {
			for range rounds {
				a := w.peers[random.IntN(peers)]
				w.earn(a, random.Uint64N(90)+1)
				for _, e := range all { // all of them race for it
					e.NotifyBalances([]accounts.PeerAccount{a})
				}
				runtime.Gosched()
			}
		})
	}
	traffic.Wait()
	settleAll(t, w, all)

	for _, a := range w.peers {
		b := w.balance(a)
		require.Equal(t, b.Earned, addAmounts(b.Payable, b.SettledOut))
		require.True(t, b.Payable.Less(at100.SettleThreshold), "%v is left with %v", a, b.Payable)
		if !b.SettledOut.IsZero() {
			require.False(t, b.Payable.Less(at100.SettleTo), "%v is left with %v", a, b.Payable)
		}
	}
	w.requireConserved(r)
}

// settleAll calls Settle until no engine has anything to do.
func settleAll(t *testing.T, w *world, all []*settlement.Engine) {
	t.Helper()
	for range 1000 {
		idle := true
		for _, e := range all {
			paid, err := e.Settle(t.Context(), w.peers...)
			require.NoError(t, err)
			open, err := e.Orders(t.Context(), w.peers...)
			require.NoError(t, err)
			idle = idle && len(paid) == 0 && len(open) == 0
		}
		if idle {
			return
		}
	}
	require.Fail(t, "the engines do not come to rest")
}

func addAmounts(a, b ledger.Amount) ledger.Amount {
	s, _ := a.Add(b)
	return s
}

// TestAnotherEngineAtEveryStep lets another engine settle the account from end to end before each
// request of an engine in turn. The threshold was crossed once, so exactly one engine pays, once.
//
// The same is done to an engine that is wrong on purpose: the engine reads the balance before the
// newest order. It must order too much in some step, or this test could not tell right from wrong; the
// check of the order voids such an order.
func TestAnotherEngineAtEveryStep(t *testing.T) {
	t.Parallel()
	right := func(l ledger.Ledger, _ *world) ledger.Ledger { return l }
	for _, knowsHead := range []bool{false, true} {
		for step := 0; ; step++ {
			require.Less(t, step, 100)
			met, paid, withdrawn := anotherEngineAt(t, newWorld(t), step, right, knowsHead)
			require.Equal(t, units(80), paid, "step %d", step)
			require.Zero(t, withdrawn, "step %d", step)
			if !met {
				break
			}
		}
	}
	var ordered []int
	for step := 0; ; step++ {
		require.Less(t, step, 100)
		met, paid, withdrawn := anotherEngineAt(t, newWorld(t), step, balanceFirst, false)
		require.Equal(t, units(80), paid, "step %d", step)
		if withdrawn > 0 {
			ordered = append(ordered, step)
		}
		if !met {
			break
		}
	}
	require.NotEmpty(t, ordered)
	t.Logf("an engine that reads the balance first orders twice when another one settles before its requests %v", ordered)
}

// anotherEngineAt settles with an engine of this kind, and with a second engine before the request of
// this number, if there are so many. It returns the payments of both, and the number of the first
// engine's orders with a failed check. An engine that knows the newest order has paid 80 before, and
// does not read the order again.
func anotherEngineAt(
	t *testing.T, w *world, step int, kind func(ledger.Ledger, *world) ledger.Ledger, knowsHead bool,
) (met bool, paid ledger.Amount, withdrawn int) {
	t.Helper()
	r := newRail()
	cfg := manualConfig(r, at100)
	cfg.Instance = "other"
	other := w.engine(cfg)
	l := &faultyLedger{Ledger: w.ledger, fault: func(call) fault { return noFault }}
	cfg = manualConfig(r, at100)
	cfg.Events.Voided = func(_ settlement.Order, why error) {
		require.ErrorIs(t, why, settlement.ErrCheckFailed)
		withdrawn++
	}
	e := w.engineOn(kind(l, w), cfg)
	before := uint64(0)
	if knowsHead {
		w.earn(w.alice, 80+20)
		_, err := e.Settle(t.Context(), w.alice)
		require.NoError(t, err)
		w.spend(w.alice, 20)
		before = 80
	}
	w.earn(w.alice, 100)
	l.calls = 0
	l.fault = func(c call) fault {
		if c.number == step {
			met = true
			_, err := other.Settle(context.Background(), w.alice)
			require.NoError(t, err)
		}
		return noFault
	}
	_, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	w.requireConserved(r)
	return met, r.totalPaid(w.alice).SubFloor(units(before)), withdrawn
}

// balanceFirst makes an engine read the balance before the newest order: the ledger reads the balance
// when the engine asks for the order, and answers the engine's next read of the balance with it.
func balanceFirst(l ledger.Ledger, w *world) ledger.Ledger {
	ids := w.book.PeerIDs(w.alice)
	own, _ := w.book.AssetIDs(usd.Ledger)
	return &hastyLedger{Ledger: l, account: []ledger.ID{own.Suspense, ids.Peer, ids.Line, ids.Settlement, ids.Arrears}}
}

type hastyLedger struct {
	ledger.Ledger
	account []ledger.ID
	early   []ledger.Account // read and not asked for yet
}

func (h *hastyLedger) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	var err error
	if h.early, err = h.Ledger.LookupAccounts(ctx, h.account); err != nil {
		return nil, err
	}
	return h.Ledger.GetAccountTransfers(ctx, filter)
}

func (h *hastyLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	if early := h.early; early != nil && slices.Equal(ids, h.account) {
		h.early = nil
		return early, nil
	}
	return h.Ledger.LookupAccounts(ctx, ids)
}

func TestOrdersOfAnotherInstanceAreLeftAlone(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	r.after = func(settlement.Order) error { return errRail }
	w.earn(w.alice, 100)
	owner := w.engine(manualConfig(r, at100))
	_, err := owner.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, errRail)

	cfg := manualConfig(r, at100)
	cfg.Instance = "another"
	paid, err := w.engine(cfg).Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, paid)
	require.Equal(t, units(80), w.balance(w.alice).Settling)

	r.after = func(settlement.Order) error { return nil }
	_, err = owner.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	w.requireConserved(r)
}

func TestOneOrderAtATimeInOneEngine(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	var mu sync.Mutex
	under := 0
	r.before = func(settlement.Order) error {
		mu.Lock()
		under++
		require.Equal(t, 1, under)
		mu.Unlock()
		runtime.Gosched()
		return nil
	}
	r.after = func(settlement.Order) error {
		mu.Lock()
		under--
		mu.Unlock()
		return nil
	}
	cfg := manualConfig(r, at100)
	cfg.Manual = false
	e := w.engine(cfg)
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			for range 20 {
				w.earn(w.alice, 30)
				e.NotifyBalances([]accounts.PeerAccount{w.alice})
				_, err := e.Settle(t.Context(), w.alice)
				require.NoError(t, err)
			}
		})
	}
	calls.Wait()
	require.NoError(t, e.Close(t.Context()))
	require.True(t, w.balance(w.alice).Payable.Less(at100.SettleThreshold))
	w.requireConserved(r)
}
