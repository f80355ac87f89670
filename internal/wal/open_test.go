package wal

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// leftoverFolders returns the folders left by the script when the process ends before each
// operation.
func leftoverFolders(t *testing.T) (folders []map[string][]byte) {
	t.Helper()
	m := newMemory()
	var mu sync.Mutex
	m.before = func(operation) error {
		mu.Lock()
		defer mu.Unlock()
		folders = append(folders, m.visibleFiles())
		return nil
	}
	p := newProcess(t.Context(), m)
	p.runScript()
	require.Empty(t, p.errs)
	return folders
}

// TestFaultOfOpening lets each operation of opening a used folder fail. Open returns the error, and
// the next Open finds all records.
func TestFaultOfOpening(t *testing.T) {
	t.Parallel()
	folders := leftoverFolders(t)
	require.Greater(t, len(folders), 100)
	for i, files := range folders {
		whole, err := openOwner(newMemoryOf(files))
		require.NoError(t, err)
		require.NoError(t, whole.log.Close())
		for n := int64(1); ; n++ {
			m, calls := newMemoryOf(files), int64(0)
			var opened atomic.Bool // the log's goroutine may run already
			var failed fault
			m.before = func(op operation) error {
				if atomic.AddInt64(&calls, 1) != n || opened.Load() {
					return nil
				}
				failed.op = op
				return errInjected
			}
			o, err := openOwner(m)
			opened.Store(true)
			if err == nil {
				require.NoError(t, o.log.Close())
				require.Empty(t, failed.op.what, "folder %d", i)
				break
			}
			require.ErrorIs(t, err, errInjected, "folder %d %v", i, failed)
			o, err = openOwner(m)
			require.NoError(t, err, "folder %d %v", i, failed)
			require.Equal(t, whole.count, o.count, "folder %d %v", i, failed)
			require.NoError(t, o.log.Close())
		}
	}
}

// failingClose is a folder in which the n-th close of a file reports a failure.
type failingClose struct {
	*memory
	mu sync.Mutex
	n  int
}

type failingCloseFile struct {
	file
	in *failingClose
}

func (c *failingClose) openFile(name string) (file, error) {
	f, err := c.memory.openFile(name)
	return failingCloseFile{f, c}, err
}

func (f failingCloseFile) Close() error {
	err := f.file.Close()
	f.in.mu.Lock()
	defer f.in.mu.Unlock()
	if f.in.n--; f.in.n == 0 {
		return errInjected
	}
	return err
}

// stopFailing ends the failures. It reports whether there was one.
func (c *failingClose) stopFailing() (failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	failed = c.n <= 0
	c.n = 0
	return failed
}

// TestFaultOfClosingWhatWasRead lets each close of a file read by Open fail.
func TestFaultOfClosingWhatWasRead(t *testing.T) {
	t.Parallel()
	reported := 0
	for i, files := range leftoverFolders(t) {
		for n := 1; ; n++ {
			c := &failingClose{memory: newMemoryOf(files), n: n}
			o, err := openOwner(c)
			if !c.stopFailing() {
				require.NoError(t, err)
				require.NoError(t, o.log.Close())
				break
			}
			require.ErrorIs(t, err, errInjected, "folder %d, close %d", i, n)
			reported++
		}
	}
	require.Positive(t, reported)
}

// A folder without a finished file is begun anew, and the unfinished files are removed.
func TestOpeningRemovesWhatIsUnfinished(t *testing.T) {
	t.Parallel()
	unfinished := fileName(checkpointPrefix, 7) + tmpSuffix
	m := newMemoryOf(map[string][]byte{unfinished: []byte("half of it")})
	o, err := openOwner(m)
	require.NoError(t, err)
	require.NotContains(t, m.visibleFiles(), unfinished)
	require.NoError(t, o.log.Close())
}

// Exists makes no folder.
func TestExists(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	found, err := Exists(path)
	require.NoError(t, err)
	require.False(t, found, "no folder")
	require.NoDirExists(t, path)
	l, _ := openDir(t, path)
	require.NoError(t, l.Close())
	found, err = Exists(path)
	require.NoError(t, err)
	require.True(t, found)
	file := filepath.Join(path, "log-0000000000000000")
	found, err = Exists(file)
	require.Error(t, err, "a file")
	require.False(t, found)
}
