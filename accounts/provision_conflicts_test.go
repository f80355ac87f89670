package accounts_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

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
