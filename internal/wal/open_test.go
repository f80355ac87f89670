package wal

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// leftoverFolders are the folders that the script leaves when the process ends before each of its
// operations.
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

// TestFaultOfOpening lets each operation fail by which a folder is opened that was in use.
// Open says so, and the next one finds all that was there.
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
			var opened atomic.Bool // the log may go on by itself
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

// failingClose is a folder in which the n-th close of a file is told to have failed.
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

// stopFailing lets no more fail. It reports whether one has.
func (c *failingClose) stopFailing() (failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	failed = c.n <= 0
	c.n = 0
	return failed
}

// TestFaultOfClosingWhatWasRead lets each close fail of a file that Open has read.
func TestFaultOfClosingWhatWasRead(t *testing.T) {
	t.Parallel()
	told := 0
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
			told++
		}
	}
	require.Positive(t, told)
}

// A folder in which nothing was finished is begun anew, and what is unfinished is removed.
func TestOpeningRemovesWhatIsUnfinished(t *testing.T) {
	t.Parallel()
	unfinished := fileName(checkpointPrefix, 7) + tmpSuffix
	m := newMemoryOf(map[string][]byte{unfinished: []byte("half of it")})
	o, err := openOwner(m)
	require.NoError(t, err)
	require.NotContains(t, m.visibleFiles(), unfinished)
	require.NoError(t, o.log.Close())
}

// Whether there is a log is known without making a folder.
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
