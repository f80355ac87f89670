package settlement_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
)

func TestReceivePaysDownTheDebtFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.spend(w.alice, 300)
	e := w.engine(settlement.Config{})
	receipt, err := e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(500)})
	require.NoError(t, err)
	require.Equal(t, units(500), receipt.Amount)
	require.False(t, receipt.AlreadyBooked)
	require.False(t, receipt.InSuspense)
	b := w.balance(w.alice)
	require.Equal(t, units(200), b.Payable)
	require.Equal(t, units(200), b.Prepaid)
	require.Equal(t, units(500), b.SettledIn)
	rows, err := w.ledger.LookupTransfers(t.Context(), []ledger.ID{receipt.Transfer})
	require.NoError(t, err)
	require.Equal(t, chart.CodeIncoming, rows[0].Code)
	require.Equal(t, receipt.BookedAt.UnixNano(), int64(rows[0].Timestamp))
	ledgertest.RequireNothingHeld(t, w.ledger)
}

func TestKeyIsBookedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "bob")
	e := w.engine(settlement.Config{})
	in := settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(50)}
	first, err := e.RecordIncoming(t.Context(), in)
	require.NoError(t, err)
	for range 3 { // a new engine each time: nothing is remembered but in the ledger
		again, err := w.engine(settlement.Config{}).RecordIncoming(t.Context(), in)
		require.NoError(t, err)
		require.True(t, again.AlreadyBooked)
		again.AlreadyBooked = false
		require.Equal(t, first, again)
	}
	_, err = e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "a"})
	require.ErrorIs(t, err, accounts.ErrInvalid)
	for _, other := range []uint64{49, 51} {
		_, err = e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(other)})
		require.ErrorIs(t, err, accounts.ErrKeyReused)
		require.ErrorContains(t, err, ": 0.50 USD was booked under it at 20")
		var booking *settlement.BookingError
		require.ErrorAs(t, err, &booking)
		require.Equal(t, "a", booking.Key)
		require.Equal(t, units(other), booking.Amount)
		require.ErrorContains(t, err, `for alice on ledger 1 under key "a"`)
	}
	require.Equal(t, units(50), w.balance(w.alice).SettledIn)

	// The same key elsewhere is another key.
	bob, err := e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.peers[1], Key: "a", Amount: units(50)})
	require.NoError(t, err)
	require.False(t, bob.AlreadyBooked)
	out, err := e.RecordOutgoing(t.Context(), settlement.OutgoingPayment{Account: w.alice, Key: "a", Amount: units(50)})
	require.NoError(t, err)
	require.False(t, out.AlreadyBooked)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

func TestConcurrentReportsOfOneKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mu sync.Mutex
	var calls sync.WaitGroup
	fresh, reused := 0, 0
	for i := range 16 {
		e := w.engine(settlement.Config{})
		amount := units(50 + uint64(i%2))
		calls.Go(func() {
			receipt, err := e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: amount})
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil:
				require.ErrorIs(t, err, accounts.ErrKeyReused)
				reused++
			case !receipt.AlreadyBooked:
				fresh++
			}
		})
	}
	calls.Wait()
	require.Equal(t, 1, fresh)
	require.Equal(t, 8, reused)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

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
		require.NotErrorIs(t, err, ledger.ErrIDSpent, "the ledger was not asked")
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

// The peer spends what it has between the look at its balance and the booking. The money is
// gone by then: what the account does not cover is owed as arrears.
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

// What is booked by hand is seen by the order that follows it, and the other way
// round: neither gets in between the other's look at the balance and its booking.
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

// An account that is touched while a payment by hand has its turn is settled right
// behind it, also if the payment is refused.
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
		e := w.engineOn(l, automatic(r))
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

// A payment for somebody unknown leaves nothing behind for Check to stumble over.
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

// The money of a closed peer goes to suspense, once, and stays there when the same
// key is reported again, whatever became of the account.
func TestReceiveForAClosedPeer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	in := settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(50)}
	reopen := w.closePeer(w.alice)
	first, err := e.RecordIncoming(t.Context(), in)
	require.NoError(t, err)
	require.True(t, first.InSuspense)
	require.False(t, first.AlreadyBooked)
	for range 2 {
		again, err := e.RecordIncoming(t.Context(), in)
		require.NoError(t, err)
		require.True(t, again.InSuspense)
		require.True(t, again.AlreadyBooked)
		require.Equal(t, first.Transfer, again.Transfer)
		reopen()
		reopen = func() {}
	}
	in.Amount = units(51)
	_, err = e.RecordIncoming(t.Context(), in)
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	b := w.balance(w.alice)
	require.Equal(t, units(50), b.SettledIn)
	require.Zero(t, b.Payable)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// With the peer's account and suspense both closed there is nowhere to put the
// money: that is said, and not tried for ever. Later the same key can be booked.
func TestReceiveWithNowhereToPutIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	in := settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(50)}
	own, _ := w.book.AssetIDs(usd.Ledger)
	reopen := w.closePeer(w.alice)
	w.writePacket(own.Suspense, own.Control, 0, ledger.TransferPending|ledger.TransferClosingDebit)
	_, err := e.RecordIncoming(t.Context(), in)
	require.ErrorIs(t, err, accounts.ErrPeerClosed)
	reopen()
	receipt, err := e.RecordIncoming(t.Context(), in)
	require.NoError(t, err)
	require.False(t, receipt.InSuspense)
	require.Equal(t, units(50), w.balance(w.alice).SettledIn)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// A key is never used up by refusals: it is booked as soon as there is somewhere to put the
// money.
func TestReceiveRefusedForEver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	own, _ := w.book.AssetIDs(usd.Ledger)
	reopen := w.closePeer(w.alice)
	w.writePacket(own.Suspense, own.Control, 0, ledger.TransferPending|ledger.TransferClosingDebit)
	in := settlement.IncomingPayment{Account: w.alice, Key: "k", Amount: units(5)}
	for range 50 {
		_, err := e.RecordIncoming(t.Context(), in)
		require.ErrorIs(t, err, accounts.ErrPeerClosed)
	}
	reopen()
	w.recordIncoming(e, w.alice, "k", 5)
	require.Equal(t, units(5), w.balance(w.alice).SettledIn)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

// A rail that gives each call so little time that it ends behind the request that the ledger has
// refused, and calls again, gets the payment of a closed peer booked, and so does one for which
// the peer is closed and opened between any two requests.
func TestReceiveForAClosedPeerInCallsThatEnd(t *testing.T) {
	t.Parallel()
	for name, flips := range map[string]bool{"the peer stays closed": false, "it is closed and opened": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			var open func()
			if !flips {
				w.closePeer(w.alice)
			}
			writes, calls := 0, 0
			l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
				switch {
				case !c.creates:
					return noFault
				case writes > min(calls, 16): // over all ids that are burnt, and one more
					return fault{before: context.DeadlineExceeded}
				case flips && open == nil: // the look-up has found it open
					open = w.closePeer(w.alice)
				}
				writes++
				return noFault
			}}
			in := settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(50)}
			booked := 0
			for calls = range 40 {
				writes = 0
				_, err := w.engineOn(l, settlement.Config{}).RecordIncoming(t.Context(), in)
				if err == nil {
					booked++
				}
				require.NotErrorIs(t, err, accounts.ErrKeySpent)
				if open != nil {
					open()
					open = nil
				}
			}
			if !flips {
				require.Equal(t, 40, booked)
			}
			receipt, err := w.engine(settlement.Config{}).RecordIncoming(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, !flips, receipt.InSuspense)
			require.Equal(t, units(50), w.balance(w.alice).SettledIn)
			ledgertest.RequireNothingHeld(t, w.ledger)
		})
	}
}

func TestReceiveAgainAfterClosing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	in := settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(50)}
	_, err := e.RecordIncoming(t.Context(), in)
	require.NoError(t, err)
	w.closePeer(w.alice)
	again, err := e.RecordIncoming(t.Context(), in)
	require.NoError(t, err)
	require.True(t, again.AlreadyBooked)
	require.False(t, again.InSuspense)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

func TestKeyAfterARefusedAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	late, err := w.book.PeerAccount("late", usd)
	require.NoError(t, err)
	in := settlement.IncomingPayment{Account: late, Key: "a", Amount: units(50)}
	for range 2 {
		_, err = e.RecordIncoming(t.Context(), in)
		require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	}
	_, err = w.book.Provision(t.Context(), accounts.PeerConfig{ID: "late", Asset: usd})
	require.NoError(t, err)
	receipt, err := e.RecordIncoming(t.Context(), in)
	require.NoError(t, err)
	require.False(t, receipt.AlreadyBooked)
	receipt, err = e.RecordIncoming(t.Context(), in)
	require.NoError(t, err)
	require.True(t, receipt.AlreadyBooked)
	require.Equal(t, units(50), w.balance(late).SettledIn)
	ledgertest.RequireNothingHeld(t, w.ledger)
}

func TestKeyedPaymentsThatCannotBe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	own, err := w.book.OwnAccount(usd)
	require.NoError(t, err)
	eur := accounts.Asset{Code: "EUR", Ledger: 2}
	elsewhere, err := accounts.NewBook(w.ledger, accounts.Config{Assets: []accounts.Asset{eur}})
	require.NoError(t, err)
	foreign, err := elsewhere.PeerAccount("alice", eur)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		in   settlement.IncomingPayment
		want error
	}{
		"nobody":        {settlement.IncomingPayment{Key: "a"}, accounts.ErrInvalid},
		"ourselves":     {settlement.IncomingPayment{Account: own, Key: "a"}, accounts.ErrInvalid},
		"no key":        {settlement.IncomingPayment{Account: w.alice}, accounts.ErrInvalid},
		"unknown asset": {settlement.IncomingPayment{Account: foreign, Key: "a"}, accounts.ErrUnknownAsset},
		"overflow":      {settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: ledger.AmountMax}, accounts.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := e.RecordIncoming(t.Context(), c.in)
			require.ErrorIs(t, err, c.want)
			var booking *settlement.BookingError
			require.ErrorAs(t, err, &booking)
		})
	}
}

// Keys and names of channels have no white space around them. What earlier versions booked under
// such ones can be returned, and such a channel goes on.
func TestKeysWithWhiteSpace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	ids := w.book.PeerIDs(w.alice)
	refused := func(err error, field string) {
		t.Helper()
		var wrong *accounts.FieldError
		require.ErrorAs(t, err, &wrong)
		require.Equal(t, field, wrong.Field)
		require.ErrorContains(t, err, `"w1 " must not begin or end with white space`)
	}
	_, err := e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "w1 ", Amount: units(5)})
	refused(err, "Key")
	_, err = e.RecordOutgoing(t.Context(), settlement.OutgoingPayment{Account: w.alice, Key: "w1 ", Amount: units(5)})
	refused(err, "Key")
	_, err = e.RecordReturned(t.Context(), settlement.ReturnedPayment{Account: w.alice, Key: "w1 ", Payment: "w1", Amount: units(5)})
	refused(err, "Key")
	voucher := settlement.Voucher{Account: w.alice, Channel: "w1 ", Cumulative: units(5)}
	_, err = e.RecordVoucher(t.Context(), voucher)
	refused(err, "Channel")
	_, err = e.RecordRedemption(t.Context(), voucher)
	refused(err, "Channel")
	require.Zero(t, w.balance(w.alice).SettledIn)

	// An earlier version's rows.
	old := ledger.Transfer{DebitAccountID: ids.Settlement, CreditAccountID: ids.Peer, Amount: units(5), Ledger: usd.Ledger}
	ns := chart.Namespace("")
	paid, claimed := old, old
	paid.ID, paid.Code = ns.Derive("in", chart.ID(ids.Settlement), []byte("w1 "), chart.U64(0)), chart.CodeIncoming
	claimed.ID, claimed.Code = ledger.NewID(1, 9), chart.CodeVoucher
	claimed.UserData64, claimed.UserData32 = max(ns.Derive("channel", []byte("w1 ")).Hi, 1), 1
	claimed.UserData128 = uint128.From64(5)
	results, err := w.ledger.CreateTransfers(t.Context(), []ledger.Transfer{paid, claimed})
	require.NoError(t, err)
	for _, r := range results {
		require.Equal(t, ledger.TransferCreated, r.Status)
	}
	_, err = e.RecordReturned(t.Context(), settlement.ReturnedPayment{Account: w.alice, Key: "back", Payment: "w1 ", Amount: units(5)})
	require.NoError(t, err)
	voucher.Cumulative = units(8)
	receipt, err := e.RecordVoucher(t.Context(), voucher)
	require.NoError(t, err)
	require.Equal(t, units(3), receipt.Amount)
	_, err = e.RecordRedemption(t.Context(), voucher)
	require.NoError(t, err)
}

func TestKeyedPaymentWithALostReply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	lost := false
	l := &faultyLedger{Ledger: w.ledger, fault: func(c call) fault {
		if lost || !c.creates {
			return noFault
		}
		lost = true
		return fault{after: ledger.ErrOutcomeUnknown}
	}}
	in := settlement.IncomingPayment{Account: w.alice, Key: "a", Amount: units(50)}
	_, err := w.engineOn(l, settlement.Config{}).RecordIncoming(t.Context(), in)
	require.NoError(t, err)
	require.True(t, lost)
	require.Equal(t, units(50), w.balance(w.alice).SettledIn)
	ledgertest.RequireNothingHeld(t, w.ledger)
}
