package doctor

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/settlement"
)

var usd = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}

// booksFixture has books with peers, and writes rows that the doctor must find.
type booksFixture struct {
	ledger  *embedded.Ledger
	book    *accounts.Book
	subject Subject
	rows    uint64
}

// kept is a session that leaves its ledger open.
type kept struct{ session }

func (kept) Close() error { return nil }

func newBooksFixture(t *testing.T, peers ...string) *booksFixture {
	t.Helper()
	s := &booksFixture{ledger: embedded.New(), subject: newSubject(serveReplica(t, 1, nil)...)}
	cfg := accounts.Config{Namespace: "test", Assets: []accounts.Asset{usd}, SuspensionPollInterval: time.Millisecond}
	var err error
	s.book, err = accounts.NewBook(s.ledger, cfg)
	require.NoError(t, err)
	s.subject.Open = func(context.Context) (Session, error) { return kept{session{s.ledger}}, nil }
	s.subject.Books.Config = cfg
	for _, peer := range peers {
		_, err := s.book.Provision(t.Context(), accounts.PeerConfig{ID: peer, Asset: usd})
		require.NoError(t, err)
		s.subject.Books.Peers = append(s.subject.Books.Peers, accounts.PeerAsset{Peer: peer, Asset: usd})
	}
	return s
}

func (s *booksFixture) peerIDs(t *testing.T, peer string) accounts.PeerIDs {
	t.Helper()
	a, err := s.book.PeerAccount(peer, usd)
	require.NoError(t, err)
	return s.book.PeerIDs(a)
}

func (s *booksFixture) writeTransfer(t *testing.T, row ledger.Transfer) {
	t.Helper()
	s.rows++
	row.ID, row.Ledger = ledger.NewID(0, s.rows), usd.Ledger
	results, err := s.ledger.CreateTransfers(t.Context(), []ledger.Transfer{row})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
}

// findFinding returns the finding with a code.
func findFinding(t *testing.T, r Report, code Code) Finding {
	t.Helper()
	for _, f := range r {
		if f.Code == code {
			return f
		}
	}
	require.Fail(t, "there is no such finding", "%s in %v", code, r)
	return Finding{}
}

// The books of an open ledger have the findings of a session's books.
func TestExamineBooks(t *testing.T) {
	t.Parallel()
	s := newBooksFixture(t, "alice", "bob")
	alice, err := s.book.PeerAccount("alice", usd)
	require.NoError(t, err)
	_, err = s.book.Adjust(t.Context(), accounts.Adjustment{Account: alice, Key: "k", Debit: ledger.NewAmount(7), ReasonCode: 1, BeyondHeadroom: true})
	require.NoError(t, err)
	whole := Examine(t.Context(), s.subject)
	report := ExamineBooks(t.Context(), s.ledger, s.subject.Books)
	require.Contains(t, findFinding(t, report, InArrears).Found, "alice 0.07 USD")
	for _, f := range report {
		require.Contains(t, whole, f)
	}
	require.False(t, report.Has(SessionWorks))
	require.Empty(t, ExamineBooks(t.Context(), s.ledger, Books{}))
}

func TestBooksWithoutArrears(t *testing.T) {
	t.Parallel()
	s := newBooksFixture(t, "alice", "bob")
	s.subject.Books.Peers = append(s.subject.Books.Peers, accounts.PeerAsset{Peer: "nobody", Asset: usd})
	r := Examine(t.Context(), s.subject)
	require.Empty(t, listCodes(r), "%v", r)
	require.Equal(t, "2 peers of the configuration, none in arrears", findFinding(t, r, BooksRight).Found)

	s.subject.Books = Books{}
	require.False(t, Examine(t.Context(), s.subject).Has(BooksRight), "nobody has said which books there are")
}

func TestPeersInArrears(t *testing.T) {
	t.Parallel()
	s := newBooksFixture(t, "alice", "bob", "carol")
	own, known := s.book.AssetIDs(usd.Ledger)
	require.True(t, known)
	for peer, amount := range map[string]uint64{"alice": 120, "carol": 5} {
		s.writeTransfer(t, ledger.Transfer{
			DebitAccountID: s.peerIDs(t, peer).Arrears, CreditAccountID: own.Suspense, Amount: ledger.NewAmount(amount), Code: chart.CodeAdjust,
		})
	}
	r := Examine(t.Context(), s.subject)
	require.Equal(t, []Code{InArrears}, listCodes(r))
	found := findFinding(t, r, InArrears)
	require.Equal(t, "books in USD/2", found.Subject)
	require.Equal(t, "alice 1.20 USD, carol 0.05 USD", found.Found)
	require.Equal(t, Warning, r.Worst())
}

// A peer provisioned before the version with arrears has three accounts.
func TestPeersOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	s := newBooksFixture(t, "alice")
	other, err := accounts.NewBook(embedded.New(), s.subject.Books.Config)
	require.NoError(t, err)
	bob, err := other.Provision(t.Context(), accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	ids := other.PeerIDs(bob[0])
	tag := s.readAssetTag(t)
	for id, code := range map[ledger.ID]uint16{ids.Peer: chart.CodePeer, ids.Line: chart.CodeLine, ids.Settlement: chart.CodeSettlement} {
		results, err := s.ledger.CreateAccounts(t.Context(), []ledger.Account{{ID: id, Ledger: usd.Ledger, Code: code, UserData64: tag, UserData32: 2}})
		require.NoError(t, err)
		require.Equal(t, ledger.AccountCreated, results[0].Status)
	}
	s.subject.Books.Peers = append(s.subject.Books.Peers, accounts.PeerAsset{Peer: "bob", Asset: usd})
	r := Examine(t.Context(), s.subject)
	require.Equal(t, []Code{NoArrearsAccount}, listCodes(r))
	require.Equal(t, "bob", findFinding(t, r, NoArrearsAccount).Found)
}

// readAssetTag reads the tag of the asset on our accounts.
func (s *booksFixture) readAssetTag(t *testing.T) uint64 {
	t.Helper()
	rows, err := s.ledger.LookupAccounts(t.Context(), []ledger.ID{s.peerIDs(t, "alice").Peer})
	require.NoError(t, err)
	return rows[0].UserData64
}

// Unchecked orders are correct until the first checked order.
func TestEnginesOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	const unchecked, checked = 0, 1 << 56
	for name, test := range map[string]struct {
		versions []uint64 // of the orders, oldest first
		want     []Code
	}{
		"before the upgrade": {[]uint64{unchecked, unchecked}, nil},
		"upgraded":           {[]uint64{unchecked, unchecked, checked, checked}, nil},
		"old one runs":       {[]uint64{unchecked, checked, unchecked}, []Code{OldEngine}},
		"both run":           {[]uint64{checked, unchecked, checked}, []Code{OldEngine}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newBooksFixture(t, "alice")
			own, _ := s.book.AssetIDs(usd.Ledger)
			ids := s.peerIDs(t, "alice")
			s.writeTransfer(t, ledger.Transfer{DebitAccountID: own.Liquidity, CreditAccountID: ids.Peer, Amount: ledger.NewAmount(1000), Code: chart.CodePacket})
			var placed []ledger.ID
			for i, version := range test.versions {
				s.writeTransfer(t, ledger.Transfer{
					DebitAccountID: ids.Peer, CreditAccountID: ids.Settlement, Amount: ledger.NewAmount(1), Code: chart.CodeOrder,
					UserData64: version | uint64(i+1), Flags: ledger.TransferPending,
				})
				order := ledger.NewID(0, s.rows)
				placed = append(placed, order)
				s.writeTransfer(t, ledger.Transfer{PendingID: order, Amount: ledger.AmountMax, Flags: ledger.TransferPostPending})
			}
			r := Examine(t.Context(), s.subject)
			require.Equal(t, test.want, listCodes(r))
			if test.want != nil {
				i := len(placed) - 1
				for test.versions[i] == checked {
					i--
				}
				require.Equal(t, fmt.Sprintf("order %v of alice", placed[i]), findFinding(t, r, OldEngine).Found)
				require.Equal(t, Problem, r.Worst())
			}
		})
	}
}

func TestBooksOfOthers(t *testing.T) {
	t.Parallel()
	s := newBooksFixture(t, "alice")
	s.subject.Books.Config.Assets = []accounts.Asset{{Code: "USD", Scale: 2, Ledger: 7}}
	r := Examine(t.Context(), s.subject)
	require.Equal(t, []Code{BooksUnread}, listCodes(r))
	require.Contains(t, findFinding(t, r, BooksUnread).Found, "USD")
}

// Payments of closed peers wait until they are released or returned.
func TestMoneyOfClosedPeers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newBooksFixture(t, "alice", "bob", "carol")
	engine, err := settlement.NewEngine(s.ledger, s.book, settlement.Config{Manual: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, engine.Close(ctx)) }()
	var peers []accounts.PeerAccount
	for _, name := range []string{"alice", "bob", "carol"} {
		peer, err := s.book.PeerAccount(name, usd)
		require.NoError(t, err)
		peers = append(peers, peer)
		if name != "carol" {
			require.NoError(t, s.book.ClosePeer(ctx, peer))
		}
		for i, amount := range []uint64{250, 50} {
			_, err = engine.RecordIncoming(ctx, settlement.IncomingPayment{Account: peer, Key: fmt.Sprint(i), Amount: ledger.NewAmount(amount)})
			require.NoError(t, err)
		}
	}
	r := Examine(ctx, s.subject)
	require.Equal(t, []Code{MoneyWaits}, listCodes(r))
	require.Equal(t, "alice 3.00 USD, bob 3.00 USD", findFinding(t, r, MoneyWaits).Found)

	_, err = engine.RecordReturned(ctx, settlement.ReturnedPayment{Account: peers[0], Key: "back", Payment: "0", Amount: ledger.NewAmount(250)})
	require.NoError(t, err)
	require.NoError(t, s.book.ReopenPeer(ctx, peers[1]))
	_, err = engine.Release(ctx, peers[1])
	require.NoError(t, err)
	require.Equal(t, "alice 0.50 USD", findFinding(t, Examine(ctx, s.subject), MoneyWaits).Found)
}

// Ids that differ by case are two peers, which is rarely intended.
func TestPeersThatLookAlike(t *testing.T) {
	t.Parallel()
	s := newBooksFixture(t, "alice", "bob", "Alice")
	f := findFinding(t, Examine(t.Context(), s.subject), PeersAlike)
	require.Equal(t, `"Alice" and "alice"`, f.Found)
	require.Equal(t, Warning, f.Level)
	require.False(t, Examine(t.Context(), newBooksFixture(t, "alice", "bob").subject).Has(PeersAlike))
}
