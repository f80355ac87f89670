package embedded

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// Only chains have an undo log. Outside of chains it would grow for ever.
func TestNoLogOutsideChains(t *testing.T) {
	t.Parallel()
	b := newBooks()
	_, err := b.createAccounts([]ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	}, b.clock.issueTimestamps(2))
	require.NoError(t, err)
	transfer := func(id uint64, flags ledger.TransferFlags) ledger.Transfer {
		return ledger.Transfer{
			ID: ledger.NewID(id, 0), DebitAccountID: ledger.NewID(1, 0), CreditAccountID: ledger.NewID(2, 0),
			Amount: ledger.NewAmount(1), Ledger: 1, Code: 1, Flags: flags,
		}
	}
	bad := transfer(0, 0)
	for name, request := range map[string][]ledger.Transfer{
		"no chain":       {transfer(1, 0), transfer(2, 0)},
		"behind a chain": {transfer(3, ledger.TransferLinked), transfer(4, 0), transfer(5, 0)},
		"broken":         {transfer(6, ledger.TransferLinked), bad, transfer(7, 0)},
		"left open":      {transfer(8, ledger.TransferLinked), transfer(9, ledger.TransferLinked)},
	} {
		_, err := b.createTransfers(request, b.clock.issueTimestamps(len(request)))
		require.NoError(t, err)
		require.False(t, b.undo.active, name)
		require.LessOrEqual(t, len(b.undo.accountStates), 4, name)
	}
	debit, credit := b.findAccount(ledger.NewID(1, 0)), b.findAccount(ledger.NewID(2, 0))
	require.Equal(t, debit.DebitsPosted, credit.CreditsPosted)
}
