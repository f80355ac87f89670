package vsr_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
)

var sample = vsr.Superblock{
	ClusterID: uint128.New(7, 9), Replica: 1, ReplicaCount: 3,
	Formatted: vsr.NewRelease(0, 16, 4), Release: release, Sequence: 12,
	CheckpointOp: 960, CheckpointAt: time.Unix(1_700_000_000, 5).UTC(), Size: 1 << 30,
}

func TestSuperblock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	vsrtest.DataFile(t, path, sample)
	got, err := vsr.ReadSuperblock(path)
	require.NoError(t, err)
	require.Equal(t, sample, got)
}

// A server starts with two good copies out of four, and so does ReadSuperblock.
func TestDamagedSuperblock(t *testing.T) {
	t.Parallel()
	for damaged := range 5 {
		path := filepath.Join(t.TempDir(), "file")
		vsrtest.DataFile(t, path, sample)
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		for i := range damaged {
			// Any byte, except the number of the copy and the padding.
			_, err := file.WriteAt([]byte{0xFF}, int64(i*24576+34+rand.IntN(8192-34)))
			require.NoError(t, err)
		}
		require.NoError(t, file.Close())
		got, err := vsr.ReadSuperblock(path)
		if damaged <= 2 {
			require.NoError(t, err)
			require.Equal(t, sample, got)
			continue
		}
		require.ErrorIs(t, err, vsr.ErrNotDataFile)
		require.ErrorContains(t, err, path)
	}
}

// A server that stopped between two copies leaves older copies.
func TestSuperblockBeingWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	next := sample
	next.Sequence++
	for written, want := range map[int]vsr.Superblock{1: sample, 2: next, 3: next} {
		path := filepath.Join(dir, fmt.Sprint(written))
		vsrtest.DataFile(t, path, next)
		newer, err := os.ReadFile(path)
		require.NoError(t, err)
		vsrtest.DataFile(t, path, sample)
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		require.NoError(t, err)
		_, err = file.WriteAt(newer[:written*24576], 0)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		got, err := vsr.ReadSuperblock(path)
		require.NoError(t, err)
		require.Equal(t, want, got, "%d copies", written)
	}
}

func TestOtherFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := vsr.ReadSuperblock(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
	for name, content := range map[string][]byte{"empty": nil, "text": []byte("hello"), "zeros": make([]byte, 1<<20)} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		_, err := vsr.ReadSuperblock(path)
		require.ErrorIs(t, err, vsr.ErrNotDataFile, name)
	}
}

func ExampleReadSuperblock() {
	_, err := vsr.ReadSuperblock("/dev/null")
	fmt.Println(err)
	// Output: vsr: not a TigerBeetle data file: /dev/null
}
