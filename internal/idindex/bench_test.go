package idindex

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

// benchRows is the number of rows of a seal in the benchmarks.
const benchRows = 1 << 17

// benchID returns id i. The ids are in no order, the worst case: each run may have each id.
func benchID(i uint64) ledger.ID {
	return ledger.NewID((i+1)*0x9E3779B97F4A7C15, (i+7)*0xff51afd7ed558ccd)
}

// BenchmarkSeal writes runs; the time of the disk's sync counts, as far as the file system waits.
func BenchmarkSeal(b *testing.B) {
	folder := sealed.OSFolder(b.TempDir())
	x := newIndex(folder, hashSeed{rand.Uint64(), rand.Uint64()})
	var size int64
	for b.Loop() {
		s := x.NewSeal(benchRows)
		for i := range uint64(benchRows) {
			s.AddEntry(benchID(i), Entry{KindTransfer, uint64(i)})
		}
		require.NoError(b, s.WriteRun())
		size = s.written.entry.size
		s.Discard()
		x.removeUnused()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
	b.ReportMetric(float64(size)/benchRows, "bytes/row")
	require.NoError(b, x.Close())
}

// openBenchIndex returns an index of runs of a size.
func openBenchIndex(b *testing.B, runs, entries int) *Index {
	b.Helper()
	x := newIndex(sealed.OSFolder(b.TempDir()), hashSeed{rand.Uint64(), rand.Uint64()})
	b.Cleanup(func() { require.NoError(b, x.Close()) })
	for run := range runs {
		s := x.NewSeal(entries)
		for i := range entries {
			s.AddEntry(benchID(uint64(run*entries+i)), Entry{KindTransfer, uint64(i)})
		}
		require.NoError(b, s.WriteRun())
		s.Commit()
	}
	return x
}

// BenchmarkNewIDs asks for requests of 8,190 new ids in ten runs of a million entries.
func BenchmarkNewIDs(b *testing.B) {
	x := openBenchIndex(b, 10, 1<<20)
	ids, may := make([]ledger.ID, 8190), make([]bool, 8190)
	next, wrong := uint64(1)<<40, 0
	for b.Loop() {
		for i := range ids {
			ids[i] = benchID(next)
			next++
		}
		require.NoError(b, x.MayHave(ids, may))
		for _, m := range may {
			if m {
				wrong++
			}
		}
	}
	asked := float64(b.N) * float64(len(ids))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/asked, "ns/id")
	b.ReportMetric(100*float64(wrong)/asked, "%wrong")
}

// BenchmarkNewID is BenchmarkNewIDs with a call for each id.
func BenchmarkNewID(b *testing.B) {
	x := openBenchIndex(b, 10, 1<<20)
	ids, may := make([]ledger.ID, 1), make([]bool, 1)
	next := uint64(1) << 40
	for b.Loop() {
		ids[0] = benchID(next)
		next++
		require.NoError(b, x.MayHave(ids, may))
	}
}

// BenchmarkKnownID finds ids in ten runs of a million entries, in the page cache.
func BenchmarkKnownID(b *testing.B) {
	x := openBenchIndex(b, 10, 1<<20)
	var found []Entry
	for b.Loop() {
		var err error
		found, err = x.FindEntries(found[:0], benchID(rand.Uint64N(10<<20)))
		require.NoError(b, err)
		require.NotEmpty(b, found)
	}
}

// BenchmarkMerge merges four runs of a million entries, without a bound on bytes.
func BenchmarkMerge(b *testing.B) {
	x := openBenchIndex(b, mergeRuns, 1<<20)
	pace := &pacer{bytesPerSecond: 1 << 40, stop: x.stop}
	for b.Loop() {
		m := x.takeMerge()
		require.NoError(b, x.runMerge(m, pace))
		require.NoError(b, m.result.closeRun())
		require.NoError(b, x.folder.RemoveFile(m.result.entry.fileName()))
		for _, r := range m.sources {
			r.users--
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/mergeRuns/(1<<20), "ns/entry")
}
