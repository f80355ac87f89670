package aggregate_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

const fullDisk = "PEERLEDGER_TEST_FULL_DISK"

// On a full disk the recorder stops. What it has acknowledged is booked by the next recorder, once, and
// what it could not tell can be recorded again.
func TestFullDisk(t *testing.T) {
	if text := os.Getenv(fullDisk); text != "" {
		var limit uint64
		var checkpointInterval int64
		_, err := fmt.Sscan(text, &limit, &checkpointInterval)
		require.NoError(t, err)
		fillDisk(t, limit, checkpointInterval)
		return
	}
	t.Parallel()
	// With checkpoints, archive and checkpoint files fail too, and the disk is full at last in any case.
	for _, limits := range []string{"600 1000000", "1500 1000000", "20000 1000000", "1500 1000", "3000 2000", "20000 4000"} {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFullDisk$")
		child.Env = append(os.Environ(), fullDisk+"="+limits)
		output, err := child.CombinedOutput()
		require.NoError(t, err, "%s: %s", limits, output)
	}
}

// limitFiles lets files end at a limit, and returns the function that lets them grow again.
func limitFiles(t *testing.T, limit uint64) (restore func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ) // a write fails instead
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: before.Max}))
	return func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before)) }
}

// fillDisk fulfills packets in a process whose files end at a limit.
func fillDisk(t *testing.T, limit uint64, checkpointInterval int64) {
	t.Helper()
	const callers, mostPackets = 4, 500
	f := newFixture(t, embedded.New(), 1_000_000)
	grow := limitFiles(t, 0)
	_, err := aggregate.NewRecorder(t.Context(), f.ledger, f.book, aggregate.Config{JournalFolder: f.folder})
	require.ErrorIs(t, err, transfers.ErrJournal)
	require.NotErrorIs(t, err, transfers.ErrJournalCorrupt)
	require.ErrorContains(t, err, f.folder)
	grow()
	stopped, failed := make(chan error, 1), make(chan error, 100)
	r, err := aggregate.NewRecorderWithCheckpoints(t.Context(), f.ledger, f.book, aggregate.Config{
		JournalFolder: f.folder, Events: aggregate.Events{
			Stopped:       func(err error) { stopped <- err },
			JournalFailed: func(err error) { failed <- err }, // also of checkpoints
		},
	}, checkpointInterval)
	require.NoError(t, err)
	limitFiles(t, limit)
	var mu sync.Mutex
	var acknowledged, unknown []transfers.Packet
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for n := 0; ; n++ {
				if n == mostPackets {
					limitFiles(t, 0)
				}
				held, err := r.Prepare(t.Context(), f.packet(0, 1, 100, 99))
				if err == nil {
					_, err = r.Fulfill(t.Context(), held.Packet)
				}
				mu.Lock()
				switch {
				case err == nil:
					acknowledged = append(acknowledged, held.Packet)
				case errors.Is(err, ledger.ErrOutcomeUnknown) && errors.Is(err, transfers.ErrJournal):
					unknown = append(unknown, held.Packet)
				case errors.Is(err, aggregate.ErrStopped):
					mu.Unlock()
					return
				default:
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	cause := <-stopped
	require.ErrorIs(t, cause, transfers.ErrJournal)
	require.ErrorIs(t, cause, syscall.EFBIG)
	require.ErrorContains(t, cause, f.folder)
	require.ErrorIs(t, <-failed, transfers.ErrJournal)
	require.True(t, r.RoundStats().Stopped)
	require.ErrorIs(t, r.Flush(t.Context()), aggregate.ErrStopped)
	require.ErrorIs(t, r.Close(t.Context()), aggregate.ErrStopped)
	grow()
	next := f.open(t)
	requireRemembered(t, next, acknowledged)
	for _, p := range unknown {
		_, err := next.Fulfill(t.Context(), p)
		require.NoError(t, err)
	}
	require.NoError(t, next.Close(t.Context()))
	require.Equal(t, strconv.Itoa(len(acknowledged)+len(unknown)), f.figures(t)["revenue in USD"])
}
