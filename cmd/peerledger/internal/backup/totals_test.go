package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// newFilledLedger makes a ledger with accounts of two numbers, and transfers between them.
func newFilledLedger(t *testing.T, transfers int) *embedded.Ledger {
	t.Helper()
	l := embedded.New()
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	var accounts []ledger.Account
	for i := range uint64(10) {
		accounts = append(accounts, ledger.Account{ID: ledger.NewID(i+1, 0), Ledger: uint32(1 + i%2), Code: 1})
	}
	_, err := l.CreateAccounts(t.Context(), accounts)
	require.NoError(t, err)
	for i := range uint64(transfers) {
		event := ledger.Transfer{
			ID: ledger.NewID(i+1, 0), DebitAccountID: ledger.NewID(1+i%2, 0), CreditAccountID: ledger.NewID(3+i%2, 0),
			Ledger: uint32(1 + i%2), Code: 1, Amount: ledger.NewAmount(10 + i),
		}
		if i%3 == 0 {
			event.Flags = ledger.TransferPending
		}
		results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{event})
		require.NoError(t, err)
		require.Equal(t, ledger.TransferCreated, results[0].Status)
	}
	return l
}

func TestTotals(t *testing.T) {
	t.Parallel()
	totals, err := ReadTotals(t.Context(), newFilledLedger(t, 5), nil)
	require.NoError(t, err)
	require.Len(t, totals, 2)
	one := totals[1]
	require.Equal(t, []string{"26", "26", "10", "10"}, []string{
		one.DebitsPosted.String(), one.CreditsPosted.String(), one.DebitsPending.String(), one.CreditsPending.String(),
	}) // 0, 2 and 4; 0 is pending
	require.Equal(t, 5, one.Accounts)
	require.NoError(t, totals.Balanced())

	text, err := json.Marshal(totals)
	require.NoError(t, err)
	var again Totals
	require.NoError(t, json.Unmarshal(text, &again))
	relation, detail := Compare(totals, again)
	require.Equal(t, Equal, relation, detail)

	one.CreditsPosted = one.CreditsPosted.Add(decimal.NewFromInt(1))
	totals[1] = one
	require.ErrorIs(t, totals.Balanced(), ErrUnbalanced)
	require.ErrorContains(t, totals.Balanced(), "ledger 1: posted 26 and 27")
}

func TestCompare(t *testing.T) {
	t.Parallel()
	total := func(accounts int, posted, pending int64) Totals {
		return Totals{1: {accounts, decimal.NewFromInt(posted), decimal.NewFromInt(posted), decimal.NewFromInt(pending), decimal.NewFromInt(pending)}}
	}
	for _, test := range []struct {
		earlier, later Totals
		want           Relation
	}{
		{nil, nil, Equal},
		{total(2, 10, 3), total(2, 10, 3), Equal},
		{nil, total(2, 10, 3), MovedOn},
		{total(2, 10, 3), total(3, 10, 3), MovedOn},
		{total(2, 10, 3), total(2, 13, 0), MovedOn},
		{total(2, 10, 3), total(2, 10, 0), MovedOn}, // released holds
		{total(2, 10, 3), total(2, 9, 3), Contrary},
		{total(2, 10, 3), total(1, 99, 3), Contrary},
		{total(2, 10, 3), nil, Contrary},
	} {
		got, detail := Compare(test.earlier, test.later)
		require.Equal(t, test.want, got, "%v %v", test.earlier, test.later)
		require.Equal(t, got == Equal, detail == "")
	}
}

// The copy is started, compared and removed.
func TestVerify(t *testing.T) {
	t.Parallel()
	before, same, more := newFilledLedger(t, 5), newFilledLedger(t, 5), newFilledLedger(t, 7)
	n := newNode(t)
	o := n.makeOptions()
	o.Totals = func(ctx context.Context) (Totals, error) { return ReadTotals(ctx, before, nil) }
	b := n.createBackup(t, o)
	server := func(l ledger.Ledger) Server {
		return func(_ context.Context, file string) (ledger.Ledger, func() error, error) {
			require.FileExists(t, file)
			return l, func() error { return nil }, nil
		}
	}
	original := func(l ledger.Ledger) func(context.Context) (Totals, error) {
		return func(ctx context.Context) (Totals, error) { return ReadTotals(ctx, l, nil) }
	}
	report, err := b.Verify(t.Context(), server(same), original(more), nil)
	require.NoError(t, err)
	require.Equal(t, []Relation{Equal, MovedOn}, []Relation{report.Comparisons[0].Relation, report.Comparisons[1].Relation})
	require.False(t, report.Different())
	require.Equal(t, b, report.Backup)

	report, err = b.Verify(t.Context(), server(newFilledLedger(t, 2)), nil, nil)
	require.NoError(t, err)
	require.True(t, report.Different(), "the copy has forgotten something")
	require.Empty(t, listLeftovers(t, n.folder))

	require.NoError(t, os.Mkdir(filepath.Join(n.folder, verifyPrefix+"killed"), 0o700))
	_, err = b.Verify(t.Context(), func(context.Context, string) (ledger.Ledger, func() error, error) {
		_, err := b.Verify(t.Context(), server(same), nil, nil)
		require.ErrorIs(t, err, ErrBusy)
		return same, func() error { return nil }, nil
	}, nil, nil)
	require.NoError(t, err)
	require.Empty(t, listLeftovers(t, n.folder), "also of one that was killed")

	away := errors.New("away")
	_, err = b.Verify(t.Context(), func(context.Context, string) (ledger.Ledger, func() error, error) { return nil, nil, away }, nil, nil)
	require.ErrorIs(t, err, away)
	_, err = b.Verify(t.Context(), server(same), func(context.Context) (Totals, error) { return nil, away }, nil)
	require.ErrorIs(t, err, away)
	require.Empty(t, listLeftovers(t, n.folder))
}

func ExampleCompare() {
	totals := func(posted int64) Totals {
		return Totals{1: {2, decimal.NewFromInt(posted), decimal.NewFromInt(posted), decimal.Zero, decimal.Zero}}
	}
	fmt.Println(Compare(totals(100), totals(130)))
	fmt.Println(Compare(totals(100), totals(90)))
	// Output:
	// moved on ledger 1: debits posted were 100 and are 130
	// different ledger 1: debits posted were 100 and are 90
}

func ExampleCreate() {
	dir, _ := os.MkdirTemp("", "")
	defer func() { _ = os.RemoveAll(dir) }()
	_, err := Create(context.Background(), Options{File: filepath.Join(dir, "7_0.tigerbeetle"), Folder: dir})
	fmt.Println(errors.Is(err, os.ErrNotExist))
	// Output: true
}
