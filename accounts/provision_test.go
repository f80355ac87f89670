package accounts_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var (
	usd = accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	xrp = accounts.Asset{Code: "XRP", Scale: 6, Ledger: 2}
)

func units(n uint64) ledger.Amount { return ledger.NewAmount(n) }

// newBook makes a book of USD and XRP on the given ledger, in the test's own namespace: tests may
// share a ledger.
func newBook(t *testing.T, l ledger.Ledger) *accounts.Book {
	t.Helper()
	book, err := accounts.NewBook(l, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{usd, xrp}})
	require.NoError(t, err)
	return book
}

func newLedger(t *testing.T, opts ...embedded.Option) *embedded.Ledger {
	t.Helper()
	l := embedded.New(opts...)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func TestProvisionGrantsTheLineOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	l := newLedger(t)
	book := newBook(t, l)
	peers := []accounts.PeerConfig{
		{ID: "alice", Asset: usd, CreditLine: units(500)},
		{ID: "alice", Asset: xrp},
		{ID: "bob", Asset: usd, CreditLine: accounts.Unlimited},
	}
	first, err := book.Provision(ctx, peers...)
	require.NoError(t, err)
	second, err := newBook(t, l).Provision(ctx, peers...)
	require.NoError(t, err)
	require.Equal(t, first, second, "handles do not depend on the book")

	balances, err := book.Balances(ctx, first...)
	require.NoError(t, err)
	for i, b := range balances {
		require.Equal(t, peers[i].CreditLine, b.CreditLine, "granted once")
		require.Equal(t, peers[i].CreditLine, b.Headroom)
		require.Zero(t, b.Position().Sign(), "a line is not a position")
		require.Zero(t, b.Earned)
		require.Equal(t, first[i], b.Account)
	}
	ledgertest.RequireNothingHeld(t, l)
}

// requests counts the requests to a ledger.
type requests struct {
	ledger.Ledger
	creates, grants, lookups, queries atomic.Int64
}

func (r *requests) QueryAccounts(ctx context.Context, f ledger.QueryFilter) ([]ledger.Account, error) {
	r.queries.Add(1)
	return r.Ledger.QueryAccounts(ctx, f)
}

func (r *requests) CreateAccounts(ctx context.Context, a []ledger.Account) ([]ledger.CreateAccountResult, error) {
	r.creates.Add(1)
	return r.Ledger.CreateAccounts(ctx, a)
}

func (r *requests) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	r.grants.Add(1)
	return r.Ledger.CreateTransfers(ctx, t)
}

func (r *requests) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	r.lookups.Add(1)
	return r.Ledger.LookupAccounts(ctx, ids)
}

func manyPeers(n int) []accounts.PeerConfig {
	peers := make([]accounts.PeerConfig, n)
	for i := range peers {
		peers[i] = accounts.PeerConfig{ID: fmt.Sprintf("peer %d", i), Asset: usd, CreditLine: units(uint64(i + 1))}
	}
	return peers
}

// requireLines provisions peers, repeatedly, and requires that each has exactly its line.
func requireLines(t *testing.T, book *accounts.Book, peers []accounts.PeerConfig) {
	t.Helper()
	handles, err := book.Provision(t.Context(), peers...)
	require.NoError(t, err)
	balances, err := book.Balances(t.Context(), handles...)
	require.NoError(t, err)
	require.Len(t, balances, len(peers))
	for i, b := range balances {
		require.Equal(t, peers[i].CreditLine, b.CreditLine)
	}
}

func TestProvisionThousandsInFewRequests(t *testing.T) {
	t.Parallel()
	l := &requests{Ledger: newLedger(t)}
	book := newBook(t, l)
	_, err := book.Provision(t.Context(), manyPeers(8189)...)
	require.NoError(t, err)
	require.Equal(t, int64(5), l.creates.Load(), "4 accounts a peer and 12 of our own, 8189 a request")
	require.Equal(t, int64(1), l.grants.Load())
	require.Zero(t, l.lookups.Load())

	requireLines(t, book, manyPeers(8189))
	require.Equal(t, int64(1), l.grants.Load(), "nothing is granted again")
	ledgertest.RequireNothingHeld(t, l)
}

func TestProvisionOnALedgerWithSmallRequests(t *testing.T) {
	t.Parallel()
	l := newLedger(t, embedded.WithBatchMax(253))
	book := newBook(t, l)
	handles, err := book.Provision(t.Context(), manyPeers(1000)...)
	require.NoError(t, err)
	balances, err := book.Balances(t.Context(), handles...)
	require.NoError(t, err)
	require.Len(t, balances, 1000)
	ledgertest.RequireNothingHeld(t, l)
}

func TestProvisionByManyAtOnce(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	peers := manyPeers(50)
	var group sync.WaitGroup
	for range 8 {
		book := newBook(t, l)
		group.Go(func() {
			_, err := book.Provision(t.Context(), peers...)
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	book := newBook(t, l)
	requireLines(t, book, peers)
	ledgertest.RequireNothingHeld(t, l)
}

func TestProvisionReportsEveryDrift(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	l := newLedger(t)
	_, err := newBook(t, l).Provision(ctx,
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(5)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)

	euro := accounts.Asset{Code: "EUR", Scale: 2, Ledger: usd.Ledger}
	book, err := accounts.NewBook(l, accounts.Config{
		Namespace: t.Name(), Assets: []accounts.Asset{euro}, NoHistory: true,
	})
	require.NoError(t, err)
	handles, err := book.Provision(ctx,
		accounts.PeerConfig{ID: "alice", Asset: euro, CreditLine: units(7)}, accounts.PeerConfig{ID: "carol", Asset: euro})
	require.ErrorIs(t, err, accounts.ErrDrift)
	require.Nil(t, handles, "nothing was provisioned")

	var drift *accounts.DriftError
	require.ErrorAs(t, err, &drift)
	byAccount := map[string][]string{}
	for _, d := range drift.Drifts {
		key := d.Account.String() + " " + d.Kind
		byAccount[key] = append(byAccount[key], d.Field)
	}
	require.Equal(t, []string{"flags", "asset", "scale"}, byAccount["alice on ledger 1 peer"])
	require.Equal(t, []string{"asset", "scale", "credit_line"}, byAccount["alice on ledger 1 line"])
	require.Equal(t, []string{"asset", "scale"}, byAccount["ourselves on ledger 1 dust"])
	require.NotContains(t, byAccount, "carol on ledger 1 peer")
	require.ErrorContains(t, err, "alice on ledger 1: line account: credit_line is 5 units, want 7 units", "whole units of two scales")
	carol, err := book.PeerAccount("carol", euro)
	require.NoError(t, err)
	_, err = book.Balance(ctx, carol)
	require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	ledgertest.RequireNothingHeld(t, l)
}

// A process with a different scale writes nothing and grants no line, also if the asset was
// created concurrently. No line is granted to a peer whose own accounts differ either.
func TestProvisionGrantsNoLineOfAnotherScale(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	cents, billionths := accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}, usd
	bookOf := func(l ledger.Ledger, asset accounts.Asset, noHistory bool) *accounts.Book {
		book, err := accounts.NewBook(l, accounts.Config{Namespace: t.Name(), Assets: []accounts.Asset{asset}, NoHistory: noHistory})
		require.NoError(t, err)
		return book
	}
	l := newLedger(t)
	first := func() {
		_, err := bookOf(l, cents, false).Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: cents})
		require.NoError(t, err)
	}
	line := func() ledger.Amount {
		book := bookOf(l, cents, false)
		alice, err := book.PeerAccount("alice", cents)
		require.NoError(t, err)
		b, err := book.Balance(ctx, alice)
		require.NoError(t, err)
		return b.CreditLine
	}
	alice := accounts.PeerConfig{ID: "alice", Asset: billionths, CreditLine: units(200_000_000_000)}

	_, err := bookOf(&beforeAccounts{Ledger: l, do: first}, billionths, false).Provision(ctx, alice)
	require.ErrorIs(t, err, accounts.ErrDrift)
	require.Zero(t, line(), "a race")
	handles, err := bookOf(l, billionths, false).Provision(ctx, alice)
	require.ErrorIs(t, err, accounts.ErrDrift)
	require.Nil(t, handles)
	require.Zero(t, line())

	handles, err = bookOf(l, cents, true).Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: cents, CreditLine: units(5)}, accounts.PeerConfig{ID: "bob", Asset: cents, CreditLine: units(5)})
	require.ErrorIs(t, err, accounts.ErrDrift, "no history")
	require.Zero(t, line())
	bob, err := bookOf(l, cents, false).Balance(ctx, handles[1])
	require.NoError(t, err)
	require.Equal(t, units(5), bob.CreditLine, "the drift is not bob's")
	ledgertest.RequireNothingHeld(t, l)
}

// beforeAccounts runs a function right before the first accounts are created.
type beforeAccounts struct {
	ledger.Ledger
	do func()
}

func (b *beforeAccounts) CreateAccounts(ctx context.Context, a []ledger.Account) ([]ledger.CreateAccountResult, error) {
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return b.Ledger.CreateAccounts(ctx, a)
}

func TestProvisionGoesOnBehindABurntGrant(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	l := newLedger(t)
	book := newBook(t, l)
	burnGrant(t, l, book, "alice")
	alice, err := book.PeerAccount("alice", usd)
	require.NoError(t, err)
	_, err = book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(5)})
	require.NoError(t, err)
	b, err := book.Balance(ctx, alice)
	require.NoError(t, err)
	require.Equal(t, units(5), b.CreditLine)
	ledgertest.RequireNothingHeld(t, l)
}

// A grant never sent, because the process crashed before, is granted by the next call.
func TestProvisionAfterACrashBeforeTheGrant(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	peers := manyPeers(3)
	_, err := newBook(t, noTransfers{l}).Provision(t.Context(), peers...)
	require.ErrorIs(t, err, ledger.ErrClosed)
	book := newBook(t, l)
	requireLines(t, book, peers)
	ledgertest.RequireNothingHeld(t, l)
}

// noTransfers is a ledger that is lost before the first transfer.
type noTransfers struct{ ledger.Ledger }

func (noTransfers) CreateTransfers(context.Context, []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return nil, ledger.ErrClosed
}

// before runs a function right before the first transfers are created.
type before struct {
	ledger.Ledger
	do func()
}

func (b *before) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if do := b.do; do != nil {
		b.do = nil
		do()
	}
	return b.Ledger.CreateTransfers(ctx, t)
}

// Two processes provision a peer with different lines, one of them in the middle of the other,
// with and without a burnt first row: one line is granted, and the other process gets a
// DriftError.
func TestProvisionInTheMiddleOfAnother(t *testing.T) {
	t.Parallel()
	for _, burnt := range []bool{false, true} {
		ctx := t.Context()
		l := newLedger(t)
		if burnt {
			burnGrant(t, l, newBook(t, l), "alice")
		}
		first := func() {
			_, err := newBook(t, l).Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(5)})
			require.NoError(t, err)
		}
		book := newBook(t, &before{l, first})
		handles, err := book.Provision(ctx,
			accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(7)},
			accounts.PeerConfig{ID: "bob", Asset: usd, CreditLine: units(8)})
		var drift *accounts.DriftError
		require.ErrorAs(t, err, &drift)
		require.Len(t, drift.Drifts, 1)
		require.Equal(t, "credit_line", drift.Drifts[0].Field)
		balances, err := book.Balances(ctx, handles...)
		require.NoError(t, err)
		require.Equal(t, units(5), balances[0].CreditLine)
		require.Equal(t, units(8), balances[1].CreditLine)
		ledgertest.RequireNothingHeld(t, l)
	}
}

// A peer whose grant is refused must not keep the others from their lines.
func TestProvisionOfAPeerWhoseLineIsClosed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	l := newLedger(t)
	book := newBook(t, l)
	handles, err := book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	own, _ := book.AssetIDs(usd.Ledger)
	line := book.PeerIDs(handles[0]).Line
	closing := ledger.Transfer{
		ID: ledger.NewID(1, 1), DebitAccountID: line, CreditAccountID: own.Control, Ledger: usd.Ledger, Code: 1,
		Flags: ledger.TransferPending | ledger.TransferClosingDebit,
	}
	results, err := l.CreateTransfers(ctx, []ledger.Transfer{closing})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	b, err := book.Balance(ctx, handles[0])
	require.NoError(t, err)
	require.True(t, b.Suspended)
	require.False(t, b.Closed)

	_, err = book.Provision(ctx, accounts.PeerConfig{ID: "alice", Asset: usd}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err, "a suspended peer has not drifted")
	again, err := book.Provision(ctx,
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1)}, accounts.PeerConfig{ID: "bob", Asset: usd, CreditLine: units(2)})
	var refused *ledger.TransferError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, ledger.TransferDebitAccountAlreadyClosed, refused.Status)
	require.ErrorContains(t, err, "grant the credit line of alice on ledger 1")
	require.Equal(t, handles, again)
	b, err = book.Balance(ctx, handles[1])
	require.NoError(t, err)
	require.Equal(t, units(2), b.CreditLine)
	ledgertest.RequireConserved(t, l)
}

// burnGrant burns the id of a peer's first grant: the grant is refused before the peer's accounts
// exist.
func burnGrant(t *testing.T, l ledger.Ledger, book *accounts.Book, peer string) {
	t.Helper()
	account, err := book.PeerAccount(peer, usd)
	require.NoError(t, err)
	line := book.PeerIDs(account).Line
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{{
		ID:             chart.Namespace(t.Name()).Derive("line", chart.ID(line), chart.U64(1)),
		DebitAccountID: line, CreditAccountID: account.ID(), Ledger: usd.Ledger, Code: chart.CodeGrant,
	}})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferDebitAccountNotFound, results[0].Status)
}

func TestProvisionRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		peer  accounts.PeerConfig
		field string
	}{
		"empty id":     {accounts.PeerConfig{Asset: usd}, "ID"},
		"huge id":      {accounts.PeerConfig{ID: strings.Repeat("x", 1024), Asset: usd}, "ID"},
		"not utf-8":    {accounts.PeerConfig{ID: "\xff", Asset: usd}, "ID"},
		"given twice":  {accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1)}, "ID"},
		"line too big": {accounts.PeerConfig{ID: "bob", Asset: usd, CreditLine: ledger.Amount(uint128.New(1, 1<<32))}, "CreditLine"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &requests{Ledger: newLedger(t)}
			_, err := newBook(t, l).Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd}, test.peer)
			require.ErrorIs(t, err, accounts.ErrInvalid)
			var field *accounts.FieldError
			require.ErrorAs(t, err, &field)
			require.Equal(t, test.field, field.Field)
			require.Zero(t, l.creates.Load(), "nothing was written")
		})
	}
	euro := accounts.Asset{Code: "EUR", Scale: 2, Ledger: 9}
	_, err := newBook(t, newLedger(t)).Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: euro})
	require.ErrorIs(t, err, accounts.ErrUnknownAsset)
	require.ErrorContains(t, err, "EUR/2 on ledger 9; the book has USD/9 on ledger 1, XRP/6 on ledger 2")
	lossy := usd
	lossy.AllowLoss = true
	_, err = newBook(t, newLedger(t)).OwnAccount(lossy)
	require.ErrorContains(t, err, "USD/9 on ledger 1 with AllowLoss; the book has USD/9 on ledger 1, ")
}

func TestNewBookReportsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := accounts.NewBook(nil, accounts.Config{Assets: []accounts.Asset{
		usd, {Code: "EUR", Ledger: usd.Ledger}, {Code: "", Ledger: 3}, {Code: "JPY"},
	}})
	require.ErrorIs(t, err, accounts.ErrInvalid)
	require.ErrorContains(t, err, `asset "EUR": Ledger 1 is already used by USD/9`)
	require.ErrorContains(t, err, `asset "": Code must be 1 to 32 bytes of UTF-8`)
	require.ErrorContains(t, err, `asset "JPY": Ledger must not be 0`)
	_, err = accounts.NewBook(nil, accounts.Config{})
	require.ErrorIs(t, err, accounts.ErrInvalid)
}
