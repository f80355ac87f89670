package idindex

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

// growing is a list of the ids whose seals are committed; the id at index i has position i.
type growing struct {
	mu  sync.Mutex
	ids []ledger.ID
}

func (g *growing) idsNow() []ledger.ID {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.ids
}

// sealMore commits a seal of n more ids, and returns the number of merges in the manifest.
func (g *growing) sealMore(t *testing.T, r *rand.Rand, x *Index, n int) int {
	t.Helper()
	s, next := x.NewSeal(0), g.idsNow()
	for range n {
		id := ledger.NewID(r.Uint64(), r.Uint64())
		s.AddEntry(id, Entry{KindTransfer, uint64(len(next))})
		next = append(next, id)
	}
	require.NoError(t, s.WriteRun())
	s.Manifest()
	s.Commit()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ids = next
	return len(s.merges)
}

// lookUp looks up ids until stop is closed.
func (g *growing) lookUp(t *testing.T, x *Index, from int, stop <-chan struct{}) error {
	t.Helper()
	may := []bool{false}
	for n := from; ; n += 7919 {
		select {
		case <-stop:
			return nil
		default:
		}
		known := g.idsNow()
		if len(known) == 0 {
			continue
		}
		id := known[n%len(known)]
		if err := x.MayHave([]ledger.ID{id}, may); err != nil || !may[0] {
			return errOrOther(err)
		}
		found, err := x.FindEntries(nil, id)
		if err != nil || len(found) != 1 || found[0].Position != uint64(n%len(known)) {
			return errOrOther(err)
		}
		if n%20_000 == from {
			if err := x.VerifyFiles(t.Context()); err != nil {
				return err
			}
		}
	}
}

// TestMergesUnderLookups seals many runs, while goroutines look up and verify and the merger works.
func TestMergesUnderLookups(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	folder := sealed.OSFolder(t.TempDir())
	x := New(folder, Options{})
	g, stop := &growing{}, make(chan struct{})
	var readers errgroup.Group
	for reader := range 4 {
		readers.Go(func() error { return g.lookUp(t, x, reader, stop) })
	}
	merged := 0
	for range 80 {
		merged += g.sealMore(t, r, x, 1+r.IntN(300))
	}
	close(stop)
	require.NoError(t, readers.Wait())
	require.NoError(t, x.MergeError())
	t.Log(merged, "merges,", len(x.current.runs), "runs")
	manifest := x.Manifest()
	require.NoError(t, x.Close())
	require.NoError(t, RemoveUnnamed(folder, manifest))
	again, err := OpenToRead(folder, manifest)
	require.NoError(t, err)
	for i, id := range g.ids {
		found, err := again.FindEntries(nil, id)
		require.NoError(t, err)
		require.Equal(t, []Entry{{KindTransfer, uint64(i)}}, found)
	}
	require.NoError(t, again.VerifyFiles(t.Context()))
	require.NoError(t, again.Close())
}

func errOrOther(err error) error {
	if err == nil {
		return errOther
	}
	return err
}

// TestMerger waits until the merger has merged runs by itself, with the next seal in their place.
func TestMerger(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	folder, m := memoryFolder(), model{}
	x := New(folder, Options{})
	for range 4 * mergeRuns {
		sealRandom(t, r, x, m, 64)
	}
	require.Eventually(t, func() bool {
		sealRandom(t, r, x, m, 0)
		return len(x.current.runs) <= 2*mergeRuns
	}, waitLimit, waitTick)
	requireModel(t, x, m)
	require.NoError(t, x.Close())
}

// TestMayUse refuses merges their disk space for a while.
func TestMayUse(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	m := model{}
	var allowed atomic.Bool
	var asked atomic.Int64
	x := New(memoryFolder(), Options{MayUse: func(bytes int64) error {
		asked.Store(bytes)
		if !allowed.Load() {
			return errOther
		}
		return nil
	}})
	for range 4 * mergeRuns {
		sealRandom(t, r, x, m, 64)
	}
	require.Eventually(t, func() bool { return x.MergeError() != nil }, waitLimit, waitTick)
	require.ErrorIs(t, x.MergeError(), errOther)
	require.Greater(t, asked.Load(), int64(2*blockBytes))
	sealRandom(t, r, x, m, 0)
	require.GreaterOrEqual(t, len(x.current.runs), 4*mergeRuns)
	allowed.Store(true)
	require.Eventually(t, func() bool {
		sealRandom(t, r, x, m, 0)
		return len(x.current.runs) <= 2*mergeRuns && x.MergeError() == nil
	}, waitLimit, waitTick)
	requireModel(t, x, m)
	require.NoError(t, x.Close())
}

// TestPacer spends bytes at a rate, in virtual time.
func TestPacer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		p := &pacer{bytesPerSecond: 1 << 20, stop: stop}
		begin := time.Now()
		for range 160 {
			require.NoError(t, p.spendBytes(64<<10))
		}
		took := time.Since(begin)
		require.Greater(t, took, 10*time.Second-2*pacerSlack)
		require.Less(t, took, 10*time.Second+pacerSlack)

		time.Sleep(time.Hour) //nolint:forbidigo // passes virtual time: a pause earns no bytes
		begin = time.Now()
		require.NoError(t, p.spendBytes(1<<20))
		require.Equal(t, time.Second, time.Since(begin))

		go func() {
			time.Sleep(time.Minute) //nolint:forbidigo // passes virtual time
			close(stop)
		}()
		require.ErrorIs(t, p.spendBytes(1<<30), errStopped)
		require.ErrorIs(t, p.spendBytes(0), errStopped)
	})
}

// TestCloseEndsMerge closes an index whose merge would take years.
func TestCloseEndsMerge(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	folder, m := memoryFolder(), model{}
	x := New(folder, Options{MergeBytesPerSecond: 1})
	for range 2 * mergeRuns {
		sealRandom(t, r, x, m, 100)
	}
	manifest := x.Manifest()
	require.NoError(t, x.Close())
	require.NoError(t, x.MergeError())
	require.NoError(t, readModel(folder, manifest, m))
	names, err := FileNames(manifest)
	require.NoError(t, err)
	require.Len(t, folder.VisibleFiles(), len(names))
}
