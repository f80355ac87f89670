package accounts_test

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
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

// quickBook makes a book with a short poll interval.
func quickBook(t *testing.T, l ledger.Ledger) *accounts.Book {
	t.Helper()
	book, err := accounts.NewBook(l, accounts.Config{
		Namespace: t.Name(), Assets: []accounts.Asset{usd, xrp}, SuspensionPollInterval: time.Millisecond,
	})
	require.NoError(t, err)
	return book
}

func newBookWithoutRound(t *testing.T, l ledger.Ledger) *accounts.Book {
	t.Helper()
	book, err := accounts.NewBook(l, accounts.Config{
		Namespace: t.Name(), Assets: []accounts.Asset{usd, xrp}, SuspensionPollInterval: time.Nanosecond,
		LiquidityFloors: map[accounts.Asset]accounts.Decimal{usd: "-1"},
	})
	require.NoError(t, err)
	return book
}

// movePacket books a packet between two accounts, as a recorder does.
func movePacket(t *testing.T, l ledger.Ledger, debit, credit ledger.ID, amount uint64, flags ledger.TransferFlags) ledger.ID {
	t.Helper()
	row := ledger.Transfer{
		ID: randomID(), DebitAccountID: debit, CreditAccountID: credit, Amount: units(amount),
		Ledger: usd.Ledger, Code: chart.CodePacket, Flags: flags,
	}
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{row})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	return row.ID
}

// resolveHold posts or voids the hold of a packet.
func resolveHold(t *testing.T, l ledger.Ledger, hold ledger.ID, flag ledger.TransferFlags) {
	t.Helper()
	row := ledger.Transfer{ID: randomID(), PendingID: hold, Flags: flag}
	if flag == ledger.TransferPostPending {
		row.Amount = ledger.AmountMax
	}
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{row})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
}

func randomID() ledger.ID { return ledger.NewID(rand.Uint64()|1, rand.Uint64()>>1) }

// provision provisions peers in USD with a line each.
func provision(t *testing.T, book *accounts.Book, line uint64, names ...string) []accounts.PeerAccount {
	t.Helper()
	peers := make([]accounts.PeerConfig, len(names))
	for i, name := range names {
		peers[i] = accounts.PeerConfig{ID: name, Asset: usd, CreditLine: units(line)}
	}
	handles, err := book.Provision(t.Context(), peers...)
	require.NoError(t, err)
	return handles
}

func balance(t *testing.T, book *accounts.Book, a accounts.PeerAccount) accounts.Balance {
	t.Helper()
	b, err := book.Balance(t.Context(), a)
	require.NoError(t, err)
	return b
}

func mustAccount(t *testing.T, book *accounts.Book, peer string) accounts.PeerAccount {
	t.Helper()
	a, err := book.PeerAccount(peer, usd)
	require.NoError(t, err)
	return a
}

// requireField requires a FieldError with the field.
func requireField(t *testing.T, err error, field string) {
	t.Helper()
	require.ErrorIs(t, err, accounts.ErrInvalid)
	var fault *accounts.FieldError
	require.ErrorAs(t, err, &fault)
	require.Equal(t, field, fault.Field, err)
}

// interrupted runs a function once before the next transfers are created.
type interrupted struct {
	ledger.Ledger
	do func()
}

func (i *interrupted) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if do := i.do; do != nil {
		i.do = nil
		do()
	}
	return i.Ledger.CreateTransfers(ctx, t)
}

// losing loses the answers to a number of requests for transfers.
type losing struct {
	ledger.Ledger
	left int
	lost func() // called for each of them
}

func (l *losing) CreateTransfers(ctx context.Context, t []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	results, err := l.Ledger.CreateTransfers(ctx, t)
	if err != nil || l.left == 0 {
		return results, err
	}
	l.left--
	if l.lost != nil {
		l.lost()
	}
	return nil, ledger.ErrOutcomeUnknown
}

// closeAccount closes a peer account as the ledger does, and returns the id of the closing.
func closeAccount(t *testing.T, l ledger.Ledger, book *accounts.Book, a accounts.PeerAccount) ledger.ID {
	t.Helper()
	own, _ := book.AssetIDs(usd.Ledger)
	row := ledger.Transfer{
		ID: randomID(), DebitAccountID: a.ID(), CreditAccountID: own.Control, Ledger: usd.Ledger, Code: chart.CodeClose,
		Flags: ledger.TransferPending | ledger.TransferClosingDebit,
	}
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{row})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	return row.ID
}

// ownID returns the id of our liquidity account.
func ownID(t *testing.T, book *accounts.Book) ledger.ID {
	t.Helper()
	ids, known := book.AssetIDs(usd.Ledger)
	require.True(t, known)
	return ids.Liquidity
}

func lookUp(t *testing.T, l ledger.Ledger, id ledger.ID) ledger.Transfer {
	t.Helper()
	rows, err := l.LookupTransfers(t.Context(), []ledger.ID{id})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	return rows[0]
}

func conditionTag(n uint64) (c [8]byte) {
	binary.BigEndian.PutUint64(c[:], n)
	return c
}
