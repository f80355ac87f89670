package main

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// Every command warns of a folder with timestamps in the future.
func TestFolderAheadOfTheClock(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	l, err := embedded.Open(s.folder, embedded.WithClock(func() time.Time { return time.Now().Add(48 * time.Hour) }))
	require.NoError(t, err)
	_, err = l.CreateTransfers(t.Context(), []ledger.Transfer{{}}) // refused, but kept in the log
	require.NoError(t, err)
	require.NoError(t, l.Close())
	got := s.runCommand(t, "balances", "bob@USD")
	require.Equal(t, statusDone, got.status)
	require.Regexp(t, `^peerledger: warning: the newest timestamp of .* is (48h0m0s|47h59m5\ds) in this machine's future`, got.errors)
}

// Provisioning warns of ids that differ only by case.
func TestProvisioningIDsThatLookAlike(t *testing.T) {
	t.Parallel()
	s := newTestLedger(t)
	require.NotContains(t, s.runOK(t, "peers", "provision"), "different peers")
	require.Contains(t, s.runOK(t, "peers", "add", "Bob@USD"), `The ledger takes these ids for different peers: "Bob" and "bob".`)
	got := s.runCommand(t, "peers", "add", "cafe\u0301@USD", "--yes")
	require.Equal(t, statusUsage, got.status)
	require.Contains(t, got.errors, `normal form C, which is "caf\u00e9"`)
	more := configuration + "  - {id: ALICE, asset: EUR}\n"
	require.NoError(t, os.WriteFile(s.config, []byte(more), 0o600))
	require.Contains(t, s.runOK(t, "peers", "provision"), `The ledger takes these ids for different peers: "ALICE" and "alice".`)
}
