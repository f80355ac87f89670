package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

const fullEnv = "PEERLEDGER_TEST_FULL_DISK"

// The disk is full while a claim is written, and has room again later: the payer goes on, and so
// does the next process. A file size limit stands for a full disk. The limit is per process, hence
// the child.
func TestPayerOnAFullDisk(t *testing.T) {
	t.Parallel()
	whole := len(`{"order":"00000000000000010000000000000001","cumulative":"10"}`) + 1
	for _, limit := range []int{1, whole - 1, whole + 1, 3*whole - 2} { // a fragment of the first line, or of a later one
		path := filepath.Join(t.TempDir(), "claims")
		child := exec.Command(os.Args[0], "-test.run=^TestPayerOnAFullDiskChild$", "-test.v")
		child.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", fullEnv, limit, path))
		output, err := child.CombinedOutput()
		require.NoError(t, err, "%s", output)

		p := newTestPayer(t, nil)
		require.NoError(t, openPayer(path, p), "the connector starts again")
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Len(t, p.claims, strings.Count(string(text), "\n"))
		require.Equal(t, newUnits(uint64(10*len(p.claims))), p.total)
		require.NoError(t, p.closePayer())
	}
}

func newTestPayer(t *testing.T, sent *[]ledger.Amount) *payer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	return &payer{key: key, channel: "c", deposit: newUnits(1 << 40), send: func(_ context.Context, c claim) error {
		*sent = append(*sent, c.Cumulative)
		return nil
	}}
}

// TestPayerOnAFullDiskChild is the process that runs out of space. The test does nothing in any other process.
func TestPayerOnAFullDiskChild(t *testing.T) { //nolint:paralleltest // it is alone in its process
	var limit uint64
	var path string
	if os.Getenv(fullEnv) == "" {
		return
	}
	_, err := fmt.Sscanf(os.Getenv(fullEnv), "%d %s", &limit, &path)
	require.NoError(t, err)
	var sent []ledger.Amount
	p := newTestPayer(t, &sent)
	require.NoError(t, openPayer(path, p))
	signal.Ignore(syscall.SIGXFSZ) // so a write fails instead
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: before.Max}))
	order := func(n int) settlement.Order {
		return settlement.Order{ID: ledger.NewID(uint64(n), 1), Amount: newUnits(10)}
	}
	n := 1
	for err = nil; err == nil; n++ {
		_, err = p.Settle(t.Context(), order(n))
	}
	require.ErrorIs(t, err, syscall.EFBIG)
	_, err = p.Settle(t.Context(), order(n)) // another order while the disk is full
	require.ErrorIs(t, err, syscall.EFBIG)
	require.Len(t, sent, n-2, "no claim leaves that is not on disk")
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))
	for _, again := range []int{n, n - 1, n + 1, n} { // with room again
		_, err = p.Settle(t.Context(), order(again))
		require.NoError(t, err)
	}
	var want []ledger.Amount
	for i := range n + 1 {
		want = append(want, newUnits(uint64(10*(i+1))))
	}
	want = append(want, newUnits(uint64(10*(n-1)))) // the order's claim of before
	require.Equal(t, want, sent)
	require.NoError(t, p.closePayer())
}
