package accounts_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var holdScenarios = []scenario{{"holds of a peer", testHolds}, {"open holds of peers", testOpenHolds}}

// On every ledger: a hold is listed until it is posted, voided or expired.
func testHolds(t *testing.T, l ledger.Ledger) {
	for _, noHistory := range []bool{false, true} {
		t.Run(fmt.Sprint("no history ", noHistory), func(t *testing.T) { testHoldsOf(t, l, noHistory) })
	}
}

func testHoldsOf(t *testing.T, l ledger.Ledger, noHistory bool) {
	t.Helper()
	c := newStatementModel(t, l, 1, noHistory)
	alice, bob := c.peers[0], c.peers[1]
	hold := func(amount int64, timeout uint32, of uint64) ledger.Transfer {
		row := c.leg(chart.CodePacket, bob.ID(), amount, of)
		row.Flags, row.Timeout = ledger.TransferPending, timeout
		c.create(row)
		return row
	}
	fromAlice, toAlice := hold(-30, 3600, 1), hold(7, 1800, 2)
	hold(9, 1, 3) // expires soon
	got, err := c.book.Holds(t.Context(), alice)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(got), 2)
	got = got[len(got)-2:]
	require.Equal(t, ledger.ID(toAlice.UserData128), got[0].Packet)
	require.Equal(t, units(7), got[0].Out)
	require.Equal(t, 30*time.Minute, got[0].Expiry.Sub(got[0].Since))
	require.Equal(t, ledger.ID(fromAlice.UserData128), got[1].Packet)
	require.Equal(t, units(30), got[1].In)
	of, err := c.book.Holds(t.Context(), bob)
	require.NoError(t, err)
	require.Equal(t, units(30), of[len(of)-1].Out, "the other side of it")
	require.Eventually(t, func() bool {
		got, err = c.book.Holds(t.Context(), alice)
		return err != nil || len(got) == 2
	}, 30*time.Second, 50*time.Millisecond, "the third one has expired")
	require.NoError(t, err)
	c.create(ledger.Transfer{ID: randomID(), PendingID: fromAlice.ID, Amount: ledger.AmountMax, Flags: ledger.TransferPostPending})
	c.create(ledger.Transfer{ID: randomID(), PendingID: toAlice.ID, Flags: ledger.TransferVoidPending})
	got, err = c.book.Holds(t.Context(), alice)
	require.NoError(t, err)
	require.Empty(t, got)
}

// For any prepares, resolutions, expiries and orders: the list equals the model's holds, also
// with small pages.
func TestHoldsAgainstAModel(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	listed := 0
	for program := range uint64(60) {
		m := newHoldsModel(t, seed, program, program%4 == 3)
		m.page = []uint32{ledger.QueryMax, 1, 2, 7}[program%3]
		for range 150 {
			m.step()
			if m.random.IntN(10) > 0 {
				continue
			}
			m.now = m.now.Add(time.Duration(m.random.IntN(20_000_000_000)))
			m.create(ledger.Transfer{ // makes the ledger release expired holds
				ID: randomID(), DebitAccountID: m.own.Revenue, CreditAccountID: m.own.Dust, Ledger: usd.Ledger, Code: chart.CodeAdjust,
			})
			got, err := m.book.Holds(t.Context(), m.peers[0])
			require.NoError(t, err)
			require.Equal(t, m.wantedHolds(), append([]accounts.Hold{}, got...), "program %d", program)
			listed += len(got)
		}
		require.NoError(t, m.Close())
	}
	require.Greater(t, listed, 1000)
}

// With concurrent writes during reading: the list is of the moment at which reading began.
func TestHoldsWhileOthersWrite(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	for program := range uint64(60) {
		m := newHoldsModel(t, seed, program, false)
		for range 100 {
			m.step()
		}
		m.create(m.leg(chart.CodePacket, m.peers[1].ID(), m.peers[0].ID(), 1, 0, 0)) // so that the newest row is of now
		m.page, m.busy = 5, true
		got, err := m.book.Holds(t.Context(), m.peers[0])
		require.NoError(t, err)
		require.Equal(t, m.then, append([]accounts.Hold{}, got...), "program %d", program)
		require.NoError(t, m.Close())
	}
}

// For a peer with many rows, only the rows newer than the oldest hold are read.
func TestHoldsOfAPeerWithManyRows(t *testing.T) {
	t.Parallel()
	m := newHoldsModel(t, 1, 1, false)
	for range 5000 {
		m.create(m.leg(chart.CodePacket, m.peers[1].ID(), m.peers[0].ID(), 1, 0, 0))
	}
	m.page = 100
	got, err := m.book.Holds(t.Context(), m.peers[0])
	require.NoError(t, err)
	require.Empty(t, got)
	require.Zero(t, m.rows)
	for range 10 {
		m.prepare()
		m.create(m.leg(chart.CodePacket, m.peers[1].ID(), m.peers[0].ID(), 1, 0, 0))
	}
	got, err = m.book.Holds(t.Context(), m.peers[0])
	require.NoError(t, err)
	require.NotEmpty(t, got)
	require.LessOrEqual(t, m.rows, 101)
}

func TestHoldsOfNobody(t *testing.T) {
	t.Parallel()
	m := newHoldsModel(t, 1, 1, false)
	carol, err := m.book.PeerAccount("carol", usd)
	require.NoError(t, err)
	_, err = m.book.Holds(t.Context(), carol)
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	_, err = m.book.Holds(t.Context(), accounts.PeerAccount{})
	require.Error(t, err)
}

// Only peers of the book's assets have holds.
func TestHoldsOfOtherAccounts(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	book := newBook(t, l)
	own, err := book.OwnAccount(usd)
	require.NoError(t, err)
	var field *accounts.FieldError
	for _, a := range []accounts.PeerAccount{{}, own} {
		_, err = book.Holds(t.Context(), a)
		require.ErrorAs(t, err, &field)
		require.Equal(t, "Account", field.Field)
	}
	dollars, err := accounts.NewBook(l, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	foreign := provision(t, book, 100, "alice")[0]
	alice, err := book.PeerAccount("alice", xrp)
	require.NoError(t, err)
	_, err = dollars.Holds(t.Context(), alice)
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
	_, err = dollars.Holds(t.Context(), foreign)
	require.NoError(t, err)
}

// A voided hold on suspense is in no sum of the rows of suspense.
func TestHoldsOnSuspense(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	suspense := func() ledger.ID {
		ids, _ := w.book.AssetIDs(usd.Ledger)
		return ids.Suspense
	}()
	alice, ids := w.peers["alice"], w.book.PeerIDs(w.peers["alice"])
	hold := movePacket(t, w.ledger, suspense, alice.ID(), 9, ledger.TransferPending)
	resolveHold(t, w.ledger, hold, ledger.TransferVoidPending)
	payment := ledger.Transfer{
		ID: randomID(), DebitAccountID: ids.Settlement, CreditAccountID: suspense, Amount: units(13),
		Ledger: usd.Ledger, Code: chart.CodeIncoming,
	}
	results, err := w.ledger.CreateTransfers(t.Context(), []ledger.Transfer{payment})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	balances, err := w.book.Balances(t.Context(), alice)
	require.NoError(t, err)
	waits, err := w.book.WaitingInSuspense(t.Context(), balances...)
	require.NoError(t, err)
	require.Equal(t, []ledger.Amount{units(13)}, waits)
	ledgertest.RequireNothingHeld(t, w.ledger)
}
