package settlement_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

func TestRecordPaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	w.earn(w.alice, 70)
	receipt, err := e.RecordOutgoing(t.Context(), settlement.OutgoingPayment{Account: w.alice, Key: "a", Amount: units(70)})
	require.NoError(t, err)
	require.False(t, receipt.AlreadyBooked)
	again, err := e.RecordOutgoing(t.Context(), settlement.OutgoingPayment{Account: w.alice, Key: "a", Amount: units(70)})
	require.NoError(t, err)
	require.True(t, again.AlreadyBooked)
	_, err = e.RecordOutgoing(t.Context(), settlement.OutgoingPayment{Account: w.alice, Key: "a", Amount: units(71)})
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	b := w.balance(w.alice)
	require.Equal(t, units(70), b.SettledOut)
	require.Zero(t, b.Payable)
	rows, err := w.ledger.LookupTransfers(t.Context(), []ledger.ID{receipt.Transfer})
	require.NoError(t, err)
	require.Equal(t, chart.CodeOutgoing, rows[0].Code)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

func TestRecordPaidBeyondWhatThePeerHas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	out := settlement.OutgoingPayment{Account: w.alice, Key: "a", Amount: units(1050)}
	for range 3 {
		_, err := e.RecordOutgoing(t.Context(), out)
		require.ErrorIs(t, err, accounts.ErrNotCovered)
		require.NotErrorIs(t, err, ledger.ErrIDBurnt, "the ledger was not asked")
		require.ErrorContains(t, err, "it has 10.00 USD")
	}
	require.Zero(t, w.balance(w.alice).SettledOut)
	w.earn(w.alice, 50)
	receipt, err := e.RecordOutgoing(t.Context(), out)
	require.NoError(t, err)
	require.False(t, receipt.AlreadyBooked)
	receipt, err = e.RecordOutgoing(t.Context(), out)
	require.NoError(t, err)
	require.True(t, receipt.AlreadyBooked)
	require.Equal(t, units(1050), w.balance(w.alice).SettledOut)

	w.closePeer(w.alice)
	_, err = e.RecordOutgoing(t.Context(), settlement.OutgoingPayment{Account: w.alice, Key: "b", Amount: units(1)})
	require.ErrorIs(t, err, accounts.ErrPeerClosed)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// The peer spends its balance between the look-up and the booking. The amount beyond the account becomes arrears.
func TestRecordPaidInARace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	raced := 0
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if c.creates && raced == 0 {
			raced++
			w.spend(w.alice, 990)
		}
		return noFault
	}}
	e := w.engineOn(l, settlement.Config{})
	out := settlement.OutgoingPayment{Account: w.alice, Key: "a", Amount: units(50)}
	for _, already := range []bool{false, true} {
		receipt, err := e.RecordOutgoing(t.Context(), out)
		require.NoError(t, err)
		require.Equal(t, already, receipt.AlreadyBooked)
	}
	b := w.balance(w.alice)
	require.Equal(t, units(50), b.SettledOut)
	require.Equal(t, units(40), b.Arrears, "10 were left")
	require.Equal(t, units(1040), b.Receivable)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// A booking by hand and an order see each other: neither comes between the other's look-up and booking.
func TestRecordPaidWaitsForTheOrderUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		asked, proceed := make(chan struct{}), make(chan struct{})
		r.before = func(settlement.Order) error { close(asked); <-proceed; return nil }
		e := w.engine(manualConfig(r, at100))
		w.earn(w.alice, 100)
		booked := make(chan error, 1)
		go func() {
			<-asked
			_, err := e.RecordOutgoing(t.Context(), settlement.OutgoingPayment{Account: w.alice, Key: "a", Amount: units(5)})
			booked <- err
		}()
		go func() {
			synctest.Wait()
			require.Empty(t, booked)
			close(proceed)
		}()
		_, err := e.Settle(t.Context(), w.alice)
		require.NoError(t, err)
		require.NoError(t, <-booked)
		require.Equal(t, units(85), w.balance(w.alice).SettledOut)
		ledgertest.RequireNothingHeld(t, w.ledger)
	})
}

// An account that is touched during a booking by hand is settled right after it, also if the booking is refused.
func TestLoopGoesOnBehindRecordPaid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		began, proceed := make(chan struct{}), make(chan struct{})
		looking := false
		l := &faultyLedger{Ledger: w.ledger, fault: func(call) fault {
			if looking {
				return noFault
			}
			looking = true
			close(began)
			<-proceed
			return fault{before: errRail}
		}}
		e := w.engineOn(l, automaticConfig(r))
		refused := make(chan error)
		go func() {
			_, err := e.RecordOutgoing(t.Context(), settlement.OutgoingPayment{Account: w.alice, Key: "a", Amount: units(5)})
			refused <- err
		}()
		<-began
		w.earn(w.alice, 100)
		e.NotifyBalances(w.peers)
		synctest.Wait()
		start := time.Now()
		close(proceed)
		require.ErrorIs(t, <-refused, errRail)
		synctest.Wait()
		require.Equal(t, units(80), r.totalPaid(w.alice))
		require.Equal(t, start, time.Now(), "at once, and not at the next sweep")
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// A booking for an unknown account leaves nothing behind for later checks.
func TestRecordPaidForNobody(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	bob, err := w.book.PeerAccount("bob", usd)
	require.NoError(t, err)
	e := w.engine(manualConfig(r, at100))
	_, err = e.RecordOutgoing(t.Context(), settlement.OutgoingPayment{Account: bob, Key: "a", Amount: units(5)})
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	_, err = e.Settle(t.Context())
	require.NoError(t, err)
	ledgertest.RequireNothingHeld(t, w.ledger)
}
