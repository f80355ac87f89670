package accounts_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// Accounts of any program count, more than one request has, each under its ledger number.
func TestSumAccounts(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	id := func(n int) ledger.ID { return ledger.NewID(uint64(n), 5) }
	const perRequest, count = 5000, 10_000
	for first := 1; first <= count; first += perRequest {
		list := make([]ledger.Account, perRequest)
		for i := range list {
			list[i] = ledger.Account{ID: id(first + i), Ledger: 1 + uint32((first+i)%2), Code: 9}
		}
		_, err := l.CreateAccounts(t.Context(), list)
		require.NoError(t, err)
	}
	results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{
		{ID: id(1), DebitAccountID: id(1), CreditAccountID: id(count - 1), Amount: ledger.NewAmount(70), Ledger: 2, Code: 1},
		{ID: id(2), DebitAccountID: id(2), CreditAccountID: id(count), Amount: ledger.NewAmount(3), Ledger: 1, Code: 1, Flags: ledger.TransferPending},
	})
	require.NoError(t, err)
	require.Equal(t, ledger.TransferCreated, results[0].Status)
	require.Equal(t, ledger.TransferCreated, results[1].Status)

	var progress []int
	sums, err := accounts.SumAccounts(t.Context(), l, func(n int) { progress = append(progress, n) })
	require.NoError(t, err)
	require.Equal(t, []int{ledger.QueryMax, count, count}, progress)
	require.Len(t, sums, 2)
	require.Equal(t, []string{"0", "0", "3", "3"}, figuresOf(sums[1]))
	require.Equal(t, []string{"70", "70", "0", "0"}, figuresOf(sums[2]))
	require.Equal(t, count, sums[1].Accounts+sums[2].Accounts)

	require.NoError(t, l.Close())
	_, err = accounts.SumAccounts(t.Context(), l, nil)
	require.ErrorIs(t, err, ledger.ErrClosed)
}

func figuresOf(s *accounts.Sums) []string {
	return []string{s.DebitsPosted.String(), s.CreditsPosted.String(), s.DebitsPending.String(), s.CreditsPending.String()}
}
