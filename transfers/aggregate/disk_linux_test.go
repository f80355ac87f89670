package aggregate_test

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

const fullDisk = "PEERLEDGER_TEST_FULL_DISK"

// On a full disk the recorder stops. What it has acknowledged is booked by the next recorder, once.
func TestFullDisk(t *testing.T) {
	if limit := os.Getenv(fullDisk); limit != "" {
		bytes, err := strconv.ParseUint(limit, 10, 64)
		require.NoError(t, err)
		fillDisk(t, bytes)
		return
	}
	t.Parallel()
	for _, limit := range []string{"600", "1500", "4096", "20000"} {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullDisk$")
		child.Env = append(os.Environ(), fullDisk+"="+limit)
		output, err := child.CombinedOutput()
		require.NoError(t, err, "%s", output)
	}
}

// fillDisk fulfills packets in a process whose files end at a limit.
func fillDisk(t *testing.T, limit uint64) {
	t.Helper()
	f := newFixture(t, embedded.New(), 1_000_000)
	stopped := make(chan error, 1)
	failed := make(chan error, 1)
	r := f.open(t, func(c *aggregate.Config) {
		c.Events.Stopped = func(err error) { stopped <- err }
		c.Events.JournalFailed = func(err error) { failed <- err }
	})
	signal.Ignore(syscall.SIGXFSZ) // a write fails instead
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: before.Max}))
	acknowledged, unknown := 0, 0
	for {
		held, err := r.Prepare(t.Context(), f.packet(0, 1, 100, 99))
		if err == nil {
			_, err = r.Fulfill(t.Context(), held.Packet)
		}
		if err == nil {
			acknowledged++
			continue
		}
		if errors.Is(err, ledger.ErrOutcomeUnknown) {
			require.ErrorIs(t, err, transfers.ErrJournal)
			unknown++
			continue
		}
		require.ErrorIs(t, err, aggregate.ErrStopped)
		break
	}
	require.ErrorIs(t, <-stopped, transfers.ErrJournal)
	err := <-failed
	require.ErrorIs(t, err, transfers.ErrJournal)
	require.ErrorIs(t, err, aggregate.ErrStopped)
	require.True(t, r.RoundStats().Stopped)
	require.ErrorIs(t, r.Flush(t.Context()), aggregate.ErrStopped)
	require.ErrorIs(t, r.Close(t.Context()), aggregate.ErrStopped)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))
	next := f.open(t)
	require.NoError(t, next.Close(t.Context()))
	revenue, err := strconv.Atoi(f.figures(t)["revenue in USD"])
	require.NoError(t, err)
	require.GreaterOrEqual(t, revenue, acknowledged)
	require.LessOrEqual(t, revenue, acknowledged+unknown)
}
