package sealed_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/internal/sealed/sealedtest"
)

// countingFolder counts the open files, and has most of them at most.
type countingFolder struct {
	sealed.Folder
	open, greatest, openings atomic.Int64
	most                     int64 // 0: any number
}

type countedFile struct {
	sealed.File
	folder *countingFolder
	closed atomic.Bool
}

func (d *countingFolder) OpenFile(name string) (sealed.File, error) {
	if d.most > 0 && d.open.Load() >= d.most {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EMFILE}
	}
	f, err := d.Folder.OpenFile(name)
	if err != nil {
		return nil, err
	}
	d.openings.Add(1)
	n := d.open.Add(1)
	for greatest := d.greatest.Load(); n > greatest && !d.greatest.CompareAndSwap(greatest, n); {
		greatest = d.greatest.Load()
	}
	return &countedFile{File: f, folder: d}, nil
}

func (f *countedFile) ReadAt(b []byte, offset int64) (int, error) {
	if f.closed.Load() {
		return 0, fs.ErrClosed
	}
	return f.File.ReadAt(b, offset)
}

func (f *countedFile) Close() error {
	if f.closed.Swap(true) {
		return fs.ErrClosed
	}
	f.folder.open.Add(-1)
	return f.File.Close()
}

// manyFiles writes n files of one block, and opens them by a cache. The block of a file is its name.
func manyFiles(t *testing.T, folder sealed.Folder, n int) []*sealed.Reader {
	t.Helper()
	readers := make([]*sealed.Reader, n)
	for i := range readers {
		name := sealed.FileName("file-", uint64(i))
		w, err := sealed.CreateFile(folder, name, format, nil)
		require.NoError(t, err)
		w.NewSection(sealed.HeaderBytes).AppendBlock([]byte(name))
		size, err := w.Finish()
		require.NoError(t, err)
		readers[i], err = sealed.OpenFile(folder, name, format, size, w.HeaderSum())
		require.NoError(t, err)
	}
	return readers
}

func readName(r *sealed.Reader) error {
	block, err := r.ReadBlock(sealed.HeaderBytes, make([]byte, len(name)+sealed.SumBytes))
	if err == nil && string(block) != r.Path() {
		err = fmt.Errorf("read %q from %s", block, r.Path())
	}
	return err
}

// TestFileCache reads many files at the same time, with few open ones.
func TestFileCache(t *testing.T) {
	t.Parallel()
	const files, most, tasks = 50, 7, 8
	folder := &countingFolder{Folder: sealedtest.NewFolder(nil)}
	readers := manyFiles(t, sealed.NewFileCache(most).Folder(folder), files)
	require.EqualValues(t, most, folder.open.Load())
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	var running sync.WaitGroup
	errs := make([]error, tasks)
	for task := range tasks {
		running.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(task)))
			for range 3000 {
				if err := readName(readers[min(r.IntN(files), r.IntN(files))]); err != nil {
					errs[task] = err
				}
			}
		})
	}
	running.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.EqualValues(t, most, folder.open.Load())
	require.LessOrEqual(t, folder.greatest.Load(), int64(most+2*tasks))
	for i, r := range readers {
		require.NoError(t, r.Close())
		require.ErrorIs(t, readName(r), fs.ErrClosed)
		require.LessOrEqual(t, folder.open.Load(), int64(min(most, files-1-i)))
	}
}

// TestFileCacheKeeps reads a few files often and others once: the few stay open.
func TestFileCacheKeeps(t *testing.T) {
	t.Parallel()
	folder := &countingFolder{Folder: sealedtest.NewFolder(nil)}
	readers := manyFiles(t, sealed.NewFileCache(10).Folder(folder), 100)
	before := folder.openings.Load()
	for i := 3; i < 100; i++ {
		for _, r := range append(readers[:3:3], readers[i]) {
			require.NoError(t, readName(r))
		}
	}
	t.Log(folder.openings.Load()-before, "openings")
	require.LessOrEqual(t, folder.openings.Load()-before, int64(3+97))
}

// TestFileCacheWithoutFiles lets the process run out of files: the cache closes its own.
func TestFileCacheWithoutFiles(t *testing.T) {
	t.Parallel()
	folder := &countingFolder{Folder: sealedtest.NewFolder(nil), most: 4}
	readers := manyFiles(t, sealed.NewFileCache(100).Folder(folder), 20)
	for range 3 {
		for _, r := range readers {
			require.NoError(t, readName(r))
		}
	}
	folder.most = 1
	for range 4 { // readers 16 to 19 are open
		require.NoError(t, readName(readers[0]))
	}
	require.EqualValues(t, 1, folder.open.Load())
	for _, r := range readers {
		require.NoError(t, r.Close())
	}
	require.Zero(t, folder.open.Load())
}

// TestFileCacheFindsChanges changes and removes files that are not open.
func TestFileCacheFindsChanges(t *testing.T) {
	t.Parallel()
	folder := sealedtest.NewFolder(nil)
	readers := manyFiles(t, sealed.NewFileCache(1).Folder(folder), 5)
	require.NoError(t, folder.RenameFile(readers[0].Path(), readers[1].Path()))
	f, err := folder.CreateFile(readers[2].Path())
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for i, reason := range []string{"missing", "checksum", "ends here"} {
		err := readName(readers[i])
		var corrupt *sealed.CorruptError
		require.ErrorAs(t, err, &corrupt)
		require.Equal(t, readers[i].Path(), corrupt.File)
		require.Contains(t, corrupt.Reason, reason)
	}
	require.NoError(t, readName(readers[3]))
	folder.Before = func(op sealedtest.Operation) error {
		if op.What == "open" {
			return sealedtest.ErrInjected
		}
		return nil
	}
	err = readName(readers[4])
	require.ErrorIs(t, err, sealedtest.ErrInjected)
	require.NotErrorIs(t, err, sealed.ErrCorrupt)
	folder.Before = nil
	require.NoError(t, readName(readers[4]))
}
