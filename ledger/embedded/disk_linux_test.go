package embedded_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

const fullEnv = "PEERLEDGER_TEST_FULL_DISK"

// The disk is full. Requests answered as done are there afterwards, and every other request is
// answered truthfully. The limit of file sizes stands for a full disk; it applies to a whole
// process, hence the child.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	for _, limit := range []int{700, 2000, 5000, 9999} {
		dir := t.TempDir()
		child := exec.Command(os.Args[0], "-test.run=^TestFullDiskChild$", "-test.v")
		child.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %s", fullEnv, seed, limit, dir))
		output, err := child.CombinedOutput()
		require.NoError(t, err, "%s", output)
		_, answeredText, _ := strings.Cut(string(output), "answered ")
		answeredText, _, _ = strings.Cut(answeredText, "\n")
		answered, err := strconv.Atoi(answeredText)
		require.NoError(t, err, "%s", output)

		s := newWorkload(seed)
		l, err := openWorkload(s, dir)
		require.NoError(t, err)
		n := s.countRequests(t, l)
		require.GreaterOrEqual(t, n, answered)
		require.LessOrEqual(t, n, answered+1)
		ledgertest.RequireConserved(t, l)
		require.NoError(t, l.Close())
	}
}

// TestFullDiskChild is the process that runs out of space. The test does nothing in any other process.
func TestFullDiskChild(t *testing.T) { //nolint:paralleltest // it is alone in its process
	var seed, limit uint64
	var dir string
	if os.Getenv(fullEnv) == "" {
		return
	}
	_, err := fmt.Sscanf(os.Getenv(fullEnv), "%d %d %s", &seed, &limit, &dir)
	require.NoError(t, err)
	s := newWorkload(seed)
	// Segments of 4 KiB of log are larger than the smaller limits: no checkpoint can be written. Under
	// the greatest limit the log has no checkpoint.
	every := int64(4 << 10)
	if limit > 6000 {
		every = 1 << 20
	}
	l, err := embedded.Open(dir, embedded.WithClock(s.Now), embedded.WithCheckpointEvery(every))
	require.NoError(t, err)
	signal.Ignore(syscall.SIGXFSZ) // a write fails instead
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	full := syscall.Rlimit{Cur: limit, Max: before.Max}
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full))
	answered := 0
	for {
		if err = s.sendRequest(t, l, answered); err != nil {
			break
		}
		answered++
	}
	fmt.Printf("\nanswered %d\n", answered)
	if !errors.Is(err, ledger.ErrClosed) { // the log can also have failed behind a request
		require.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
	}
	require.ErrorIs(t, err, syscall.EFBIG, "the cause")
	require.ErrorContains(t, err, dir, "and where")
	_, err = l.LookupAccounts(t.Context(), nil)
	require.ErrorIs(t, err, ledger.ErrClosed)
	require.ErrorIs(t, err, syscall.EFBIG)
	require.False(t, errors.Is(err, ledger.ErrOutcomeUnknown))
	require.ErrorIs(t, l.Close(), syscall.EFBIG)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before), "the process may have more to write")
}
