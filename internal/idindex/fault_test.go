package idindex

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/internal/sealed/sealedtest"
	"github.com/peerledger/peerledger/ledger"
)

// waitLimit bounds waiting for the merger.
const waitLimit, waitTick = 20 * time.Second, time.Millisecond

// countOf counts operations of a kind.
func countOf(what string, n *int) func(sealedtest.Operation) error {
	return func(op sealedtest.Operation) error {
		if op.What == what {
			*n++
		}
		return nil
	}
}

// takeMergeToTest returns the merge that is due, without beginning it.
func (x *Index) takeMergeToTest() *merge {
	m := x.takeMerge()
	if m != nil {
		_ = x.finishMerge(m, errStopped)
	}
	return m
}

// owner has an index and the newest manifest on disk, as a checkpoint has it.
type owner struct {
	index    *Index
	manifest []byte
	on       model // the content of the manifest
}

// runScript seals, merges, gives up, and seals again. Errors end a step, and not the script.
func (o *owner) runScript(r *rand.Rand, folder sealed.Folder) (errs []error) {
	o.index = newIndex(folder, hashSeed{1, 2})
	o.on, o.manifest = model{}, o.index.Manifest()
	pace := &pacer{bytesPerSecond: 1 << 40, stop: o.index.stop}
	for step := range 11 {
		next := o.on.clone()
		s := o.index.NewSeal(0)
		for range 3 {
			id := ledger.NewID(r.Uint64(), r.Uint64())
			s.AddEntry(id, Entry{KindTransfer, 9})
			next[id] = []Entry{{KindTransfer, 9}}
		}
		if err := s.WriteRun(); err != nil {
			errs = append(errs, err)
			s.Discard()
			continue
		}
		if manifest := s.Manifest(); step%5 == 4 {
			s.Abandon()
		} else {
			o.manifest, o.on = manifest, next
			s.Commit()
		}
		o.index.removeUnused()
		for m := o.index.takeMerge(); m != nil; m = o.index.takeMerge() {
			err := o.index.runMerge(m, pace)
			if err != nil {
				errs = append(errs, err)
			}
			if !o.index.finishMerge(m, err) {
				break
			}
		}
	}
	return errs
}

// TestCrashPoints lets each operation of the script fail once, and crashes the machine at each
// operation: the files of the manifest are there, whole, and have all entries.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	seed := newRand(t).Uint64()
	crashes, merged := 0, 0
	for n := 1; ; n++ {
		folder, calls := memoryFolder(), 0
		o := &owner{}
		var failed sealedtest.Operation
		folder.Before = func(op sealedtest.Operation) error {
			calls++
			if calls < n {
				return nil
			}
			if calls == n {
				failed = op
				// The machine stops here, in place of the operation.
				requireOnDisk(t, folder.CrashedFiles(), o, op)
				requireOnDisk(t, folder.VisibleFiles(), o, op)
				crashes += 2
				return sealedtest.ErrInjected
			}
			return nil
		}
		errs := o.runScript(rand.New(rand.NewPCG(seed, 0)), folder)
		require.NoError(t, o.index.Close())
		for _, err := range errs {
			require.ErrorIs(t, err, sealedtest.ErrInjected, failed)
		}
		requireOnDisk(t, folder.CrashedFiles(), o, failed)
		requireOnDisk(t, folder.VisibleFiles(), o, failed)
		merged += len(o.index.merges)
		if calls < n {
			require.Empty(t, errs)
			require.Positive(t, merged)
			t.Log(n-1, "operations,", crashes, "crashes")
			return
		}
	}
}

// requireOnDisk opens the files that a crash left.
func requireOnDisk(t *testing.T, files map[string][]byte, o *owner, failed sealedtest.Operation) {
	t.Helper()
	if len(o.manifest) == 0 {
		return
	}
	folder := sealedtest.NewFolder(files)
	require.NoError(t, RemoveUnnamed(folder, o.manifest), failed)
	require.NoError(t, readModel(folder, o.manifest, o.on), failed)
	names, err := FileNames(o.manifest)
	require.NoError(t, err)
	require.Len(t, folder.VisibleFiles(), len(names), failed)
}

// TestReadErrors lets each read of a look-up fail: no answer is wrong.
func TestReadErrors(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	folder, m := memoryFolder(), model{}
	x := newIndexToTest(t, folder)
	sealRandom(t, r, x, m, 2000)
	for n := 1; ; n++ {
		calls := 0
		folder.Before = func(sealedtest.Operation) error {
			if calls++; calls == n {
				return sealedtest.ErrInjected
			}
			return nil
		}
		err := readModel(folder, x.Manifest(), model{})
		if err == nil {
			err = x.VerifyFiles(t.Context())
		}
		folder.Before = nil
		if calls < n {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, sealedtest.ErrInjected)
		require.NotErrorIs(t, err, sealed.ErrCorrupt)
	}
}
