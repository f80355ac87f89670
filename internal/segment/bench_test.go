package segment

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

// benchRows is the number of rows of a segment in the benchmarks.
const benchRows = 1 << 17

var packet1000 = func(n uint64) uint64 { return n * 0xff51afd7ed558ccd }(1000)

// packetRow is row i of a recorder: a packet has two holds and two posts, between 100 accounts.
func packetRow(r *Row, i uint64) {
	packet, debit, credit := i/4, i%100, (i+7)%100
	*r = Row{Transfer: ledger.Transfer{
		ID: ledger.NewID(i, packet*0x9E3779B97F4A7C15), DebitAccountID: ledger.NewID(debit+1, 5), CreditAccountID: ledger.NewID(credit+1, 5),
		Amount: ledger.NewAmount(i), UserData128: uint128.New(packet*0x9E3779B97F4A7C15, 1), UserData64: packet * 0xff51afd7ed558ccd,
		UserData32: uint32(packet % 2), Ledger: 840, Code: uint16(1 + i%4), Timestamp: 1e18 + i,
	}, Debit: uint32(debit), Credit: uint32(credit), Hold: NoPosition}
}

func writePackets(b *testing.B, folder sealed.Folder, rows int) Entry {
	b.Helper()
	w, err := Create(folder, 0, rows)
	require.NoError(b, err)
	var row Row
	for i := range rows {
		packetRow(&row, uint64(i))
		if err := w.AppendRow(&row); err != nil {
			b.Fatal(err)
		}
	}
	for account := range uint32(100) {
		w.AddStart(Start{Account: account})
	}
	e, err := w.Finish()
	require.NoError(b, err)
	return e
}

// BenchmarkSeal writes segments; ns/row includes encoding, lists, sums and writes, but the disk's
// sync only as far as the folder's file system waits for the disk.
func BenchmarkSeal(b *testing.B) {
	folder := sealed.OSFolder(b.TempDir())
	var e Entry
	for b.Loop() {
		e = writePackets(b, folder, benchRows)
		require.NoError(b, folder.RemoveFile(e.FileName()))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
	b.ReportMetric(float64(e.Size)/benchRows, "bytes/row")
}

func openPackets(b *testing.B) *Segment {
	b.Helper()
	folder := sealed.OSFolder(b.TempDir())
	s, err := Open(sealed.NewFileCache(0).Folder(folder), writePackets(b, folder, benchRows))
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return s
}

// BenchmarkOpen opens a segment.
func BenchmarkOpen(b *testing.B) {
	folder := sealed.OSFolder(b.TempDir())
	e := writePackets(b, folder, benchRows)
	for b.Loop() {
		s, err := Open(folder, e)
		require.NoError(b, err)
		require.NoError(b, s.Close())
	}
}

// BenchmarkReadRow reads random rows from the page cache.
func BenchmarkReadRow(b *testing.B) {
	s := openPackets(b)
	var row Row
	for b.Loop() {
		require.NoError(b, s.ReadRow(rand.Uint64N(benchRows), &row))
	}
}

// BenchmarkReadRowOfMany reads rows of two segments in turn, of which one may be open.
func BenchmarkReadRowOfMany(b *testing.B) {
	folder, files := sealed.OSFolder(b.TempDir()), sealed.NewFileCache(1)
	var segments [2]*Segment
	for i := range segments {
		s, err := Open(files.Folder(folder), writePackets(b, folder, benchRows))
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, s.Close()) })
		segments[i] = s
	}
	var row Row
	for i := 0; b.Loop(); i++ {
		require.NoError(b, segments[i%2].ReadRow(rand.Uint64N(benchRows), &row))
	}
}

// BenchmarkReadRows reads a whole segment.
func BenchmarkReadRows(b *testing.B) {
	s := openPackets(b)
	rows := make([]Row, readRows)
	for b.Loop() {
		for first := uint64(0); first < benchRows; first += readRows {
			require.NoError(b, s.ReadRows(first, rows))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
}

// BenchmarkFindRows finds a packet's rows, an account's newest row, and a value that is not there.
func BenchmarkFindRows(b *testing.B) {
	s := openPackets(b)
	for name, value := range map[string]struct {
		field Field
		value uint128.Uint128
	}{
		"packet":  {FieldUserData64, uint128.From64(packet1000)},
		"account": {FieldDebitAccount, uint128.New(8, 5)},
		"ledger":  {FieldLedger, uint128.From64(840)},
		"absent":  {FieldUserData64, uint128.From64(12345)},
	} {
		b.Run(name, func(b *testing.B) {
			found := 0
			for b.Loop() {
				list, err := s.FindRows(value.field, value.value)
				require.NoError(b, err)
				found = list.Len()
				for _, err := range list.Positions(0, NoPosition, true) {
					require.NoError(b, err)
					break
				}
			}
			b.ReportMetric(float64(found), "rows")
		})
	}
}
