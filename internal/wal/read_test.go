package wal

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// copyFiles copies the named files of a folder into a new folder.
func copyFiles(t *testing.T, path string, names []string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(path, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return dir
}

// A copy of the files named by LockFolder is a copy of the folder: Read reads both, with the same
// identity, and changes neither.
func TestReadAndLockFolder(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	_, err := Read(path, AnyFormat, nil)
	require.ErrorIs(t, err, ErrNoLog)
	require.NoDirExists(t, path)

	l, _ := openDir(t, path)
	l.Append(1, 1, appendText("a"))
	_, err = Read(path, AnyFormat, nil)
	require.ErrorIs(t, err, ErrLocked)
	_, _, err = LockFolder(path)
	require.ErrorIs(t, err, ErrLocked)
	c := l.Checkpoint()
	require.NoError(t, c.Append(1, []byte("A")))
	l.Append(1, 1, appendText("b"))
	require.NoError(t, c.Commit(t.Context()))
	require.NoError(t, l.Close())

	names, release, err := LockFolder(path)
	require.NoError(t, err)
	require.Equal(t, []string{fileName(segmentPrefix, 1), fileName(checkpointPrefix, 1)}, names)
	_, _, err = Open(path, func(Record) error { return nil })
	require.ErrorIs(t, err, ErrLocked)
	other := copyFiles(t, path, names)
	require.NoError(t, release())

	var first Content
	for i, dir := range []string{path, other, other} {
		before := namesIn(t, dir)
		var got texts
		content, err := Read(dir, AnyFormat, got.restore)
		require.NoError(t, err)
		require.Equal(t, texts{"A", "b"}, got)
		require.EqualValues(t, 2, content.Records, "those of before the checkpoint count")
		require.Equal(t, []int{1, 1}, []int{content.CheckpointRecords, content.Recovery.Records})
		require.Equal(t, before, namesIn(t, dir), "also no lock was made")
		if i == 0 {
			first = content
		}
		require.Equal(t, first, content)
	}
	l, got := openDir(t, other)
	require.Equal(t, texts{"A", "b"}, got)
	require.NoError(t, l.Close())
}

// Read reports the bytes that Open would cut, and leaves them.
func TestReadLeavesATornEnd(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l, _ := openDir(t, path)
	l.Append(1, 1, appendText("a"))
	require.NoError(t, l.Close())
	name := filepath.Join(path, fileName(segmentPrefix, 0))
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	content = append(content, "torn"...)
	require.NoError(t, os.WriteFile(name, content, 0o600))
	for range 2 {
		var got texts
		found, err := Read(path, AnyFormat, got.restore)
		require.NoError(t, err)
		require.Equal(t, texts{"a"}, got)
		require.EqualValues(t, 4, found.Torn.Bytes)
	}
	after, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, content, after)
}
