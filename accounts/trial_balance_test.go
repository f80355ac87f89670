package accounts_test

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var trialScenarios = []scenario{
	{"trial balance", testTrialBalance}, {"transit in a trial balance", testTransitInTrialBalance},
}

// newTrialBook makes a book of an asset of this test alone.
func newTrialBook(t *testing.T, l ledger.Ledger) (*accounts.Book, accounts.Asset) {
	t.Helper()
	asset := accounts.Asset{Code: "USD", Scale: 2, Ledger: rand.Uint32() | 1<<31}
	book, err := accounts.NewBook(l, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{asset}})
	require.NoError(t, err)
	return book, asset
}

// testTrialBalance compares the sums of a Book with the balances of its peers.
func testTrialBalance(t *testing.T, l ledger.Ledger) {
	book, asset := newTrialBook(t, l)
	number := asset.Ledger
	empty, err := book.TrialBalance(t.Context(), asset)
	require.NoError(t, err)
	require.Equal(t, accounts.TrialBalance{Asset: asset}, empty)

	var peers []accounts.PeerConfig
	for _, name := range []string{"alice", "bob", "carol"} {
		peers = append(peers, accounts.PeerConfig{ID: name, Asset: asset, CreditLine: units(1000)})
	}
	handles, err := book.Provision(t.Context(), peers...)
	require.NoError(t, err)
	_, err = book.Fund(t.Context(), accounts.Capital{Asset: asset, Key: "capital", Amount: units(500)})
	require.NoError(t, err)
	_, err = book.Adjust(t.Context(), accounts.Adjustment{Account: handles[0], Key: "a", Debit: units(70), ReasonCode: 1})
	require.NoError(t, err)
	hold := ledger.Transfer{
		ID: randomID(), DebitAccountID: handles[1].ID(), CreditAccountID: handles[2].ID(), Amount: units(30),
		Ledger: number, Code: chart.CodePacket, Flags: ledger.TransferPending,
	}
	others := []ledger.Account{{ID: randomID(), Ledger: number, Code: 1}, {ID: randomID(), Ledger: number, Code: 7}}
	_, err = l.CreateAccounts(t.Context(), others)
	require.NoError(t, err)
	foreign := ledger.Transfer{
		ID: randomID(), DebitAccountID: others[0].ID, CreditAccountID: others[1].ID, Amount: units(9), Ledger: number, Code: 7,
	}
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{hold, foreign})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	require.Equal(t, ledger.TransferCreated, results[1].Status)

	want := []string{ // kind, accounts, debits and credits posted, pending
		"peer 3 70 3000 30 30", "line 3 3000 0 0 0", "settlement 3 0 0 0 0", "arrears 3 0 0 0 0", "liquidity 1 0 500 0 0",
		"revenue 1 0 0 0 0", "dust 1 0 0 0 0", "suspense 1 0 70 0 0", "outside 1 500 0 0 0", "control 1 0 0 0 0",
		"other 2 9 9 0 0", "total 20 3579 3579 30 30",
	}
	for _, page := range []uint32{ledger.QueryMax, 7, 1} {
		paged, err := accounts.NewBook(&pages{Ledger: l, most: page}, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{asset}})
		require.NoError(t, err)
		got, err := paged.TrialBalance(t.Context(), asset)
		require.NoError(t, err)
		require.Equal(t, want, formatTrial(got), page)
	}
	_, err = book.TrialBalance(t.Context(), accounts.Asset{Code: "USD", Scale: 3, Ledger: number})
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)

	results, err = l.CreateTransfers(t.Context(), []ledger.Transfer{{ID: randomID(), PendingID: hold.ID, Flags: ledger.TransferVoidPending}})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	ledgertest.RequireNothingHeld(t, l)
}

func formatTrial(b accounts.TrialBalance) (lines []string) {
	line := func(kind string, s *accounts.Sums) {
		lines = append(lines, fmt.Sprintf("%s %d %v %v %v %v", kind, s.Accounts, &s.DebitsPosted, &s.CreditsPosted, &s.DebitsPending, &s.CreditsPending))
	}
	for i := range b.Lines {
		line(b.Lines[i].AccountKind, &b.Lines[i].Sums)
	}
	line("total", &b.Total)
	return lines
}

// pages is a ledger that returns few accounts at once, and runs a function after each request.
type pages struct {
	ledger.Ledger
	most   uint32
	behind func(request int)
	change func([]ledger.Account)

	requests int
}

func (p *pages) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	if filter.Limit > p.most {
		return nil, ledger.ErrTooMuchData
	}
	found, err := p.Ledger.QueryAccounts(ctx, filter)
	if p.requests++; p.behind != nil {
		p.behind(p.requests)
	}
	if p.change != nil {
		p.change(found)
	}
	return found, err
}

// trialBooks makes the books of two peers on a ledger that returns few accounts at once.
func trialBooks(t *testing.T, opts ...embedded.Option) (*pages, *accounts.Book, []accounts.PeerAccount) {
	t.Helper()
	p := &pages{Ledger: newLedger(t, opts...), most: ledger.QueryMax}
	book, err := accounts.NewBook(p, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	peers := provision(t, book, 1000, "alice", "bob")
	p.most, p.requests = 4, 0
	return p, book, peers
}

func payTransfer(from, to accounts.PeerAccount, n uint64) ledger.Transfer {
	return ledger.Transfer{
		ID: randomID(), DebitAccountID: from.ID(), CreditAccountID: to.ID(), Amount: units(n), Ledger: usd.Ledger, Code: chart.CodePacket,
	}
}

// Transfers between two requests do not make the books look unbalanced.
func TestTrialBalanceWhileOthersWrite(t *testing.T) {
	t.Parallel()
	p, book, peers := trialBooks(t)
	write := func() {
		_, err := p.CreateTransfers(t.Context(), []ledger.Transfer{payTransfer(peers[0], peers[1], 1)})
		require.NoError(t, err)
	}
	p.behind = func(request int) {
		if request == 2 || request == 9 { // in both readings of a first attempt
			write()
		}
	}
	got, err := book.TrialBalance(t.Context(), usd)
	require.NoError(t, err)
	require.True(t, got.Total.Balanced())
	require.Equal(t, int64(2), got.Lines[0].DebitsPosted.Int64())
	require.Equal(t, int64(2002), got.Lines[0].CreditsPosted.Int64())

	p.behind = func(int) { write() }
	_, err = book.TrialBalance(t.Context(), usd)
	require.ErrorIs(t, err, accounts.ErrMoving)
	require.NotErrorIs(t, err, accounts.ErrUnbalanced)
}

// Fewer accounts than an answer can hold take one request. More accounts are read twice, and three
// times as often if transfers come in during every attempt.
func TestRequestsOfATrialBalance(t *testing.T) {
	t.Parallel()
	p := &pages{Ledger: newLedger(t), most: ledger.QueryMax}
	book, err := accounts.NewBook(p, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	_, err = book.Provision(t.Context())
	require.NoError(t, err)
	requests := func() (accountCount, n int) {
		t.Helper()
		p.requests = 0
		b, err := book.TrialBalance(t.Context(), usd)
		require.NoError(t, err)
		return b.Total.Accounts, p.requests
	}
	own, n := requests()
	require.Equal(t, 1, n)
	others := make([]ledger.Account, ledger.QueryMax-1-own)
	for i := range others {
		others[i] = ledger.Account{ID: randomID(), Ledger: usd.Ledger, Code: 7}
	}
	_, err = p.CreateAccounts(t.Context(), others)
	require.NoError(t, err)
	total, n := requests()
	require.Equal(t, []int{8188, 1}, []int{total, n})
	_, err = p.CreateAccounts(t.Context(), []ledger.Account{{ID: randomID(), Ledger: usd.Ledger, Code: 7}})
	require.NoError(t, err)
	total, n = requests()
	require.Equal(t, []int{8189, 4}, []int{total, n}, "one request more finds the end")

	p, book, peers := trialBooks(t)
	_, err = book.TrialBalance(t.Context(), usd)
	require.NoError(t, err)
	twice := p.requests
	p.requests, p.behind = 0, func(int) {
		_, err := p.CreateTransfers(t.Context(), []ledger.Transfer{payTransfer(peers[0], peers[1], 1)})
		require.NoError(t, err)
	}
	_, err = book.TrialBalance(t.Context(), usd)
	require.ErrorIs(t, err, accounts.ErrMoving)
	require.Equal(t, 3*twice, p.requests)
}

// A hold that expires leaves no transfer, but is noticed.
func TestTrialBalanceWhileHoldsExpire(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	p, book, peers := trialBooks(t, embedded.WithClock(func() time.Time { return now }))
	hold := payTransfer(peers[0], peers[1], 5)
	hold.Flags, hold.Timeout = ledger.TransferPending, 10
	_, err := p.CreateTransfers(t.Context(), []ledger.Transfer{hold})
	require.NoError(t, err)
	accountsThere := 0
	p.behind = func(request int) {
		if request == 2 { // after alice's account was read, and before bob's
			now = now.Add(time.Minute)
		}
	}
	got, err := book.TrialBalance(t.Context(), usd)
	require.NoError(t, err)
	for _, line := range got.Lines {
		accountsThere += line.Accounts
	}
	require.Equal(t, accountsThere, got.Total.Accounts)
	require.Zero(t, got.Total.DebitsPending.Sign())
	require.Zero(t, got.Total.CreditsPending.Sign())
}

// Unbalanced books are an error with the sums.
func TestTrialBalanceFindsWhatIsLost(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*ledger.Account){
		"posted":  func(a *ledger.Account) { a.CreditsPosted, _ = a.CreditsPosted.Add(units(1)) },
		"pending": func(a *ledger.Account) { a.DebitsPending, _ = a.DebitsPending.Add(units(1)) },
	} {
		p, book, peers := trialBooks(t)
		p.change = func(found []ledger.Account) {
			for i := range found {
				if found[i].ID == peers[1].ID() {
					spoil(&found[i])
				}
			}
		}
		got, err := book.TrialBalance(t.Context(), usd)
		require.ErrorIs(t, err, accounts.ErrUnbalanced, name)
		require.ErrorContains(t, err, "USD/9 on ledger 1: posted 0.000002000 and 0.00000200")
		var unbalanced *accounts.UnbalancedError
		require.ErrorAs(t, err, &unbalanced)
		require.Equal(t, got, unbalanced.Balance)
		difference := new(big.Int).Sub(&got.Total.CreditsPosted, &got.Total.DebitsPosted)
		pending := new(big.Int).Sub(&got.Total.DebitsPending, &got.Total.CreditsPending)
		require.Equal(t, int64(1), difference.Add(difference, pending).Int64())
	}
}
