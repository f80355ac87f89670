package packetlog_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/packetlog"
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
