package packetlog_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/ledger"
)

// BenchmarkArchiveWriter writes packets of 1,000 peers with compression and indexes, on one core.
func BenchmarkArchiveWriter(b *testing.B) {
	packets := newTraffic(1, 1000).packets(1 << 18)
	folder := b.TempDir()
	b.ReportAllocs()
	w, err := packetlog.CreateArchive(folder, 1, 1)
	require.NoError(b, err)
	b.ResetTimer()
	for i := range b.N {
		if err := w.Add(&packets[i%len(packets)]); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, w.Commit())
	b.StopTimer()
	list, err := packetlog.ListArchives(folder)
	require.NoError(b, err)
	b.ReportMetric(float64(list[0].Size)/float64(b.N), "B/packet")
}

// BenchmarkSearchByID finds one packet of two million in four files.
func BenchmarkSearchByID(b *testing.B) {
	folder := filepath.Join(b.TempDir(), "journal")
	require.NoError(b, os.Mkdir(folder, 0o700))
	g := newTraffic(1, 1000)
	var ids []ledger.ID
	for file := range uint64(4) {
		packets := g.packets(500_000)
		writeArchive(b, filepath.Join(folder, packetlog.ArchiveFolder), file, packets)
		for i := 0; i < len(packets); i += 5000 {
			ids = append(ids, packets[i].ID)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		found := search(b, folder, packetlog.Query{ID: ids[i%len(ids)]})
		if len(found) != 1 {
			b.Fatal(len(found), "packets")
		}
	}
}

// BenchmarkReadRecent reads the packets of a file of half a million, as a recorder does at its start.
func BenchmarkReadRecent(b *testing.B) {
	folder := b.TempDir()
	writeArchive(b, folder, 1, newTraffic(1, 1000).packets(500_000))
	for b.Loop() {
		_, err := packetlog.ReadRecent(folder, math.MinInt64, func(*packetlog.Packet) error { return nil })
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500_000, "ns/packet")
}
