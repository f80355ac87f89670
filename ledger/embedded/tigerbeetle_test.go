//go:build cgo && unix

package embedded_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// TigerBeetle and a ledger in a folder, which restarts all the time, get the same transfers and give
// the same answers. PEERLEDGER_HISTORY_EVENTS sets the number of transfers, PEERLEDGER_SEED repeats a
// run.
func TestHistoryOfTigerBeetle(t *testing.T) {
	t.Parallel()
	theirs := tigerbeetletest.Start(t, tigerbeetletest.Config{Real: true}).Open(t)
	folder := openHistoryFolder(t, embedded.WithCheckpointEvery(64<<10))
	cfg := readHistory(t, folder.restart)
	ledgertest.RunHistory(t, theirs, folder, cfg)
	t.Logf("%d restarts, %d of them after a kill", folder.restarts, folder.kills)
	require.Positive(t, folder.kills)
}
