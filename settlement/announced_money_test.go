package settlement_test

import (
	"sync"
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

// An announced amount is only shown: it is no headroom and not due, and an engine settles without regard to it.
func TestAnnouncedMoneyCannotBeUsed(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	e := w.engine(manualConfig(r, at100))
	w.spend(w.alice, 900)
	got, err := e.Announce(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(500)})
	require.NoError(t, err)
	require.Equal(t, settlement.AnnouncementOpen, got.State)
	require.False(t, got.AlreadyAnnounced)
	rows, err := w.ledger.LookupTransfers(t.Context(), []ledger.ID{got.Transfer})
	require.NoError(t, err)
	require.Equal(t, chart.CodeAnnounced, rows[0].Code)
	require.Zero(t, rows[0].Timeout)
	require.Equal(t, got.AnnouncedAt.UnixNano(), int64(rows[0].Timestamp))
	require.InDelta(t, float64(time.Minute), float64(got.Age(got.AnnouncedAt.Add(time.Minute))), 1)

	b := w.balance(w.alice)
	require.Equal(t, units(500), b.Announced)
	require.Equal(t, "5", b.Decimal().Announced.String())
	require.Equal(t, units(100), b.Headroom)
	require.Equal(t, units(900), b.Receivable)
	require.Zero(t, b.Prepaid)
	require.Zero(t, b.SettledIn)
	results, err := w.ledger.CreateTransfers(t.Context(), []ledger.Transfer{{
		ID: ledger.NewID(1, 99), DebitAccountID: w.book.PeerIDs(w.alice).Peer, CreditAccountID: w.liquidity(),
		Amount: units(101), Ledger: usd.Ledger, Code: chart.CodePacket,
	}})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferExceedsCredits, results[0].Status)
	w.earn(w.alice, 1000)
	_, err = e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Equal(t, units(80), r.totalPaid(w.alice))

	receipt, err := e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(480)})
	require.NoError(t, err)
	require.Equal(t, units(480), receipt.Amount)
	require.Equal(t, units(500), receipt.Announced)
	require.False(t, receipt.AlreadyBooked)
	again, err := e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(480)})
	require.NoError(t, err)
	require.True(t, again.AlreadyBooked)
	again.AlreadyBooked = false
	require.Equal(t, receipt, again)
	_, err = e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(500)})
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	b = w.balance(w.alice)
	require.Equal(t, units(480), b.Prepaid)
	require.Zero(t, b.Announced)
	w.requireConserved(r)
}

// Announced amounts of any age count against no limit.
func TestAnnouncedMoneyCountsForNoLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		cfg := manualConfig(r, payAll)
		limit := settlement.PayoutLimit{MaxPerDay: units(100)}
		cfg.PeerPayoutLimits.Default, cfg.AssetPayoutLimits, cfg.Rails.Default.PayoutLimits = limit, usdLimits(limit), usdLimits(limit)
		e := w.engine(cfg)
		for _, key := range []string{"old", "young"} {
			for _, a := range w.peers {
				_, err := e.Announce(t.Context(), settlement.IncomingPayment{Account: a, Key: key, Amount: units(500)})
				require.NoError(t, err)
			}
			if key == "old" {
				sleepVirtual(100 * time.Hour)
			}
		}
		w.earn(w.alice, 500)
		paid, err := e.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrPayoutLimit)
		require.Equal(t, []uint64{100}, paidAmounts(paid))
		require.NoError(t, w.ledger.Close())
	})
}

// An announcement has the id under which an earlier version books the payment, so the ledger accepts only one of the two.
func TestAnnouncementTakesTheIDOfTheBooking(t *testing.T) {
	t.Parallel()
	before, w := newWorld(t), newWorld(t)
	in := settlement.IncomingPayment{Account: w.alice, Key: "k", Amount: units(50)}
	receipt, err := before.engine(settlement.Config{}).RecordIncoming(t.Context(), in)
	require.NoError(t, err)
	booked, err := before.ledger.LookupTransfers(t.Context(), []ledger.ID{receipt.Transfer})
	require.NoError(t, err)
	got, err := w.engine(settlement.Config{}).Announce(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, receipt.Transfer, got.Transfer)
	booked[0].Timestamp = 0
	results, err := w.ledger.CreateTransfers(t.Context(), booked)
	require.NoError(t, err)
	require.True(t, results[0].Status.Conflict(), "%v", results[0].Status)
	require.Zero(t, w.balance(w.alice).SettledIn)
}

// A second announcement with another amount is refused while the first is open. It changes neither the first
// announcement nor the payment.
func TestAnnouncementOfAnotherAmount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	in := settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(50)}
	_, err := e.Announce(t.Context(), in)
	require.NoError(t, err)
	again, err := e.Announce(t.Context(), in)
	require.NoError(t, err)
	require.True(t, again.AlreadyAnnounced)
	other := in
	other.Amount = units(51)
	_, err = e.Announce(t.Context(), other)
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	require.ErrorContains(t, err, "0.50 USD is announced")
	require.Equal(t, units(50), w.balance(w.alice).Announced)
	_, err = e.RecordIncoming(t.Context(), other)
	require.NoError(t, err)
	late, err := e.Announce(t.Context(), other)
	require.NoError(t, err)
	require.Equal(t, settlement.AnnouncementReceived, late.State)
	require.Equal(t, units(50), late.Amount)
	for _, bad := range []settlement.IncomingPayment{
		{Account: w.alice, Key: "b"},
		{Account: w.alice, Amount: units(1)},
		{Account: w.alice, Key: "b ", Amount: units(1)},
		{Key: "b", Amount: units(1)},
		{Account: w.alice, Key: "b", Amount: ledger.AmountMax},
	} {
		_, err = e.Announce(t.Context(), bad)
		require.ErrorIs(t, err, accounts.ErrInvalid)
		var booking *settlement.BookingError
		require.ErrorAs(t, err, &booking)
	}
	_, err = e.Fail(t.Context(), w.alice, "b ")
	require.ErrorIs(t, err, accounts.ErrInvalid)
	bob, err := w.book.PeerAccount("bob", usd)
	require.NoError(t, err)
	_, err = e.Announce(t.Context(), settlement.IncomingPayment{Account: bob, Key: "b", Amount: units(1)})
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	_, err = e.Fail(t.Context(), bob, "b")
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// A payment cannot come back before it was received.
func TestReturnOfAnAnnouncedPayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	back := settlement.ReturnedPayment{Account: w.alice, Key: "back", Payment: "k", Amount: units(60)}
	a := &announceCase{w: w, received: 60}
	for _, calls := range []string{"a", "f"} {
		a.callAndCheck(rune(calls[0]))
		_, err := e.RecordReturned(t.Context(), back)
		require.ErrorIs(t, err, settlement.ErrNoPayment)
		require.ErrorContains(t, err, "announced, and not received")
	}
	a.callAndCheck('r')
	_, err := e.RecordReturned(t.Context(), back)
	require.NoError(t, err)
	require.Zero(t, w.balance(w.alice).Position().Sign())
	again := back
	again.Key, again.Amount = "again", units(1)
	_, err = e.RecordReturned(t.Context(), again)
	require.ErrorIs(t, err, settlement.ErrReturnedTooMuch)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// A peer with announced payments is closed only with force. A payment then goes to suspense, also if the peer is closed
// between the look-up and the booking, and the announcement ends.
func TestAnnouncementOfAClosedPeer(t *testing.T) {
	t.Parallel()
	for name, race := range map[string]bool{"closed before": false, "closed in between": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := &announceCase{w: w, received: 50}
			a.callAndCheck('a')
			err := w.book.ClosePeer(t.Context(), w.alice)
			require.ErrorIs(t, err, accounts.ErrHeld)
			var held *accounts.HeldError
			require.ErrorAs(t, err, &held)
			require.Equal(t, units(50), held.Announced)
			require.ErrorContains(t, err, "payments of 0.50 USD are announced")
			require.False(t, w.balance(w.alice).Suspended)
			closes := func() {
				require.NoError(t, w.book.ClosePeer(t.Context(), w.alice, accounts.WithForce(), accounts.WithReasonCode(1)))
				require.NoError(t, w.book.ClosePeer(t.Context(), w.alice), "it stays closed")
				require.True(t, w.balance(w.alice).Closed)
			}
			l := w.ledger
			if race {
				var once sync.Once
				l = &faultyLedger{Ledger: l, fault: func(c call) fault {
					if c.creates {
						once.Do(closes)
					}
					return noFault
				}}
			} else {
				closes()
				got, err := w.engine(settlement.Config{}).Announce(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "2", Amount: units(7)})
				require.NoError(t, err, "a closed peer's payments are shown, too")
				require.Equal(t, settlement.AnnouncementOpen, got.State)
				require.Equal(t, units(57), w.balance(w.alice).Announced)
				require.NoError(t, w.book.ClosePeer(t.Context(), w.alice), "it stays closed")
				_, err = w.engine(settlement.Config{}).Fail(t.Context(), w.alice, "2")
				require.NoError(t, err)
			}
			e := w.engineOn(l, settlement.Config{})
			for range 2 {
				receipt, err := e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "k", Amount: units(50)})
				require.NoError(t, err)
				require.True(t, receipt.InSuspense)
				require.Equal(t, units(50), receipt.Announced)
			}
			require.Zero(t, w.balance(w.alice).Announced)
			require.NoError(t, w.book.ReopenPeer(t.Context(), w.alice))
			released, err := e.Release(t.Context(), w.alice)
			require.NoError(t, err)
			require.Equal(t, units(50), released.Amount)
			require.Equal(t, units(50), w.balance(w.alice).Prepaid)
			ledgertest.RequireNothingHeld(t, w.ledger)
		})
	}
}
