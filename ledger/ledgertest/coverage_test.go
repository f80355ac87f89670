package ledgertest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

func TestCoverage(t *testing.T) {
	t.Parallel()
	total := newCoverage()
	part := total.newPart()
	part.addAccounts([]ledger.CreateAccountResult{{Status: ledger.AccountCreated}, {Status: ledger.AccountExists}})
	part.addTransfers([]ledger.CreateTransferResult{{Status: ledger.TransferCreated}, {Status: ledger.TransferCreated}})
	total.addTransfers([]ledger.CreateTransferResult{{Status: ledger.TransferExists}})
	(*coverage)(nil).addAccounts([]ledger.CreateAccountResult{{}})

	report := total.reportCounts("all")
	require.Contains(t, report, "all: 2 account events met 2 of 27 statuses, 3 transfer events met 2 of 68\n")
	require.Contains(t, report, "        2 transfer created\n")
	require.Contains(t, report, "        1 transfer exists\n")
	require.Contains(t, report, "never met: account linked_event_failed, ")
	require.Contains(t, part.reportCounts("part"), "part: 2 account events met 2 of 27 statuses, 2 transfer events met 1 of 68\n")
}
