package migrate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// unlisted is a ledger that does not list its burnt ids, as a server.
type unlisted struct{ ledger.Ledger }

// Every id that an embedded ledger has burnt is burnt in the new ledger, with any size of requests.
func TestBurnListedIDs(t *testing.T) {
	t.Parallel()
	c := newClock()
	from, err := embedded.Open(t.TempDir(), embedded.WithClock(c.currentTime))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, from.Close()) })
	ledgertest.RunProgram(t, slept{from, c}, ledgertest.Seed(t))
	burnt := listBurnt(t, from)
	require.NotEmpty(t, burnt)
	c.advance(48 * time.Hour)
	for _, requestMax := range []int{1, 7, ledger.BatchMax} {
		to := newLedger(t, c)
		m := newMigration(t, c, from, to, min(requestMax, 7))
		m.requestMax = requestMax
		result, err := m.runSteps()
		require.NoError(t, err)
		require.Equal(t, len(burnt), result.Burnt)
		require.ElementsMatch(t, burnt, listBurnt(t, to))
		requireSameAnswers(t, from, to, burnt)
	}
}

func listBurnt(t *testing.T, l *embedded.Ledger) (ids []ledger.ID) {
	t.Helper()
	for id, err := range l.BurntIDs(t.Context()) {
		require.NoError(t, err)
		ids = append(ids, id)
	}
	return ids
}

// requireSameAnswers sends transfers with burnt ids to both ledgers.
func requireSameAnswers(t *testing.T, from, to ledger.Ledger, burnt []ledger.ID) {
	t.Helper()
	rows, err := from.QueryAccounts(t.Context(), ledger.QueryFilter{Limit: 2})
	require.NoError(t, err)
	for _, id := range burnt {
		probe := []ledger.Transfer{{ID: id, DebitAccountID: rows[0].ID, CreditAccountID: rows[1].ID, Ledger: rows[0].Ledger, Code: 1}}
		for _, l := range []ledger.Ledger{from, to} {
			results, err := l.CreateTransfers(t.Context(), probe)
			require.NoError(t, err)
			require.Equal(t, ledger.TransferIDAlreadyFailed, results[0].Status, "%v", id)
		}
	}
}
