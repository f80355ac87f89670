package wal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func appendText(s string) func([]byte) []byte {
	return func(to []byte) []byte { return append(to, s...) }
}

// texts collects restored records.
type texts []string

func (l *texts) restore(r Record) error {
	*l = append(*l, string(r.Data))
	return nil
}

func openDir(t *testing.T, path string) (*Log, texts) {
	t.Helper()
	var got texts
	l, _, err := Open(path, got.restore)
	require.NoError(t, err)
	return l, got
}

func TestOpenAndClose(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new")
	l, got := openDir(t, path)
	require.Empty(t, got)
	require.Zero(t, l.Appended())
	require.NoError(t, l.Wait(t.Context(), l.Appended()))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	require.Equal(t, Position(1), l.Append(1, 1, appendText("a")))
	require.Equal(t, Position(2), l.Append(254, 0, appendText("no room was asked for")))
	require.Equal(t, Position(3), l.Append(7, 0, appendText("")))
	require.Equal(t, Position(3), l.Appended())
	require.NoError(t, l.Close())
	require.NoError(t, l.Close(), "again")

	l, got = openDir(t, path)
	require.Equal(t, texts{"a", "no room was asked for", ""}, got)
	require.Equal(t, Position(3), l.Appended())
	require.NoError(t, l.Wait(t.Context(), 3))
	require.NoError(t, l.Close())
}

func TestOpenNeedsTheParent(t *testing.T) {
	t.Parallel()
	_, _, err := Open(filepath.Join(t.TempDir(), "a", "b"), nil)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestOpenLocks(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	l, _ := openDir(t, path)
	_, _, err := Open(path, nil)
	require.ErrorIs(t, err, ErrLocked)
	require.ErrorContains(t, err, path)
	require.NoError(t, l.Close())
	l, _ = openDir(t, path)
	require.NoError(t, l.Close())
}

// TestOpenUnlocks ends Open with an error: the folder is free again.
func TestOpenUnlocks(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	l, _ := openDir(t, path)
	l.Append(1, 0, appendText("first"))
	l.Append(1, 0, appendText("second"))
	require.NoError(t, l.Close())

	refused := errors.New("refused")
	_, _, err := Open(path, func(r Record) error {
		if string(r.Data) == "second" {
			return refused
		}
		return nil
	})
	require.ErrorIs(t, err, refused)
	require.ErrorContains(t, err, filepath.Join(path, "log-0000000000000000")+": record at byte 541: refused")

	l, got := openDir(t, path)
	require.Len(t, got, 2)
	require.NoError(t, l.Close())
}

func TestTornOnDisk(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	l, _ := openDir(t, path)
	l.Append(1, 0, appendText("whole"))
	require.NoError(t, l.Close())
	name := filepath.Join(path, "log-0000000000000000")
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, append(content, "torn"...), 0o600))

	var got texts
	l, recovery, err := Open(path, got.restore)
	require.NoError(t, err)
	require.Equal(t, Recovery{Records: 1, Torn: &Torn{File: name, Offset: int64(len(content)), Bytes: 4}}, recovery)
	require.NoError(t, l.Close())
	after, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Len(t, after, len(content))

	require.NoError(t, os.Truncate(name, 530))
	_, _, err = Open(path, got.restore)
	require.Equal(t, &CorruptError{name, 530, "541 bytes were synced, the file has fewer"}, corruptOf(err))
	require.ErrorContains(t, err, name+" is corrupt at byte 530: 541 bytes")
}

func corruptOf(err error) *CorruptError {
	var corrupt *CorruptError
	errors.As(err, &corrupt)
	return corrupt
}

// stalledFolder returns a folder in which syncs of the log wait for release.
func stalledFolder(t *testing.T) (m *memory, release func()) {
	t.Helper()
	gate := make(chan struct{})
	m = newMemory()
	m.before = func(op operation) error {
		if op == (operation{"sync", fileName(segmentPrefix, 0)}) {
			<-gate
		}
		return nil
	}
	return m, sync.OnceFunc(func() { close(gate) })
}

func TestWaitEndsWithTheContext(t *testing.T) {
	t.Parallel()
	m, release := stalledFolder(t)
	l, _, err := openFirstFormat(m, nil)
	require.NoError(t, err)
	first := l.Append(1, 0, appendText("first"))
	second := l.Append(1, 0, appendText("second"))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, l.Wait(ended, first), context.Canceled)
	require.ErrorIs(t, l.Wait(ended, second), context.Canceled)
	release()
	require.NoError(t, l.Wait(t.Context(), second))
	require.NoError(t, l.Wait(ended, second), "it is known, whatever the context")
	require.NoError(t, l.Close())
	require.NoError(t, l.Wait(t.Context(), second), "also after Close")
}

// TestGroupCommit appends during a sync: these records share the next sync.
func TestGroupCommit(t *testing.T) {
	t.Parallel()
	const syncing = "syncing"
	events := make(chan string)
	resume := make(chan struct{})
	m := newMemory()
	m.before = func(op operation) error {
		if op == (operation{"sync", fileName(segmentPrefix, 0)}) {
			events <- syncing
			<-resume
		}
		return nil
	}
	l, _, err := openFirstFormat(m, nil)
	require.NoError(t, err)
	l.Append(1, 0, appendText("alone"))
	require.Equal(t, syncing, <-events)
	for range 100 {
		l.Append(1, 0, appendText("together"))
	}
	resume <- struct{}{}
	require.Equal(t, syncing, <-events)
	require.NoError(t, l.Wait(t.Context(), 1))
	resume <- struct{}{}
	require.NoError(t, l.Wait(t.Context(), 101))
	go func() { // the sync of Close
		<-events
		resume <- struct{}{}
	}()
	require.NoError(t, l.Close())
}

func TestAfterClose(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l, _, err := openFirstFormat(m, nil)
	require.NoError(t, err)
	kept := l.Append(1, 0, appendText("kept"))
	require.NoError(t, l.Close())
	dropped := l.Append(1, 0, appendText("dropped"))
	require.Greater(t, dropped, kept)
	require.NoError(t, l.Wait(t.Context(), kept))
	require.ErrorIs(t, l.Wait(t.Context(), dropped), ErrClosed)
	require.NoError(t, l.Err())
	c := l.Checkpoint()
	require.ErrorIs(t, c.Append(1, nil), ErrClosed)
	require.ErrorIs(t, c.Commit(t.Context()), ErrClosed)
	require.NoError(t, c.Discard())
	var got texts
	l, _, err = openFirstFormat(m, got.restore)
	require.NoError(t, err)
	require.Equal(t, texts{"kept"}, got)
	require.NoError(t, l.Close())
}

// TestAfterFailure appends to a log that failed with all its records synced: the new record must
// not count as synced.
func TestAfterFailure(t *testing.T) {
	t.Parallel()
	m := newMemory()
	l, _, err := openFirstFormat(m, nil)
	require.NoError(t, err)
	kept := l.Append(1, 0, appendText("kept"))
	require.NoError(t, l.Wait(t.Context(), kept))
	m.before = func(op operation) error {
		if op == (operation{"write", fileName(segmentPrefix, 0)}) { // the end frame
			return errInjected
		}
		return nil
	}
	c := l.Checkpoint()
	err = c.Commit(t.Context())
	require.ErrorIs(t, err, ErrFailed)
	require.ErrorIs(t, err, errInjected)
	require.NoError(t, c.Discard())
	dropped := l.Append(1, 0, appendText("dropped"))
	require.NoError(t, l.Wait(t.Context(), kept))
	require.ErrorIs(t, l.Wait(t.Context(), dropped), errInjected)
	require.ErrorIs(t, l.Wait(t.Context(), l.Appended()), ErrFailed)
	require.ErrorIs(t, l.Err(), ErrFailed)
	require.ErrorIs(t, l.Checkpoint().Commit(t.Context()), ErrFailed)
	require.ErrorIs(t, l.Close(), ErrFailed)
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	l, _, err := openFirstFormat(newMemory(), nil)
	require.NoError(t, err)
	for _, kind := range []uint8{0, 255} {
		require.Panics(t, func() { l.Append(kind, 0, appendText("")) })
	}
	require.Panics(t, func() { l.Append(1, 0, func(to []byte) []byte { return append(to, make([]byte, MaxData+1)...) }) })
	require.Panics(t, func() { l.Append(1, 0, func([]byte) []byte { panic("cannot encode") }) })
	require.Panics(t, func() { _ = l.Wait(t.Context(), 1) })
	c := l.Checkpoint()
	require.Panics(t, func() { l.Checkpoint() }, "one at a time")
	require.Panics(t, func() { _ = c.Append(0, nil) })
	require.NoError(t, c.Discard())
	require.Equal(t, Position(1), l.Append(1, 0, appendText("goes on")))
	require.NoError(t, l.Wait(t.Context(), 1))
	require.NoError(t, l.Close())
}

func TestLargestRecord(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	l, _ := openDir(t, path)
	l.Append(1, MaxData, func(to []byte) []byte { return append(to, make([]byte, MaxData)...) })
	require.NoError(t, l.Close())
	l, got := openDir(t, path)
	require.Len(t, got, 1)
	require.Len(t, got[0], MaxData)
	require.NoError(t, l.Close())
}

// TestConcurrentUse appends from many goroutines, each waiting for its own records, while
// checkpoints are written. Then all records are there in the order of appending.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	o := &owner{}
	l, _, err := Open(path, o.restore)
	require.NoError(t, err)
	o.log = l
	var (
		mu      sync.Mutex // the order of records is the owner's
		writers sync.WaitGroup
	)
	for range 16 {
		writers.Go(func() {
			for range 50 {
				mu.Lock()
				position := o.appendRecords(1)
				mu.Unlock()
				if err := l.Wait(t.Context(), position); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range 10 {
		mu.Lock()
		c, count := l.Checkpoint(), o.count
		mu.Unlock()
		require.NoError(t, o.writeTo(c, count))
		if i%3 > 0 {
			require.NoError(t, c.Commit(t.Context()))
		}
		require.NoError(t, c.Discard())
	}
	writers.Wait()
	require.NoError(t, l.Close())

	again := &owner{}
	l, recovery, err := Open(path, again.restore)
	require.NoError(t, err)
	require.Equal(t, uint64(16*50), again.count)
	require.Nil(t, recovery.Torn)
	require.NoError(t, l.Close())
}
