package settlement_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// lateLedger holds back the answer to the first booking of a payment, or to the first look-up of a balance after it.
type lateLedger struct {
	ledger.Ledger
	holdLookUp   bool
	booked, held atomic.Bool
	proceed      chan struct{}
}

func (l *lateLedger) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.Ledger.CreateTransfers(ctx, rows)
	if slices.ContainsFunc(rows, func(r ledger.Transfer) bool { return r.Flags.Has(ledger.TransferPostPending) }) {
		l.booked.Store(true)
		l.holdBack(!l.holdLookUp)
	}
	return results, err
}

func (l *lateLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	found, err := l.Ledger.LookupAccounts(ctx, ids)
	l.holdBack(l.holdLookUp && l.booked.Load())
	return found, err
}

func (l *lateLedger) holdBack(answer bool) {
	if answer && l.held.CompareAndSwap(false, true) {
		<-l.proceed
	}
}

// A peer earns while a payment of Settle is being booked. The amount is paid, although the loop finds the account
// visited by Settle.
func TestLoopComesBackAfterSettle(t *testing.T) {
	t.Parallel()
	testEarningsDuringSettle(t, false, 80)
}

// A peer earns right after Settle has looked up its balance for the last time. The loop pays the amount without waiting
// for Settle, and Settle finds nothing due.
func TestLoopPaysWhileSettleLooksAgain(t *testing.T) {
	t.Parallel()
	testEarningsDuringSettle(t, true, 280)
}

func testEarningsDuringSettle(t *testing.T, holdLookUp bool, paidMeanwhile uint64) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		l := &lateLedger{Ledger: w.ledger, holdLookUp: holdLookUp, proceed: make(chan struct{})}
		e := w.engineOn(l, automaticConfig(r))
		w.earn(w.alice, 100)
		checked := make(chan error, 1)
		go func() {
			_, err := e.Settle(t.Context(), w.alice)
			checked <- err
		}()
		synctest.Wait()
		require.True(t, l.held.Load())
		require.Equal(t, units(80), r.totalPaid(w.alice))
		w.earn(w.alice, 200)
		e.NotifyBalances(w.peers)
		sleepVirtual(10 * time.Second)
		require.Equal(t, units(paidMeanwhile), r.totalPaid(w.alice))
		close(l.proceed)
		require.NoError(t, <-checked)
		sleepVirtual(10 * time.Second)
		require.Equal(t, units(280), r.totalPaid(w.alice))
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// However fast packets come, balances are looked up once per CheckCooldown, and the number of
// remembered accounts is bounded.
func TestLookUpsAreApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		var requests atomic.Int64
		e := w.engineOn(&faultyLedger{Ledger: w.ledger, fault: func(call) fault { requests.Add(1); return noFault }}, automaticConfig(r))
		list := make([]accounts.PeerAccount, 1000)
		for i := range list {
			list[i] = w.peers[i%2]
		}
		for range 1000 {
			e.NotifyBalances(list)
			sleepVirtual(time.Millisecond)
		}
		sleepVirtual(100 * time.Millisecond)
		require.InDelta(t, 20, requests.Load(), 2, "one look-up each CheckCooldown for a second")
		for range 1000 { // with no time in between
			e.NotifyBalances(list)
		}
		sleepVirtual(100 * time.Millisecond)
		require.InDelta(t, 21, requests.Load(), 3)
		require.NoError(t, e.Close(t.Context()))
	})
}
