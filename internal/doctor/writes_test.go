package doctor

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// The doctor writes nothing, also if there are faults.
func TestDoctorWritesNothing(t *testing.T) {
	t.Parallel()
	s := newBooksFixture(t, "alice", "bob")
	own, _ := s.book.AssetIDs(usd.Ledger)
	s.writeTransfer(t, ledger.Transfer{DebitAccountID: s.peerIDs(t, "alice").Arrears, CreditAccountID: own.Suspense, Amount: ledger.NewAmount(7), Code: 31})
	s.writeTransfer(t, ledger.Transfer{DebitAccountID: own.Outside, CreditAccountID: own.Control, Code: chart.CodePause, UserData64: 1<<63 | 1})
	s.subject.Books.Config.Assets[0].Scale++ // differs from the ledger
	state := func() (accounts []ledger.Account, rows []ledger.Transfer) {
		all := ledger.QueryFilter{Limit: 1000}
		accounts, err := s.ledger.QueryAccounts(t.Context(), all)
		require.NoError(t, err)
		rows, err = s.ledger.QueryTransfers(t.Context(), all)
		require.NoError(t, err)
		return accounts, rows
	}
	accounts, rows := state()
	require.True(t, Examine(t.Context(), s.subject).Has(BooksUnread))
	s.subject.Books.Config.Assets[0].Scale--
	require.Equal(t, []Code{InArrears, PaymentsPaused}, listCodes(Examine(t.Context(), s.subject)))
	accountsNow, rowsNow := state()
	require.Equal(t, accounts, accountsNow)
	require.Equal(t, rows, rowsNow)
}
