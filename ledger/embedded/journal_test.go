package embedded

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// A journal that has ended reports no request as being on disk.
func TestJournalEnded(t *testing.T) {
	t.Parallel()
	log, _, err := wal.Open(t.TempDir(), func(wal.Record) error { return nil })
	require.NoError(t, err)
	j := &journal{log: log}
	require.NoError(t, j.closeLog())
	j.appendPulse(1, 1, 1)
	require.ErrorIs(t, j.waitForSync(t.Context(), log.Appended()), ledger.ErrOutcomeUnknown)
}

// Callers that give up and send again do not fill the memory: a request waits for space first, and
// is not in the log if its context ends meanwhile.
func TestWaitForSpace(t *testing.T) {
	t.Parallel()
	log, _, err := wal.Open(t.TempDir(), func(wal.Record) error { return nil })
	require.NoError(t, err)
	j := &journal{log: log}
	ended, end := context.WithCancel(t.Context())
	end()
	require.NoError(t, j.waitForSpace(ended), "there is room")
	// With its head the record is larger than the backlog, and syncing takes far longer than the
	// next request.
	large := make([]byte, backlogMax)
	log.Append(kindTransfers, len(large), func(to []byte) []byte { return append(to, large...) })
	require.ErrorIs(t, j.waitForSpace(ended), context.Canceled)
	require.NoError(t, j.waitForSpace(t.Context()))
	require.NoError(t, log.Wait(ended, log.Appended()), "it waited for the sync")
	require.NoError(t, j.closeLog())
	require.NoError(t, j.waitForSpace(t.Context()), "logError returns the fault")
}
