package settlement_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
)

func (w *world) recordIncoming(e *settlement.Engine, a accounts.PeerAccount, key string, n uint64) {
	w.t.Helper()
	_, err := e.RecordIncoming(context.Background(), settlement.IncomingPayment{Account: a, Key: key, Amount: units(n)})
	require.NoError(w.t, err)
}

// hookedOrderPlacement is a ledger that calls a function right before the first order is placed.
type hookedOrderPlacement struct {
	ledger.Ledger
	once   sync.Once
	happen func()
}

func (l *hookedOrderPlacement) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if isOrder(rows) {
		l.once.Do(l.happen)
	}
	return l.Ledger.CreateTransfers(ctx, rows)
}

func TestRefundEndsWhenPacketsUsedThePrepayment(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	e := w.engine(manualConfig(r, at100))
	w.recordIncoming(e, w.alice, "first", 100)
	require.NoError(t, e.Refund(t.Context(), w.alice))
	w.spend(w.alice, 100)
	_, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	w.recordIncoming(e, w.alice, "second", 200)
	payments, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, payments, "nobody asked for the second one")
	w.requireConserved(r)
}

func TestRefundOutlivesAnOrderThatFailsItsCheck(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	l := &hookedOrderPlacement{Ledger: w.ledger, happen: func() { w.spend(w.alice, 30) }}
	e := w.engineOn(l, manualConfig(r, at100))
	w.recordIncoming(e, w.alice, "first", 100)
	require.NoError(t, e.Refund(t.Context(), w.alice))
	payments, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, payments, "the order was for more than was left")
	payments, err = e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, []uint64{70}, paidAmounts(payments))
	w.recordIncoming(e, w.alice, "second", 200)
	payments, err = e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, payments, "nobody asked for the second one")
	w.requireConserved(r)
}

// Only the engine that placed an order to an account without history can check it.
func TestCheckWithoutHistoryIsMadeUpFor(t *testing.T) {
	t.Parallel()
	errDown := errors.New("down")
	var down bool
	var looked int
	f := &faultyLedger{Ledger: embedded.New(), fault: func(c call) fault {
		if down && !c.creates {
			if looked++; looked > 1 { // the look-up of the order itself succeeds
				return fault{before: errDown}
			}
		}
		return noFault
	}}
	l := &hookedOrderPlacement{Ledger: f}
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}, NoHistory: true})
	require.NoError(t, err)
	peers, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)})
	require.NoError(t, err)
	w, r := &world{t: t, ledger: l, book: book, peers: peers, alice: peers[0]}, newRail()
	e, err := settlement.NewEngine(l, book, manualConfig(r, at100))
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close(context.Background())) }()
	w.earn(w.alice, 150)
	l.happen = func() {
		w.spend(w.alice, 50)
		down = true
	}
	_, err = e.Settle(t.Context(), w.alice)
	require.ErrorIs(t, err, errDown)
	down = false
	payments, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, payments, "of the 130 ordered only 100 are owed")
	w.requireConserved(r)
}
