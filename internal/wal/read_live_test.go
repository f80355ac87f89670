package wal

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// readCount reads a live folder and returns the number of records.
func readCount(f folder) (uint64, error) {
	o := &owner{}
	_, err := readLive(f, AnyFormat, 1<<63, o.restore)
	return o.count, err
}

// Before each operation of the writer, a reader finds at least the records acknowledged by then.
func TestReadLiveAtEachMoment(t *testing.T) {
	t.Parallel()
	var withoutLog int
	for _, m := range crashMoments(t.Context(), newMemory(), 0, 0, (*process).runScript) {
		before := m.folder.visibleFiles()
		count, err := readCount(m.folder)
		if errors.Is(err, ErrNoLog) && m.acked == 0 {
			withoutLog++
			continue
		}
		require.NoError(t, err, m)
		if count < m.acked || count > m.appended {
			require.FailNow(t, "records lost or invented", "%d records, %v", count, m)
		}
		require.Equal(t, before, m.folder.visibleFiles())
	}
	require.Less(t, withoutLog, 10, "only before the first segment")
}

// stepFolder runs a step before each look at names and each opening of a file.
type stepFolder struct {
	*memory
	step func()
}

func (f stepFolder) listNames() ([]string, error) {
	f.step()
	return f.memory.listNames()
}

func (f stepFolder) openFile(name string) (file, error) {
	f.step()
	return f.memory.openFile(name)
}

// Before each operation of the reader, the writer goes on, up to a checkpoint that removes the files
// which the reader has listed. For each moment at which the checkpoints begin and stop, the reader finds
// the records acknowledged before its start.
func TestReadLiveDuringCheckpoints(t *testing.T) {
	t.Parallel()
	retried := 0
	for begin := range 8 {
		for checkpoints := range 4 {
			m := newMemory()
			p := newProcess(t.Context(), m)
			require.True(t, p.openLog())
			p.appendGroup(3)
			p.writeCheckpoint(1, false) // the log has two segments
			p.appendGroup(2)
			acked, _ := p.recordBounds()
			steps, lists := 0, 0
			count, err := readCount(stepFolder{m, func() {
				if steps++; steps > begin && steps <= begin+checkpoints {
					p.writeCheckpoint(1, true)
					p.appendGroup(2)
				}
				lists++
			}})
			require.NoError(t, err)
			_, appended := p.recordBounds()
			if count < acked || count > appended {
				require.FailNow(t, "records lost or invented", "%d of %d to %d records, %d checkpoints from step %d", count, acked, appended, checkpoints, begin)
			}
			if lists > 3 {
				retried++
			}
			p.closeLog()
			require.Empty(t, p.errs)
		}
	}
	require.Positive(t, retried, "no reader met a checkpoint")
}

// A reader beside a writer in the same moment, on real files. The owner fails for a record that is
// missing or out of order.
func TestReadLiveBesideAWriter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	_, err := ReadLive(path, AnyFormat, nil)
	require.ErrorIs(t, err, ErrNoLog)
	o := &owner{}
	l, _, err := Open(path, o.restore)
	require.NoError(t, err)
	o.log = l
	var acked uint64
	var mu sync.Mutex
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for i := 0; err == nil && !isClosed(stop); i++ {
			err = l.Wait(t.Context(), o.appendRecords(3))
			mu.Lock()
			acked = o.count
			mu.Unlock()
			if i%7 == 0 && err == nil {
				c := l.Checkpoint()
				err = errors.Join(o.writeTo(c, o.count), c.Commit(t.Context()), c.Discard())
			}
		}
		stopped <- err
	}()
	for range 200 {
		mu.Lock()
		least := acked
		mu.Unlock()
		read := &owner{}
		content, err := ReadLive(path, AnyFormat, read.restore)
		require.NoError(t, err)
		require.GreaterOrEqual(t, read.count, least)
		require.Equal(t, read.count, content.Records)
	}
	close(stop)
	require.NoError(t, <-stopped)
	require.NoError(t, l.Close())
	read := &owner{}
	_, err = ReadLive(path, AnyFormat, read.restore)
	require.NoError(t, err)
	require.Equal(t, o.count, read.count)
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Damage below the mark and missing files are errors, as they are for Open; what is behind the mark is not read.
func TestReadLiveNotices(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l, _ := openDir(t, path)
	l.Append(1, 1, appendText("a"))
	require.NoError(t, l.Close())
	name := filepath.Join(path, fileName(segmentPrefix, 0))
	whole, err := os.ReadFile(name)
	require.NoError(t, err)
	read := func(content []byte) (got texts, err error) {
		require.NoError(t, os.WriteFile(name, content, 0o600))
		_, err = ReadLive(path, AnyFormat, got.restore)
		return got, err
	}
	got, err := read(append(whole[:len(whole):len(whole)], "behind"...))
	require.NoError(t, err)
	require.Equal(t, texts{"a"}, got)
	for at := range whole {
		if at >= markOffset && at < markOffset+markSlots*markSize {
			continue // the other slot is enough, or the record is not read
		}
		damaged := append([]byte{}, whole...)
		damaged[at] ^= 4
		_, err := read(damaged)
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			require.FailNow(t, "damage was not noticed", "byte %d: %v", at, err)
		}
	}
	_, err = read(whole[:len(whole)-1])
	require.ErrorIs(t, err, ErrCorrupt)
	require.NoError(t, os.Rename(name, filepath.Join(path, fileName(segmentPrefix, 1))))
	_, err = ReadLive(path, AnyFormat, nil)
	require.ErrorIs(t, err, ErrCorrupt)
	require.ErrorContains(t, err, "missing")
}

// ReadLog passes what the checkpoint replaces, and nothing of what is appended behind it.
func TestReadLogOfACheckpoint(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	l, _ := openDir(t, path)
	for i, want := range []texts{{"a"}, {"A", "behind", "b"}, {"A", "behind", "c"}} {
		l.Append(1, 1, appendText(want[len(want)-1]))
		c := l.Checkpoint()
		require.EqualValues(t, i+1, c.Number())
		require.NoError(t, l.Wait(t.Context(), l.Append(1, 1, appendText("behind"))))
		var got texts
		require.NoError(t, c.ReadLog(t.Context(), AnyFormat, got.restore))
		require.Equal(t, want, got)
		stop := errors.New("stop")
		require.ErrorIs(t, c.ReadLog(t.Context(), AnyFormat, func(Record) error { return stop }), stop)
		require.NoError(t, c.Append(1, []byte("A")))
		require.NoError(t, c.Commit(t.Context()))
	}
	c := l.Checkpoint()
	require.NoError(t, l.Close())
	require.ErrorIs(t, c.ReadLog(t.Context(), AnyFormat, nil), ErrClosed)
	require.NoError(t, c.Discard())
}
