package wal

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// copyLive copies a folder that is open.
func copyLive(t *testing.T, dir string, others func() ([]string, error)) (to string) {
	t.Helper()
	to = t.TempDir()
	c, err := OpenLiveCopy(t.Context(), dir, others)
	require.NoError(t, err)
	for _, f := range c.Files {
		content, err := io.ReadAll(f.Content)
		require.NoError(t, err)
		require.Len(t, content, int(f.Size))
		require.NoError(t, os.WriteFile(filepath.Join(to, f.Name), content, 0o600))
	}
	require.NoError(t, c.Close())
	return to
}

// While the owner appends records and commits checkpoints, each with a file beside it, copies are made.
// Each copy opens, has all records that were synced before it began, and the file of its checkpoint.
func TestLiveCopy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := OpenLiveCopy(t.Context(), dir, nil)
	require.ErrorIs(t, err, ErrNoLog)
	l, _, err := Open(dir, nil)
	require.NoError(t, err)
	var mu sync.Mutex
	synced := byte(0) // the last record
	done := make(chan struct{})
	var owner sync.WaitGroup
	owner.Go(func() {
		defer close(done)
		for n := byte(1); n < 200; n++ {
			p := l.Append(1, 1, func(b []byte) []byte { return append(b, n) })
			assert.NoError(t, l.Wait(t.Context(), p))
			mu.Lock()
			synced = n
			mu.Unlock()
			if n%3 != 0 {
				continue
			}
			c := l.Checkpoint()
			name := filepath.Join(dir, "other-"+string('a'+n/3%20))
			assert.NoError(t, os.WriteFile(name, bytes.Repeat([]byte{n}, 1000), 0o600))
			assert.NoError(t, c.Append(2, []byte{n}))
			assert.NoError(t, c.Commit(t.Context()))
			if n > 3 {
				assert.NoError(t, os.Remove(filepath.Join(dir, "other-"+string('a'+(n/3-1)%20))))
			}
		}
	})
	others := func() ([]string, error) {
		names, err := filepath.Glob(filepath.Join(dir, "other-*"))
		for i, name := range names {
			names[i] = filepath.Base(name)
		}
		return names, err
	}
	copies := 0
	for running := true; running; copies++ {
		select {
		case <-done:
			running = false
		default:
		}
		mu.Lock()
		before := synced
		mu.Unlock()
		to := copyLive(t, dir, others)
		var last byte
		copied, found, err := Open(to, func(r Record) error {
			if r.Kind == 2 {
				content, err := os.ReadFile(filepath.Join(to, "other-"+string('a'+r.Data[0]/3%20)))
				require.NoError(t, err)
				require.Equal(t, bytes.Repeat(r.Data, 1000), content)
			}
			last = r.Data[0]
			return nil
		})
		require.NoError(t, err)
		require.Nil(t, found.Torn)
		require.GreaterOrEqual(t, last, before)
		require.NoError(t, copied.Close())
	}
	owner.Wait()
	require.NoError(t, l.Close())
	t.Logf("%d copies", copies)
}

// appendSynced appends records of a kind, and waits until they are on disk.
func appendSynced(t *testing.T, l *Log, kinds ...uint8) {
	t.Helper()
	for _, kind := range kinds {
		l.Append(kind, 1, func(b []byte) []byte { return append(b, kind) })
	}
	require.NoError(t, l.Wait(t.Context(), l.Appended()))
}

// What was synced behind a copy is read from its last segment, and a later segment is noticed.
func TestReadSince(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _, err := OpenFormat(dir, Format{Name: "test", Newest: 5}, nil)
	require.NoError(t, err)
	appendSynced(t, l, 1, 2)
	c, err := OpenLiveCopy(t.Context(), dir, nil)
	require.NoError(t, err)
	require.EqualValues(t, 5, c.Format())
	require.Zero(t, c.Segment())
	var kinds []uint8
	read := func() bool {
		kinds = nil
		whole, err := c.ReadSince(func(r Record) error {
			require.Equal(t, []byte{r.Kind}, r.Data)
			kinds = append(kinds, r.Kind)
			return nil
		})
		require.NoError(t, err)
		return whole
	}
	require.True(t, read())
	require.Empty(t, kinds)
	appendSynced(t, l, 3)
	appendSynced(t, l, 4, 5)
	require.True(t, read())
	require.Equal(t, []uint8{3, 4, 5}, kinds)
	_, err = c.ReadSince(func(Record) error { return io.ErrNoProgress })
	require.ErrorIs(t, err, io.ErrNoProgress)
	whole, err := c.OpenOthers(t.Context(), func() ([]string, error) { return []string{"lock", "gone"}, nil })
	require.NoError(t, err)
	require.True(t, whole)
	require.Equal(t, "lock", c.Files[len(c.Files)-1].Name)

	checkpoint := l.Checkpoint()
	appendSynced(t, l, 6)
	require.False(t, read())
	whole, err = c.OpenOthers(t.Context(), func() ([]string, error) { return nil, nil })
	require.NoError(t, err)
	require.False(t, whole)
	require.NoError(t, checkpoint.Commit(t.Context()))
	require.False(t, read())
	require.NoError(t, c.Close())
	require.NoError(t, l.Close())
}

// While the owner appends, each record that it reported as synced is in the copy, or is read behind it.
func TestReadSinceWhileAppending(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _, err := Open(dir, nil)
	require.NoError(t, err)
	var synced atomic.Int64
	var owner sync.WaitGroup
	owner.Go(func() {
		for n := range 600 {
			p := l.Append(1, 1, func(b []byte) []byte { return append(b, 1) })
			assert.NoError(t, l.Wait(t.Context(), p))
			synced.Store(int64(p))
			if n%150 == 149 {
				assert.NoError(t, l.Checkpoint().Commit(t.Context()))
			}
		}
	})
	reads := 0
	for synced.Load() < 600 {
		c, err := OpenLiveCopy(t.Context(), dir, nil)
		require.NoError(t, err)
		before := synced.Load()
		last := c.lastSegment()
		position := int64(last.header.first) + (last.size-headerSize)/(frameHeader+1)
		whole, err := c.ReadSince(func(Record) error { position++; return nil })
		require.NoError(t, err)
		if whole {
			require.GreaterOrEqual(t, position, before)
			reads++
		}
		require.NoError(t, c.Close())
	}
	owner.Wait()
	require.Positive(t, reads)
	require.NoError(t, l.Close())
}

// The files beside the log stay open from one moment to the next. Files that are new, or written again under their
// name, are opened, and files that are gone are closed.
func TestReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _, err := Open(dir, nil)
	require.NoError(t, err)
	write := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	write("kept", "half")
	write("gone", "gone")
	write("again", "old")
	c, err := OpenLiveCopy(t.Context(), dir, nil)
	require.NoError(t, err)
	whole, err := c.OpenOthers(t.Context(), func() ([]string, error) { return []string{"kept", "gone", "again"}, nil })
	require.NoError(t, err)
	require.True(t, whole)
	kept, gone, again := c.others["kept"], c.others["gone"], c.others["again"]

	appendSynced(t, l, 1)
	require.NoError(t, l.Checkpoint().Commit(t.Context()))
	write("kept", "half and half")
	write("new", "new")
	write("again.tmp", "newer")
	require.NoError(t, os.Rename(filepath.Join(dir, "again.tmp"), filepath.Join(dir, "again")))
	require.NoError(t, os.Remove(filepath.Join(dir, "gone")))
	names := []string{"kept", "new", "again"}
	whole, err = c.OpenOthers(t.Context(), func() ([]string, error) { return names, nil })
	require.NoError(t, err)
	require.False(t, whole)
	require.NoError(t, c.Reopen(t.Context()))
	whole, err = c.OpenOthers(t.Context(), func() ([]string, error) { return names, nil })
	require.NoError(t, err)
	require.True(t, whole)
	require.Same(t, kept.File, c.others["kept"].File)
	for _, closed := range []osFile{gone, again} {
		_, err := closed.Size()
		require.ErrorIs(t, err, os.ErrClosed)
	}
	contents := map[string]string{}
	for _, f := range c.Files[len(c.inputs):] {
		content, err := io.ReadAll(f.Content)
		require.NoError(t, err)
		contents[f.Name] = string(content)
	}
	require.Equal(t, map[string]string{"kept": "half and half", "new": "new", "again": "newer"}, contents)
	require.NoError(t, c.Close())
	_, err = kept.Size()
	require.ErrorIs(t, err, os.ErrClosed)
	require.NoError(t, l.Close())
}

// The end of the context ends a copy between two attempts, and between two files of an attempt.
func TestLiveCopyEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _, err := Open(dir, nil)
	require.NoError(t, err)
	reason := errors.New("Ctrl-C")
	ctx, cancel := context.WithCancelCause(t.Context())
	attempts := 0
	_, err = OpenLiveCopy(ctx, dir, func() ([]string, error) {
		if attempts++; attempts == 3 {
			cancel(reason)
		}
		return nil, l.Checkpoint().Commit(t.Context()) // no attempt is whole
	})
	require.ErrorIs(t, err, reason)
	require.Equal(t, 3, attempts)

	ctx, cancel = context.WithCancelCause(t.Context())
	_, err = OpenLiveCopy(ctx, dir, func() ([]string, error) { cancel(reason); return []string{"lock"}, nil })
	require.ErrorIs(t, err, reason)
	require.NoError(t, l.Close())
}

// A damaged record behind a copy is reported with its place.
func TestReadSinceOfDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, _, err := Open(dir, nil)
	require.NoError(t, err)
	appendSynced(t, l, 1)
	c, err := OpenLiveCopy(t.Context(), dir, nil)
	require.NoError(t, err)
	appendSynced(t, l, 2)
	require.NoError(t, l.Close())
	path := filepath.Join(dir, c.Files[0].Name)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	content[len(content)-1] ^= 1
	require.NoError(t, os.WriteFile(path, content, 0o600))
	_, err = c.ReadSince(func(Record) error { return nil })
	require.ErrorIs(t, err, ErrCorrupt)
	require.NoError(t, c.Close())
}
