package sequence_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// newChains builds chains of two rows of the amount; the second row of attempt n has the id
// (n, 78).
func newChains(name, amount uint64) func(n uint64) []ledger.Transfer {
	newRow := newWriter(name, amount)
	return func(n uint64) []ledger.Transfer {
		first, second := newRow(n), newRow(n)
		second.ID = ledger.NewID(n, 78)
		return []ledger.Transfer{first, second}
	}
}

func ExampleTryAttempts() {
	ctx := context.Background()
	l := newLedger(ctx, 100)
	for _, amount := range []uint64{101, 101, 100, 100, 99} {
		attempt, err := sequence.TryAttempts(ctx, l, 1, sequence.NoEnd, func(n uint64) []ledger.Transfer {
			return []ledger.Transfer{newWriter(1, amount)(n)}
		})
		fmt.Println(amount, "attempt", attempt.Number, attempt.Chain.Status, err)
	}
	// Output:
	// 101 attempt 1 exceeds_credits <nil>
	// 101 attempt 2 exceeds_credits <nil>
	// 100 attempt 3 created <nil>
	// 100 attempt 3 exists <nil>
	// 99 attempt 3 exists_with_different_amount <nil>
}

// The next attempt is made also if only the second id of a chain is burnt, and the chain of an
// attempt is booked whole or not at all.
func TestChainsAreTriedWhole(t *testing.T) {
	t.Parallel()
	l := newLedger(t.Context(), 10)
	attempt, err := sequence.TryAttempts(t.Context(), l, 1, sequence.NoEnd, newChains(1, 6))
	require.NoError(t, err)
	require.Equal(t, uint64(1), attempt.Number)
	require.Equal(t, ledger.TransferExceedsCredits, attempt.Chain.Status)
	require.Equal(t, &ledger.TransferError{ID: ledger.NewID(1, 78), Status: ledger.TransferExceedsCredits}, attempt.Refusal())

	attempt, err = sequence.TryAttempts(t.Context(), l, 1, sequence.NoEnd, newChains(1, 5))
	require.NoError(t, err)
	require.Equal(t, uint64(2), attempt.Number)
	require.Equal(t, ledger.OutcomeApplied, attempt.Chain.Outcome)
	require.Len(t, attempt.Results, 2)
	require.True(t, attempt.Rows[0].Flags.Has(ledger.TransferLinked))
	require.False(t, attempt.Rows[1].Flags.Has(ledger.TransferLinked))
	ledgertest.RequireNothingHeld(t, l)
}

func TestAllAttemptsBurnt(t *testing.T) {
	t.Parallel()
	l := newLedger(t.Context(), 10)
	for n := range uint64(3) {
		_, err := sequence.TryAttempts(t.Context(), l, n, n+1, newChains(1, 11))
		require.NoError(t, err)
	}
	built := 0
	attempt, err := sequence.TryAttempts(t.Context(), l, 0, 3, func(n uint64) []ledger.Transfer {
		built++
		return newChains(1, 1)(n)
	})
	require.ErrorIs(t, err, sequence.ErrAllBurnt)
	require.Equal(t, uint64(3), attempt.Number)
	require.Equal(t, 3, built)
	rows, err := l.GetAccountTransfers(t.Context(), ledger.AccountFilter{AccountID: debit, Flags: ledger.AccountFilterDebits, Limit: 1})
	require.NoError(t, err)
	require.Empty(t, rows)
}

func TestRequestErrorNamesTheAttempt(t *testing.T) {
	t.Parallel()
	l := newLedger(t.Context(), 10)
	require.NoError(t, l.Close())
	attempt, err := sequence.TryAttempts(t.Context(), l, 7, sequence.NoEnd, newChains(1, 1))
	require.ErrorIs(t, err, ledger.ErrClosed)
	require.Equal(t, uint64(7), attempt.Number)
}
