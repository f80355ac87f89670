package embedded_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// A ledger whose positions cross 2^32 or another border has the books of one in memory: with segments of
// any size, after restarts, and in queries of both directions.
func TestPositionsAcrossBorders(t *testing.T) {
	t.Parallel()
	for _, border := range []uint64{1 << 32, 5 << 32} {
		for _, bytes := range []int64{2 << 10, 6 << 10, 1 << 20} {
			s := newWorkload(ledgertest.Seed(t))
			want := s.expectedBooks(t, storyLength)
			options := []embedded.Option{
				embedded.WithClock(s.Now), embedded.WithCheckpointEvery(bytes), embedded.WithFirstPosition(border - 60),
			}
			dir := t.TempDir()
			for n := range storyLength {
				l, err := embedded.Open(dir, options...)
				require.NoError(t, err)
				require.NoError(t, s.sendRequest(t, l, n))
				l.WaitForCheckpoint()
				require.NoError(t, l.Close())
			}
			l, err := embedded.Open(dir, options...)
			require.NoError(t, err)
			require.Greater(t, l.TransferEnd(), border+20)
			require.NoError(t, l.VerifyFiles(t.Context()))
			requireLookups(t, l, want.transfers)
			requireReversed(t, l, want)
			require.Equal(t, want, s.readBooks(t, l, storyLength))
			requireSameAnswers(t, s, l)
			ledgertest.RequireConserved(t, l)
			require.NoError(t, l.Close())
		}
	}
}

// requireLookups finds each transfer by its id.
func requireLookups(t *testing.T, l ledger.Ledger, want []ledger.Transfer) {
	t.Helper()
	ids := make([]ledger.ID, len(want))
	for i := range want {
		ids[i] = want[i].ID
	}
	found, err := l.LookupTransfers(t.Context(), ids)
	require.NoError(t, err)
	require.Equal(t, want, found)
}

// requireReversed reads transfers and balances from the newest on, in pages.
func requireReversed(t *testing.T, l ledger.Ledger, want bookContents) {
	t.Helper()
	const page = 7
	transfers := pagesOf(t, func(before uint64) []ledger.Transfer {
		found, err := l.QueryTransfers(t.Context(), ledger.QueryFilter{
			Code: 1, TimestampMax: before, Limit: page, Flags: ledger.QueryFilterReversed,
		})
		require.NoError(t, err)
		return found
	}, func(t *ledger.Transfer) uint64 { return t.Timestamp })
	require.Equal(t, want.transfers, transfers)
	for i := range want.accounts {
		balances := pagesOf(t, func(before uint64) []ledger.AccountBalance {
			found, err := l.GetAccountBalances(t.Context(), ledger.AccountFilter{
				AccountID: want.accounts[i].ID, TimestampMax: before, Limit: page,
				Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits | ledger.AccountFilterReversed,
			})
			require.NoError(t, err)
			return found
		}, func(b *ledger.AccountBalance) uint64 { return b.Timestamp })
		require.Equal(t, want.balances[i], balances)
	}
}

// pagesOf reads pages until one is empty, each before the last row of the page before, and returns the
// rows in the order of time.
func pagesOf[R any](t *testing.T, read func(before uint64) []R, timestamp func(*R) uint64) []R {
	t.Helper()
	rows, before := []R{}, uint64(0)
	for {
		found := read(before)
		if len(found) == 0 {
			slices.Reverse(rows)
			return rows
		}
		rows = append(rows, found...)
		before = timestamp(&found[len(found)-1]) - 1
	}
}
