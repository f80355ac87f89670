package accounts_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

var reservationScenarios = []scenario{{"reservations of a peer", testReservations}, {"changes of a peer with a reservation", testReservedPeer}}

// reserve reserves a part of a peer's headroom as a recorder in rounds does.
func reserve(t *testing.T, l ledger.Ledger, book *accounts.Book, a accounts.PeerAccount, amount, journal uint64, timeout uint32) ledger.ID {
	t.Helper()
	require.NoError(t, book.EnsureTransit(t.Context()))
	own, _ := book.AssetIDs(a.Ledger())
	row := ledger.Transfer{
		ID: randomID(), DebitAccountID: a.ID(), CreditAccountID: own.Transit, Amount: units(amount), Timeout: timeout,
		UserData64: journal, Ledger: a.Ledger(), Code: chart.CodeReserve, Flags: ledger.TransferPending,
	}
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{row})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	return row.ID
}

// On every ledger: a reservation is listed until it is posted, voided or expired, and is no packet. It
// counts as held, and no other account shows it.
func testReservations(t *testing.T, l ledger.Ledger) {
	book := newBook(t, l)
	peers := provision(t, book, 1000, "alice", "bob")
	packet := movePacket(t, l, peers[0].ID(), peers[1].ID(), 40, ledger.TransferPending)
	later := reserve(t, l, book, peers[0], 300, 7, 600)
	first := reserve(t, l, book, peers[0], 200, 1<<63, 60)
	reserve(t, l, book, peers[0], 5, 9, 1)
	var got []accounts.Reservation
	require.Eventually(t, func() bool {
		var err error
		got, err = book.Reservations(t.Context(), peers[0])
		return err != nil || len(got) == 2
	}, 30*time.Second, 50*time.Millisecond, "the third one has expired")
	require.Len(t, got, 2)
	require.Equal(t, accounts.Reservation{ID: first, Journal: 1 << 63, Amount: units(200), Since: got[0].Since, Expiry: got[0].Since.Add(time.Minute)}, got[0])
	require.Equal(t, accounts.Reservation{ID: later, Journal: 7, Amount: units(300), Since: got[1].Since, Expiry: got[1].Since.Add(10 * time.Minute)}, got[1])
	holds, err := book.Holds(t.Context(), peers[0])
	require.NoError(t, err)
	require.Len(t, holds, 1)
	require.Equal(t, units(40), holds[0].In)
	b := balance(t, book, peers[0])
	require.Equal(t, []ledger.Amount{units(540), units(460)}, []ledger.Amount{b.HeldIn, b.Headroom})
	of, err := book.Reservations(t.Context(), peers[1])
	require.NoError(t, err)
	require.Empty(t, of)

	resolveHold(t, l, first, ledger.TransferVoidPending)
	resolveHold(t, l, packet, ledger.TransferVoidPending)
	resolveHold(t, l, later, ledger.TransferVoidPending)
	got, err = book.Reservations(t.Context(), peers[0])
	require.NoError(t, err)
	require.Empty(t, got)
	own, err := book.OwnAccount(usd)
	require.NoError(t, err)
	_, err = book.Reservations(t.Context(), own)
	requireField(t, err, "Account")
}

// On every ledger: reserved headroom can be neither debited nor revoked, and the peer cannot be closed.
// The errors tell where the amounts are.
func testReservedPeer(t *testing.T, l ledger.Ledger) {
	book := quickBook(t, l)
	alice := provision(t, book, 1000, "alice")[0]
	id := reserve(t, l, book, alice, 300, 7, 600)
	_, err := book.Adjust(t.Context(), accounts.Adjustment{Account: alice, Key: "k", Debit: units(701), ReasonCode: 1})
	require.ErrorIs(t, err, accounts.ErrNotCovered)
	_, err = book.RevokeCredit(t.Context(), alice, units(701))
	require.ErrorIs(t, err, accounts.ErrLineInUse)
	err = book.ClosePeer(t.Context(), alice, accounts.WithForce(), accounts.WithReasonCode(1))
	require.ErrorIs(t, err, accounts.ErrHeld)
	require.ErrorContains(t, err, "by packets from the peer or reserved for them")
	require.False(t, balance(t, book, alice).Suspended, "as before")

	resolveHold(t, l, id, ledger.TransferVoidPending)
	_, err = book.Adjust(t.Context(), accounts.Adjustment{Account: alice, Key: "k", Debit: units(701), ReasonCode: 1})
	require.NoError(t, err)
	require.NoError(t, book.ClosePeer(t.Context(), alice, accounts.WithForce(), accounts.WithReasonCode(1)))
}

// On every ledger: the sums of a trial balance show reservations, and an amount that has stayed on a transit
// account is an error.
func testTransitInTrialBalance(t *testing.T, l ledger.Ledger) {
	book, asset := newTrialBook(t, l)
	alice, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: asset, CreditLine: units(1000)})
	require.NoError(t, err)
	id := reserve(t, l, book, alice[0], 30, 7, 600)
	trial, err := book.TrialBalance(t.Context(), asset)
	require.NoError(t, err)
	require.Contains(t, formatTrial(trial), "transit 1 0 0 0 30")

	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{{ID: randomID(), PendingID: id, Amount: units(12), Flags: ledger.TransferPostPending}})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	trial, err = book.TrialBalance(t.Context(), asset)
	require.ErrorIs(t, err, accounts.ErrTransit)
	var fault *accounts.TransitError
	require.ErrorAs(t, err, &fault)
	require.Equal(t, accounts.TransitError{Asset: asset, Amount: units(12)}, *fault)
	require.ErrorContains(t, err, "0.12 USD")
	require.Contains(t, formatTrial(trial), "transit 1 0 12 0 0", "the sums are returned as well")
}
