package ledgertest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// answer is a ledger's answer to one action. The fields of other kinds of action are empty.
type answer struct {
	results   []eventResult
	accounts  []ledger.Account
	transfers []ledger.Transfer
	balances  []ledger.AccountBalance
	changes   []ledger.ChangeEvent
}

// requireEqual compares the rows of two answers.
func (want *answer) requireEqual(tb testing.TB, got *answer, message ...any) {
	tb.Helper()
	requireSame(tb, want.accounts, got.accounts, message...)
	requireSame(tb, want.transfers, got.transfers, message...)
	requireSame(tb, want.balances, got.balances, message...)
	requireSame(tb, want.changes, got.changes, message...)
}

// requireSame is [require.Equal] for lists, fast if the lists are equal. An empty list equals a nil
// list.
func requireSame[T comparable](tb testing.TB, want, got []T, message ...any) {
	tb.Helper()
	if slices.Equal(want, got) {
		return
	}
	require.Len(tb, got, len(want), message...)
	for i := range want {
		require.Equal(tb, want[i], got[i], message...)
	}
}
