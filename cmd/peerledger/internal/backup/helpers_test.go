package backup

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
)

// No test leaves a goroutine behind.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killedIn); dir != "" {
		dieInCreate(dir)
	}
	if dir := os.Getenv(interruptedIn); dir != "" {
		createInterrupted(dir)
	}
	if dir := os.Getenv(fewFilesIn); dir != "" {
		createWithFewFiles(dir)
	}
	goleak.VerifyTestMain(m)
}

// node is a data file and a folder for its backups.
type node struct{ file, folder string }

func newNode(t *testing.T) node {
	t.Helper()
	dir := t.TempDir()
	n := node{filepath.Join(dir, "7_0.tigerbeetle"), filepath.Join(dir, "backups")}
	vsrtest.DataFile(t, n.file, superblock)
	n.writeDataFile(t)
	return n
}

var superblock = vsr.Superblock{
	ClusterID: uint128.From64(7), ReplicaCount: 1, Release: vsr.NewRelease(0, 17, 9), Sequence: 3, CheckpointOp: 960, Size: vsrtest.DataFileSize,
}

// writeDataFile changes the data file after the superblock.
func (n node) writeDataFile(t *testing.T) {
	t.Helper()
	file, err := os.OpenFile(n.file, os.O_RDWR, 0)
	require.NoError(t, err)
	noise := make([]byte, 1000)
	_, _ = rand.Read(noise)
	_, err = file.WriteAt(noise, 150_000)
	require.NoError(t, err)
	require.NoError(t, file.Close())
}

func (n node) makeOptions() Options { return Options{File: n.file, Folder: n.folder} }

// createBackup makes a backup that must succeed.
func (n node) createBackup(t *testing.T, o Options) Backup {
	t.Helper()
	b, err := Create(t.Context(), o)
	require.NoError(t, err)
	require.NoError(t, b.Check(t.Context(), nil))
	return b
}

// restoreFile restores a backup and returns the content of the data file.
func restoreFile(t *testing.T, b Backup) []byte {
	t.Helper()
	target := filepath.Join(t.TempDir(), "7_0.tigerbeetle")
	require.NoError(t, b.Restore(t.Context(), target, nil))
	content, err := os.ReadFile(target)
	require.NoError(t, err)
	return content
}

// newClock returns a clock that advances by a step at each call.
func newClock(step time.Duration) func() time.Time {
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	return func() time.Time { now = now.Add(step); return now }
}

// killedIn names the folder of a node in which a child process makes a backup and dies at the step
// killedAt.
const killedIn, killedAt = "PEERLEDGER_BACKUP_DIES_IN", "PEERLEDGER_BACKUP_DIES_AT"

func dieInCreate(dir string) {
	n := node{filepath.Join(dir, "7_0.tigerbeetle"), filepath.Join(dir, "backups")}
	o := n.makeOptions()
	o.Keep = 1
	o.onStep = func(name string) error {
		if name == os.Getenv(killedAt) {
			killThisProcess()
		}
		return nil
	}
	_, err := Create(context.Background(), o)
	fmt.Fprintln(os.Stderr, "not killed:", err)
	os.Exit(1)
}
