package embedded_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// Rows go from memory to the disk while queries run. Every query, in either direction, sees whole
// requests only, all up to a moment, and no row twice.
func TestConcurrentReadsInFolder(t *testing.T) {
	t.Parallel()
	const writers, requests, batch = 4, 15, 20
	l, err := embedded.Open(t.TempDir(), embedded.WithCheckpointEvery(8<<10))
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), workloadOpening())
	require.NoError(t, err)
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for w := range uint64(writers) {
		writing.Go(func() {
			for r := range uint64(requests) {
				transfers := make([]ledger.Transfer, batch)
				for i := range transfers {
					transfers[i] = movementTo5(1 + w<<32 + r<<16 + uint64(i))
				}
				_, err := l.CreateTransfers(t.Context(), transfers)
				assert.NoError(t, err)
			}
		})
	}
	for range 2 {
		reading.Go(func() {
			for seen := 0; ; {
				select {
				case <-done:
					return
				default:
					seen = checkReads(t, l, seen, batch)
				}
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	require.Equal(t, writers*requests*batch, checkReads(t, l, 0, batch))
	require.NoError(t, l.VerifyFiles(t.Context()))
	ledgertest.RequireNothingHeld(t, l)
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.VerifyFiles(t.Context()), ledger.ErrClosed)
}

// checkReads reads all transfers in several ways, and returns their number at the last one. seen is a
// number of transfers that were there before.
func checkReads(t *testing.T, l *embedded.Ledger, seen, batch int) int {
	t.Helper()
	for _, reversed := range []bool{false, true} {
		query := ledger.QueryFilter{Ledger: 1, Limit: ledger.QueryMax}
		account := ledger.AccountFilter{AccountID: ledger.NewID(1, 0), Limit: ledger.QueryMax, Flags: ledger.AccountFilterDebits}
		if reversed {
			query.Flags, account.Flags = ledger.QueryFilterReversed, account.Flags|ledger.AccountFilterReversed
		}
		rows, err := l.QueryTransfers(t.Context(), query)
		assert.NoError(t, err)
		assert.Zero(t, len(rows)%batch)
		assert.GreaterOrEqual(t, len(rows), seen)
		seen = len(rows)
		ids := make([]ledger.ID, len(rows))
		for i := range rows {
			ids[i] = rows[i].ID
			if i > 0 {
				assert.Equal(t, reversed, rows[i].Timestamp < rows[i-1].Timestamp)
			}
		}
		found, err := l.LookupTransfers(t.Context(), ids)
		assert.NoError(t, err)
		assert.Equal(t, rows, found)
		rows, err = l.GetAccountTransfers(t.Context(), account)
		assert.NoError(t, err)
		assert.Zero(t, len(rows)%batch)
		assert.GreaterOrEqual(t, len(rows), seen)
		seen = len(rows)
		balances, err := l.GetAccountBalances(t.Context(), account)
		assert.NoError(t, err)
		assert.Zero(t, len(balances)%batch)
		assert.GreaterOrEqual(t, len(balances), seen)
		for i := range balances {
			want := i + 1
			if reversed {
				want = len(balances) - i
			}
			assert.Equal(t, ledger.NewAmount(uint64(want)), balances[i].DebitsPosted)
		}
		seen = len(balances)
	}
	events, err := l.GetChangeEvents(t.Context(), ledger.ChangeEventsFilter{Limit: ledger.ChangeEventsMax})
	assert.NoError(t, err)
	assert.Zero(t, len(events)%batch)
	assert.GreaterOrEqual(t, len(events), seen)
	for i := range events {
		assert.Equal(t, ledger.NewAmount(uint64(i+1)), events[i].CreditAccountCreditsPosted)
	}
	return len(events)
}
