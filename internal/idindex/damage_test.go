package idindex

import (
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/internal/sealed/sealedtest"
	"github.com/peerledger/peerledger/ledger"
)

var errOther = errors.New("another content")

// readModel opens an index and looks up each id. The result is errOther if an entry is missing.
func readModel(folder sealed.Folder, manifest []byte, m model) error {
	x, err := OpenToRead(folder, manifest)
	if err != nil {
		return err
	}
	defer func() { _ = x.Close() }()
	may := make([]bool, 1)
	for id, want := range m {
		if err := x.MayHave([]ledger.ID{id}, may); err != nil {
			return err
		}
		got, err := x.FindEntries(nil, id)
		if err != nil {
			return err
		}
		if !may[0] || len(got) != len(want) {
			return errOther
		}
		for _, e := range want {
			if !slices.Contains(got, e) {
				return errOther
			}
		}
	}
	return nil
}

// requireNoticed opens and verifies a damaged index, and looks up every id: a look-up has the right
// answer or an error.
func requireNoticed(t *testing.T, folder sealed.Folder, manifest []byte, m model, name string, at int) {
	t.Helper()
	x, err := OpenToRead(folder, manifest)
	if err == nil {
		err = x.VerifyFiles(t.Context())
		require.NoError(t, x.Close())
	}
	var corrupt *sealed.CorruptError
	require.ErrorAs(t, err, &corrupt, "%s, byte %d", name, at)
	require.Equal(t, name, corrupt.File)
	require.LessOrEqual(t, corrupt.Offset, int64(at))
	if err := readModel(folder, manifest, m); err != nil {
		require.ErrorIs(t, err, sealed.ErrCorrupt, "%s, byte %d", name, at)
	}
}

// TestFlips flips each byte of a small run, and some bytes of a merged run of many blocks.
func TestFlips(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	flips := 0
	for _, size := range []int{5, 3000} {
		folder, m := memoryFolder(), model{}
		x := newIndexToTest(t, folder)
		sealRandom(t, r, x, m, size)
		for size > 5 && mergeAll(t, x) == 0 {
			sealRandom(t, r, x, m, size)
		}
		sealRandom(t, r, x, m, 0)
		x.removeUnused()
		require.NoError(t, readModel(folder, x.Manifest(), m))
		files := folder.VisibleFiles()
		names, err := FileNames(x.Manifest())
		require.NoError(t, err)
		some := m
		if size > 5 {
			some = model{} // a sample, because each flip reads all
			for id := range m {
				if some[id] = m[id]; len(some) == 50 {
					break
				}
			}
		}
		for _, name := range names {
			step := 1 + size/1000*113
			for at := r.IntN(step); at < len(files[name]); at += step {
				flips++
				damaged := maps.Clone(files)
				damaged[name] = slices.Clone(files[name])
				damaged[name][at] ^= 1 << (flips % 8)
				requireNoticed(t, sealedtest.NewFolder(damaged), x.Manifest(), some, name, at)
			}
		}
	}
	t.Log(flips, "flips")
}

// TestCuts cuts a file at each third length, and exchanges files.
func TestCuts(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	folder, m := memoryFolder(), model{}
	x := newIndexToTest(t, folder)
	sealRandom(t, r, x, m, 20)
	sealRandom(t, r, x, m, 20)
	names, err := FileNames(x.Manifest())
	require.NoError(t, err)
	files := folder.VisibleFiles()
	with := func(content []byte) sealed.Folder {
		damaged := maps.Clone(files)
		damaged[names[1]] = content
		return sealedtest.NewFolder(damaged)
	}
	for length := r.IntN(3); length < len(files[names[1]]); length += 3 {
		requireNoticed(t, with(files[names[1]][:length]), x.Manifest(), m, names[1], length)
	}
	requireNoticed(t, with(append(slices.Clone(files[names[1]]), 0)), x.Manifest(), m, names[1], 0)
	requireNoticed(t, with(files[names[0]]), x.Manifest(), m, names[1], 0)
	delete(files, names[0])
	requireNoticed(t, sealedtest.NewFolder(files), x.Manifest(), m, names[0], 0)
}

// TestDamagedSource merges a damaged run: the merge fails, and the index stays as it is.
func TestDamagedSource(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	folder, m := memoryFolder(), model{}
	x := newIndexToTest(t, folder)
	for x.takeMergeToTest() == nil {
		sealRandom(t, r, x, m, 50)
	}
	names, err := FileNames(x.Manifest())
	require.NoError(t, err)
	files := folder.VisibleFiles()
	for _, name := range names {
		files[name][len(files[name])-20] ^= 1
	}
	damaged := sealedtest.NewFolder(files)
	d, err := Open(damaged, x.Manifest(), Options{})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return d.MergeError() != nil }, waitLimit, waitTick)
	require.ErrorIs(t, d.MergeError(), sealed.ErrCorrupt)
	require.Equal(t, x.Manifest(), d.Manifest())
	require.NoError(t, d.Close())
	require.Len(t, damaged.VisibleFiles(), len(names))
}

// TestMergesBesideADamagedRun seals and merges beside a run that cannot be read, of damage or by an
// error of the disk: the others are merged, and the error stays to be seen.
func TestMergesBesideADamagedRun(t *testing.T) {
	t.Parallel()
	for _, want := range []error{sealed.ErrCorrupt, sealedtest.ErrInjected} {
		r := newRand(t)
		folder, m := memoryFolder(), model{}
		x := newIndexToTest(t, folder)
		sealRandom(t, r, x, m, 50)
		names, err := FileNames(x.Manifest())
		require.NoError(t, err)
		bad, files := names[0], folder.VisibleFiles()
		var isBroken atomic.Bool
		if errors.Is(want, sealed.ErrCorrupt) {
			files[bad][len(files[bad])-20] ^= 1
		}
		folder = sealedtest.NewFolder(files)
		folder.Before = func(op sealedtest.Operation) error {
			if isBroken.Load() && op.Name == bad && op.What == "read" {
				return sealedtest.ErrInjected
			}
			return nil
		}
		d, err := Open(folder, x.Manifest(), Options{})
		require.NoError(t, err)
		isBroken.Store(errors.Is(want, sealedtest.ErrInjected))
		for range 100 {
			sealRandom(t, r, d, m, 50)
		}
		require.Eventually(t, func() bool {
			sealRandom(t, r, d, m, 0)
			return len(d.Manifest()) <= manifestHead+3*mergeRuns*manifestRun
		}, waitLimit, waitTick)
		require.ErrorIs(t, d.MergeError(), want)
		kept, err := FileNames(d.Manifest())
		require.NoError(t, err)
		require.Contains(t, kept, bad)
		require.ErrorIs(t, d.VerifyFiles(t.Context()), want)
		require.NoError(t, d.Close())
	}
}
