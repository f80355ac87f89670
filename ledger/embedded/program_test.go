package embedded_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// Twenty programs, each also cut into different requests with retries in between.
func TestPrograms(t *testing.T) {
	t.Parallel()
	for range 20 {
		l := newVirtual()
		ledgertest.RunProgram(t, l, ledgertest.Seed(t))
		ledgertest.RequireNothingHeld(t, l)
	}
}

// A ledger with a different start of time, smaller requests and earlier rows gives the same
// answers.
func TestDifferential(t *testing.T) {
	t.Parallel()
	other := newVirtual(embedded.WithBatchMax(253))
	other.Sleep(1000 * time.Hour)
	for range 20 {
		ledgertest.RunDifferential(t, newVirtual(), other, ledgertest.Seed(t))
	}
	ledgertest.RequireNothingHeld(t, other)
}

// The same programs on ledgers in folders: with segments of a few rows, and with restarts.
func TestProgramsInFolders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bytes        int64
		restartEvery int
	}{{1, 1 << 30}, {3 << 10, 1 << 30}, {6 << 10, 7}, {20 << 10, 40}} {
		t.Run(fmt.Sprint(c.bytes, c.restartEvery), func(t *testing.T) {
			t.Parallel()
			for range 5 {
				l := newRestarting(t, c.bytes, c.restartEvery)
				ledgertest.RunProgram(t, l, ledgertest.Seed(t))
				ledgertest.RequireNothingHeld(t, l)
				require.NoError(t, l.Close())
			}
		})
	}
}

// A ledger with cold rows gives the same answers as a ledger in memory.
func TestDifferentialInFolder(t *testing.T) {
	t.Parallel()
	other := newRestarting(t, 5<<10, 50)
	other.Sleep(1000 * time.Hour)
	for range 10 {
		ledgertest.RunDifferential(t, newVirtual(), other, ledgertest.Seed(t))
	}
	ledgertest.RequireNothingHeld(t, other)
	require.NoError(t, other.Close())
}
