package settlement_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// A statement has the direction of each payment, and the key under which it was booked: the hash, and
// the key itself if the reader knows the key.
func TestStatementNamesPayments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	_, err := e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "wire 1", Amount: units(500)})
	require.NoError(t, err)
	_, err = e.RecordOutgoing(t.Context(), settlement.OutgoingPayment{Account: w.alice, Key: "cheque 2", Amount: units(30)})
	require.NoError(t, err)
	_, err = e.RecordReturned(t.Context(), settlement.ReturnedPayment{Account: w.alice, Key: "return 3", Payment: "wire 1", Amount: units(70)})
	require.NoError(t, err)
	_, err = w.book.Adjust(t.Context(), accounts.Adjustment{Account: w.alice, Key: "ticket 4", Credit: units(5), ReasonCode: 1})
	require.NoError(t, err)
	w.spend(w.alice, 11)
	w.earn(w.alice, 12)

	s, err := w.book.Statement(t.Context(), w.alice, time.Time{}, time.Time{}, accounts.WithKnownKeys("wire 1", "cheque 2", "return 3"))
	require.NoError(t, err)
	type said struct {
		kind      accounts.EntryKind
		amount    int64
		direction accounts.Direction
		key       string
	}
	want := []said{
		{accounts.EntryCreditLine, 0, "", ""},
		{accounts.EntrySettlement, 500, accounts.DirectionIn, "wire 1"},
		{accounts.EntryByHand, -30, accounts.DirectionOut, "cheque 2"},
		{accounts.EntryReturned, -70, accounts.DirectionOut, "wire 1"}, // the payment that came back
		{accounts.EntryCorrection, 5, "", ""},                          // a key unknown to the caller
		{accounts.EntryPacket, -11, accounts.DirectionIn, ""},
		{accounts.EntryPacket, 12, accounts.DirectionOut, ""},
	}
	var text bytes.Buffer
	require.NoError(t, accounts.WriteCSV(t.Context(), &text, s))
	written := accounts.ReadCSV(strings.NewReader(text.String()), usd)
	for _, entries := range []func(func(accounts.Entry, error) bool){s.Entries(t.Context()), written} {
		var got []said
		hashes := map[ledger.ID]string{}
		for e, err := range entries {
			require.NoError(t, err)
			got = append(got, said{e.Kind, e.Amount.Int64(), e.Direction, e.Key})
			hashes[e.KeyHash] += string(e.Kind) + " "
		}
		require.Equal(t, want, got)
		require.Len(t, hashes, 4, "none, and three keys: %v", hashes)
		require.Equal(t, "credit line packet packet ", hashes[ledger.ID{}])
	}
	require.NotContains(t, text.String(), ",wire", "a key that others chose does not begin a field")
}

// The row that releases a closed peer's payment from suspense has the key of the payment.
func TestStatementNamesReleasedPayments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.engine(settlement.Config{})
	require.NoError(t, w.book.ClosePeer(t.Context(), w.alice))
	receipt, err := e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "wire 1", Amount: units(500)})
	require.NoError(t, err)
	require.True(t, receipt.InSuspense)
	require.NoError(t, w.book.ReopenPeer(t.Context(), w.alice))
	_, err = e.Release(t.Context(), w.alice)
	require.NoError(t, err)
	s, err := w.book.Statement(t.Context(), w.alice, time.Time{}, time.Time{}, accounts.WithKnownKeys("wire 1"))
	require.NoError(t, err)
	var last accounts.Entry
	for e, err := range s.Entries(t.Context()) {
		require.NoError(t, err)
		if e.Kind == accounts.EntrySettlement {
			last = e
		}
	}
	require.Equal(t, "wire 1", last.Key)
	require.Equal(t, accounts.DirectionIn, last.Direction)
	require.Equal(t, int64(500), last.Amount.Int64())
}

// In a statement, the payment of an order has no key except the order's id, vouchers have no key, and
// announcements do not appear.
func TestStatementEntriesWithoutKeys(t *testing.T) {
	t.Parallel()
	w, r := newWorld(t), newRail()
	e := w.engine(manualConfig(r, at100))
	w.earn(w.alice, 100)
	paid, err := e.Settle(t.Context(), w.alice)
	require.NoError(t, err)
	require.Len(t, paid, 1)
	_, err = e.RecordVoucher(t.Context(), settlement.Voucher{Account: w.alice, Channel: "c", Cumulative: units(5)})
	require.NoError(t, err)
	_, err = e.Announce(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "wire 1", Amount: units(7)})
	require.NoError(t, err)
	require.Equal(t, units(7), w.balance(w.alice).Announced)
	s, err := w.book.Statement(t.Context(), w.alice, time.Time{}, time.Time{}, accounts.WithKnownKeys("wire 1", "c"))
	require.NoError(t, err)
	var amounts []int64
	for entry, err := range s.Entries(t.Context()) {
		require.NoError(t, err)
		require.True(t, entry.KeyHash.IsZero(), "%v", entry.Kind)
		require.Empty(t, entry.Key)
		if entry.Amount.Int64() == -80 {
			require.Equal(t, paid[0].Order.ID, entry.Order)
		}
		if entry.Amount.Sign() != 0 {
			amounts = append(amounts, entry.Amount.Int64())
		}
	}
	require.Equal(t, []int64{100, -80, 5}, amounts)
	_, err = e.Fail(t.Context(), w.alice, "wire 1")
	require.NoError(t, err)
	w.requireConserved(r)
}
