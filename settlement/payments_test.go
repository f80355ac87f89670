package settlement_test

import (
	"sync"
	"testing"

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
	for range 3 { // a new engine each time: only the ledger remembers
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

	// The same key of another account is another key.
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

// Keys and channel names with white space around them are refused. A payment of an earlier version under such a key can
// be returned, and such a channel goes on.
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

	// Rows of an earlier version.
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
