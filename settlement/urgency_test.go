package settlement_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
)

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
		for _, noPeer := range []accounts.PeerAccount{own, {}} {
			e.NotifyRefused(noPeer)
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
		require.Equal(t, units(60), r.totalPaid(w.alice), "a minute after the previous order")
		e.NotifyRefused(w.peers[1]) // we owe bob nothing
		sleepVirtual(time.Minute)
		w.earn(w.peers[1], 99)
		e.NotifyBalances(w.peers)
		sleepVirtual(time.Minute)
		require.Zero(t, r.totalPaid(w.peers[1]), "bob refused while nothing was owed")
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
	dueNow := func(a accounts.PeerAccount) []any {
		b, err := w.book.Balance(t.Context(), a)
		require.NoError(t, err)
		amount, request, settles := e.DueNow(b)
		return []any{amount, request.Amount, settles}
	}
	require.Equal(t, []any{units(40), units(40), true}, dueNow(w.alice))
	require.Equal(t, []any{units(0), units(0), false}, dueNow(w.peers[1]), "bob has no policy")
	paid, err := e.SettleNow(t.Context())
	require.NoError(t, err)
	require.Empty(t, paid, "without accounts")
	paid, err = e.SettleNow(t.Context(), w.peers...)
	require.NoError(t, err)
	require.Equal(t, []uint64{40}, paidAmounts(paid), "bob has no policy")
	w.earn(w.alice, 10)
	paid, err = e.SettleNow(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{10}, paidAmounts(paid), "at once again: an operator's urgency has no cooldown")
	w.earn(w.alice, 10)
	paid, err = e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, paid, "the urgency ended with the order")
	require.Equal(t, []any{units(10), units(10), true}, dueNow(w.alice), "an operator would not wait for the threshold")
	w.requireConserved(r)
}
