package sequence_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var (
	debit     = ledger.NewID(1, 0)
	credit    = ledger.NewID(2, 0)
	debitRows = ledger.AccountFilter{AccountID: debit, Flags: ledger.AccountFilterDebits}
)

// newLedger returns a ledger with two accounts, of which the first can be debited by limit.
func newLedger(ctx context.Context, limit uint64) *embedded.Ledger {
	l := embedded.New()
	source := ledger.NewID(3, 0)
	_, err := l.CreateAccounts(ctx, []ledger.Account{
		{ID: debit, Ledger: 1, Code: 1, Flags: ledger.AccountDebitsMustNotExceedCredits},
		{ID: credit, Ledger: 1, Code: 1},
		{ID: source, Ledger: 1, Code: 1},
	})
	if err != nil {
		panic(err)
	}
	_, err = l.CreateTransfers(ctx, []ledger.Transfer{{
		ID: ledger.NewID(1, 9), DebitAccountID: source, CreditAccountID: debit, Amount: ledger.NewAmount(limit), Ledger: 1, Code: 1,
	}})
	if err != nil {
		panic(err)
	}
	return l
}

// newWriter returns the build function of a writer: rows of the amount, marked with the writer's
// name.
func newWriter(name, amount uint64) func(n uint64) ledger.Transfer {
	return func(n uint64) ledger.Transfer {
		return ledger.Transfer{
			ID: ledger.NewID(n, 77), DebitAccountID: debit, CreditAccountID: credit, Amount: ledger.NewAmount(amount),
			UserData64: n, UserData128: uint128.From64(name), Ledger: 1, Code: 1,
		}
	}
}

func ExamplePlace() {
	ctx := context.Background()
	l := newLedger(ctx, 100)
	n, err := sequence.Place(ctx, l, 1, newWriter(1, 10))
	fmt.Println("first writer:", n, err)
	_, err = sequence.Place(ctx, l, 1, newWriter(2, 10)) // without having read row 1
	fmt.Println("second writer:", err)
	newest, _, _ := sequence.Newest(ctx, l, debitRows)
	n, err = sequence.Place(ctx, l, newest.UserData64+1, newWriter(2, 10))
	fmt.Println("second writer, having looked:", n, err)
	// Output:
	// first writer: 1 <nil>
	// second writer: row 1: sequence: the number is taken
	// second writer, having looked: 2 <nil>
}

func TestPlaceAgainIsTheSameRow(t *testing.T) {
	t.Parallel()
	l := newLedger(t.Context(), 100)
	for range 3 {
		n, err := sequence.Place(t.Context(), l, 1, newWriter(1, 10))
		require.NoError(t, err)
		require.Equal(t, uint64(1), n)
	}
	ledgertest.RequireNothingHeld(t, l)
}

func TestBurntNumbersAreWalkedOver(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	l := newLedger(ctx, 5)
	for range 4 { // each call burns the next number
		_, err := sequence.Place(ctx, l, 1, newWriter(1, 6))
		require.ErrorIs(t, err, ledger.ErrIDBurnt)
	}
	n, err := sequence.Place(ctx, l, 1, newWriter(1, 5))
	require.NoError(t, err)
	require.Equal(t, uint64(5), n)
	newest, ok, err := sequence.Newest(ctx, l, debitRows)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, uint64(5), newest.UserData64)
	ledgertest.RequireNothingHeld(t, l)
}

func TestNewestOfNothing(t *testing.T) {
	t.Parallel()
	_, ok, err := sequence.Newest(t.Context(), newLedger(t.Context(), 0), debitRows)
	require.NoError(t, err)
	require.False(t, ok)
}

// Exactly one of many writers that have read the same rows places the next row.
func TestOneWriterWins(t *testing.T) {
	t.Parallel()
	l := newLedger(t.Context(), 100)
	var group sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for name := range uint64(8) {
		group.Go(func() {
			_, err := sequence.Place(t.Context(), l, 1, newWriter(name, 1))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			}
		})
	}
	group.Wait()
	require.Equal(t, 1, won)
	ledgertest.RequireNothingHeld(t, l)
}

func TestErrorsOfTheRequestPass(t *testing.T) {
	t.Parallel()
	l := newLedger(t.Context(), 1)
	require.NoError(t, l.Close())
	_, err := sequence.Place(t.Context(), l, 1, newWriter(1, 1))
	require.ErrorIs(t, err, ledger.ErrClosed)
	_, _, err = sequence.Newest(t.Context(), l, debitRows)
	require.ErrorIs(t, err, ledger.ErrClosed)
}
