package doctor

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// falseLedger answers with a wrong balance of one account.
type falseLedger struct {
	ledger.Ledger
	account ledger.ID
}

func (l falseLedger) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	rows, err := l.Ledger.QueryAccounts(ctx, filter)
	for i := range rows {
		if rows[i].ID == l.account {
			rows[i].DebitsPosted = ledger.NewAmount(8)
		}
	}
	return rows, err
}

// The totals of each ledger number are compared by themselves.
func TestTotals(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	var accounts []ledger.Account
	for id := uint64(1); id <= 4; id++ {
		accounts = append(accounts, ledger.Account{ID: ledger.NewID(id, 0), Ledger: uint32(1 + id/3), Code: 1})
	}
	_, err := l.CreateAccounts(t.Context(), accounts)
	require.NoError(t, err)
	for id := uint64(1); id <= 3; id += 2 {
		answers, err := l.CreateTransfers(t.Context(), []ledger.Transfer{{
			ID: ledger.NewID(id, 1), DebitAccountID: ledger.NewID(id, 0), CreditAccountID: ledger.NewID(id+1, 0),
			Amount: ledger.NewAmount(7 * id), Ledger: uint32(1 + id/3), Code: 1,
		}})
		require.NoError(t, err)
		require.Equal(t, ledger.TransferCreated, answers[0].Status)
	}
	var r Report
	checkTotals(t.Context(), l, "ledger", &r)
	require.Len(t, r, 1)
	require.Equal(t, TotalsRight, r[0].Code)
	require.Equal(t, "debits equal credits: 7 posted and 0 pending in ledger 1, 21 posted and 0 pending in ledger 2", r[0].Found)

	r = nil
	checkTotals(t.Context(), falseLedger{l, ledger.NewID(1, 0)}, "ledger", &r)
	require.Len(t, r, 2)
	require.Equal(t, TotalsDiffer, r[0].Code)
	require.Equal(t, "ledger 1: posted 8 debits and 7 credits, pending 0 and 0", r[0].Found)
	require.Equal(t, "debits equal credits: 21 posted and 0 pending in ledger 2", r[1].Found)
}
