package embedded_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// historyEvents is the variable with the number of transfers of TestHistory and
// TestHistoryOfTigerBeetle.
const historyEvents = "PEERLEDGER_HISTORY_EVENTS"

// readHistory returns the history of a test: its seed is logged. A longer one has more restarts.
func readHistory(t *testing.T, restart func()) ledgertest.History {
	t.Helper()
	events := 6000
	if text := os.Getenv(historyEvents); text != "" {
		var err error
		events, err = strconv.Atoi(text)
		require.NoError(t, err, historyEvents)
	}
	few := min(max(1, events/20_000), 40)
	return ledgertest.History{
		Seed: ledgertest.Seed(t), Events: events, Restart: restart, Restarts: 12 + few, Programs: few, Expiries: few,
	}
}

// restartingVirtual is a restarting ledger with a clock moved by ledgertest.
type restartingVirtual struct {
	*historyFolder
	*clock
}

// A ledger in a folder, with restarts and checkpoints all the time, answers like a ledger in memory.
func TestHistory(t *testing.T) {
	t.Parallel()
	c := newClock()
	folder := openHistoryFolder(t, embedded.WithClock(c.Now), embedded.WithCheckpointEvery(64<<10))
	cfg := readHistory(t, folder.restart)
	ledgertest.RunHistory(t, newVirtual(), restartingVirtual{folder, c}, cfg)
	t.Logf("%d restarts, %d of them after a kill", folder.restarts, folder.kills)
	require.GreaterOrEqual(t, folder.restarts, 12)
	require.Positive(t, folder.kills)
}

// So does a ledger whose positions outgrow 32 bits meanwhile.
func TestHistoryAcrossABorder(t *testing.T) {
	t.Parallel()
	const border = 1 << 32
	c := newClock()
	folder := openHistoryFolder(t, embedded.WithClock(c.Now), embedded.WithCheckpointEvery(64<<10),
		embedded.WithFirstPosition(border-1000))
	cfg := readHistory(t, folder.restart)
	ledgertest.RunHistory(t, newVirtual(), restartingVirtual{folder, c}, cfg)
	require.Greater(t, folder.TransferEnd(), uint64(border+1000))
}
