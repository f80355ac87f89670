package embedded

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// A journal that has ended tells nobody that a request is on disk.
func TestJournalEnded(t *testing.T) {
	t.Parallel()
	log, _, err := wal.Open(t.TempDir(), func(wal.Record) error { return nil })
	require.NoError(t, err)
	j := &journal{log: log}
	require.NoError(t, j.closeLog())
	j.appendPulse(1, 1, 1)
	require.ErrorIs(t, j.waitForSync(t.Context(), log.Appended()), ledger.ErrOutcomeUnknown)
}

// Who gives up and sends again does not fill the memory: it waits for room first, and
// nothing was handed over if its context ends meanwhile.
func TestAdmit(t *testing.T) {
	t.Parallel()
	log, _, err := wal.Open(t.TempDir(), func(wal.Record) error { return nil })
	require.NoError(t, err)
	j := &journal{log: log}
	ended, end := context.WithCancel(t.Context())
	end()
	require.NoError(t, j.waitForSpace(ended), "there is room")
	// With its head it is more than may wait, and takes far longer to sync than to ask.
	large := make([]byte, backlogMax)
	log.Append(kindTransfers, len(large), func(to []byte) []byte { return append(to, large...) })
	require.ErrorIs(t, j.waitForSpace(ended), context.Canceled)
	require.NoError(t, j.waitForSpace(t.Context()))
	require.NoError(t, log.Wait(ended, log.Appended()), "it waited for the sync")
	require.NoError(t, j.closeLog())
	require.NoError(t, j.waitForSpace(t.Context()), "err says what is wrong")
}
