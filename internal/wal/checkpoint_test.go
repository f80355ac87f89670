package wal

import (
	"context"
	"os"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestCheckpointOnDisk(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	l, _ := openDir(t, path)
	l.Append(1, 0, appendText("old"))
	require.Equal(t, int64(frameHeader+3), l.SinceCheckpoint())
	c := l.Checkpoint()
	l.Append(1, 0, appendText("new"))
	require.NoError(t, c.Append(9, []byte("state of old")))
	require.NoError(t, c.Commit(t.Context()))
	require.NoError(t, c.Discard())
	require.ErrorIs(t, c.Append(9, nil), ErrClosed)
	require.ErrorIs(t, c.Commit(t.Context()), ErrClosed)
	require.Equal(t, int64(frameHeader+3), l.SinceCheckpoint())
	require.Equal(t, int64(headerSize+2*frameHeader+12), l.CheckpointSize())
	require.NoError(t, l.Close())
	require.Equal(t, []string{"checkpoint-0000000000000001", "lock", "log-0000000000000001"}, namesIn(t, path))

	l, got := openDir(t, path)
	require.Equal(t, texts{"state of old", "new"}, got)
	require.Equal(t, int64(frameHeader+3), l.SinceCheckpoint())
	require.Equal(t, int64(headerSize+2*frameHeader+12), l.CheckpointSize())

	discarded := l.Checkpoint()
	require.NoError(t, discarded.Append(9, []byte("state of new")))
	require.NoError(t, discarded.Discard())
	require.NoError(t, discarded.Discard(), "again")
	require.ErrorIs(t, discarded.Commit(t.Context()), ErrClosed)
	l.Append(1, 0, appendText("newer"))
	require.NoError(t, l.Close())

	l, got = openDir(t, path)
	require.Equal(t, texts{"state of old", "new", "newer"}, got)
	empty := l.Checkpoint()
	require.NoError(t, empty.Commit(t.Context()), "a state can be without records")
	require.NoError(t, l.Close())
	l, got = openDir(t, path)
	require.Empty(t, got)
	require.Equal(t, Position(3), l.Appended(), "positions go on")
	require.NoError(t, l.Close())
}

func namesIn(t *testing.T, path string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	require.NoError(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// TestCheckpointOutlivesLog ends a checkpoint when another Log may have opened the folder.
func TestCheckpointOutlivesLog(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Checkpoint) error{
		"append":  func(c *Checkpoint) error { return c.Append(1, nil) },
		"commit":  func(c *Checkpoint) error { return c.Commit(context.Background()) },
		"discard": (*Checkpoint).Discard,
	} {
		for _, written := range []bool{false, true} {
			m := newMemory()
			o, err := openOwner(m)
			require.NoError(t, err)
			c := o.log.Checkpoint()
			if written {
				require.NoError(t, c.Append(1, []byte("half")))
			}
			require.NoError(t, o.log.Close())
			files := m.visibleFiles()
			if err := end(c); name == "commit" || name == "append" && !written {
				require.ErrorIs(t, err, ErrClosed, name)
			} else {
				require.NoError(t, err, name)
			}
			require.NoError(t, c.Discard())
			require.ElementsMatch(t, fileNames(files), fileNames(m.visibleFiles()), "%s: names were changed", name)
		}
	}
}

func fileNames(files map[string][]byte) (names []string) {
	for name := range files {
		names = append(names, name)
	}
	return names
}

// TestCloseWaitsForCommit closes a log while a checkpoint is given its name: the name must not
// appear in a folder that another Log may have opened.
func TestCloseWaitsForCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		renaming := make(chan struct{})
		m.before = func(op operation) error {
			if op == (operation{"rename", fileName(checkpointPrefix, 1) + tmpSuffix}) {
				<-renaming
			}
			return nil
		}
		l, _, err := openFirstFormat(m, nil)
		require.NoError(t, err)
		committed, closed := make(chan error, 1), make(chan error, 1)
		c := l.Checkpoint()
		go func() { committed <- c.Commit(t.Context()) }()
		synctest.Wait()
		go func() { closed <- l.Close() }()
		synctest.Wait()
		require.Empty(t, closed)
		close(renaming)
		require.NoError(t, <-committed)
		require.NoError(t, <-closed)
	})
}

func TestCommitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	m, release := stalledFolder(t)
	l, _, err := openFirstFormat(m, nil)
	require.NoError(t, err)
	l.Append(1, 0, appendText("stalled"))
	ctx, cancel := context.WithCancel(t.Context())
	c := l.Checkpoint()
	cancel()
	require.ErrorIs(t, c.Commit(ctx), context.Canceled)
	require.ErrorIs(t, c.Commit(t.Context()), context.Canceled, "only Discard is left")
	require.NoError(t, c.Discard())
	release()
	require.NoError(t, l.Close())
}

// TestFaultOfClosingADiscardedCheckpoint discards a checkpoint of a closed log, and the file system
// reports a failure at the close of the file.
func TestFaultOfClosingADiscardedCheckpoint(t *testing.T) {
	t.Parallel()
	o, err := openOwner(newMemory())
	require.NoError(t, err)
	c := o.log.Checkpoint()
	require.NoError(t, c.Append(1, []byte("half")))
	c.file = failingCloseFile{c.file, &failingClose{n: 1}}
	require.NoError(t, o.log.Close())
	require.ErrorIs(t, c.Discard(), errInjected)
}
