package segment

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/sealed"
)

// TestReadsBack writes random segments of many sizes, and reads everything back.
func TestReadsBack(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	for _, n := range []int{0, 1, 2, 3, 17, 100, 511, 512, 513, 3000, 20000} {
		c := randomContent(r, randomFirst(r, n), n)
		s := openContent(t, memoryFolder(), c)
		e := s.Entry()
		require.Equal(t, c.first, e.First)
		require.Equal(t, c.first+uint64(n), e.End)
		rows := make([]Row, n)
		require.NoError(t, s.ReadRows(c.first, rows))
		require.True(t, slices.Equal(c.rows, rows))
		for range min(n, 20) {
			i := r.Uint64N(uint64(n))
			var row Row
			require.NoError(t, s.ReadRow(c.first+i, &row))
			require.Equal(t, c.rows[i], row)
		}
		starts, err := s.ReadStarts()
		require.NoError(t, err)
		require.Equal(t, c.starts, starts)
		expiries, err := s.ReadExpiries()
		require.NoError(t, err)
		require.True(t, slices.Equal(c.expiries, expiries))
		lateEnds, err := s.ReadLateEnds()
		require.NoError(t, err)
		require.True(t, slices.Equal(c.lateEnds, lateEnds))
		require.NoError(t, s.VerifyFile(t.Context()))
	}
}

// TestFirstFrom compares the search by time with a walk over all rows.
func TestFirstFrom(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	for _, n := range []int{0, 1, 2, 100} {
		c := randomContent(r, 1000, n)
		s := openContent(t, memoryFolder(), c)
		for timestamp := uint64(990); timestamp < 1010+2*uint64(n); timestamp++ {
			want := slices.IndexFunc(c.rows, func(row Row) bool { return row.Timestamp >= timestamp })
			if want < 0 {
				want = n
			}
			got, err := s.FirstFrom(timestamp)
			require.NoError(t, err)
			require.Equal(t, uint64(1000+want), got, timestamp)
		}
	}
}

// TestFindStart looks each account up, and accounts that are not there.
func TestFindStart(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	for _, n := range []int{0, 1, 30, 500} {
		c := randomContent(r, 0, n)
		s := openContent(t, memoryFolder(), c)
		for account := range uint32(2*len(c.starts) + 2) {
			start, ok, err := s.FindStart(account)
			require.NoError(t, err)
			require.Equal(t, account%2 == 0 && int(account/2) < len(c.starts), ok, account)
			if ok {
				require.Equal(t, c.starts[account/2], start)
			}
		}
	}
}

// TestFindRows compares the lists with a walk over all rows, in both directions and in spans.
func TestFindRows(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	lists, longer := 0, 0
	for _, n := range []int{1, 2, 50, 2000, 20000} {
		first := randomFirst(r, n)
		c := randomContent(r, first, n)
		s := openContent(t, memoryFolder(), c)
		for _, field := range allFields {
			for range 5 {
				value := fieldOf(&c.rows[r.IntN(n)].Transfer, field)
				if value.IsZero() {
					continue
				}
				var want []uint64
				for i := range c.rows {
					if fieldOf(&c.rows[i].Transfer, field) == value {
						want = append(want, first+uint64(i))
					}
				}
				list, err := s.FindRows(field, value)
				require.NoError(t, err)
				all := readPositions(t, list, 0, NoPosition, false)
				require.Len(t, all, list.Len())
				require.True(t, isSubset(want, all), "%d rows, field %d: %d and %d", n, field, len(want), len(all))
				checkSpans(t, list, all, r.Uint64N)
				lists++
				if len(all) > len(want) {
					longer++
				}
			}
		}
	}
	require.Less(t, longer, lists/5, "lists with other rows")
}

// isSubset reports whether the ascending list has all numbers, which ascend too.
func isSubset(numbers, list []uint64) bool {
	for _, n := range numbers {
		at, found := slices.BinarySearch(list, n)
		if !found {
			return false
		}
		list = list[at:]
	}
	return true
}

// TestAbsentValue looks for values that no row has. Few of them share a hash with a value.
func TestAbsentValue(t *testing.T) {
	t.Parallel()
	s := openContent(t, memoryFolder(), randomContent(newRand(t), 77, 1000))
	found := 0
	for i := range uint64(1000) {
		list, err := s.FindRows(FieldUserData64, uint128.From64(1<<40+i))
		require.NoError(t, err)
		require.Len(t, readPositions(t, list, 0, NoPosition, true), list.Len())
		found += min(list.Len(), 1)
	}
	require.Less(t, found, 10)
	list, err := s.FindRows(FieldCode, uint128.Zero)
	require.NoError(t, err)
	require.Zero(t, list.Len())
}

func readPositions(t *testing.T, l List, first, end uint64, reversed bool) []uint64 {
	t.Helper()
	var got []uint64
	for pos, err := range l.Positions(first, end, reversed) {
		require.NoError(t, err)
		got = append(got, pos)
	}
	return got
}

// checkSpans reads parts of a list, and stops early.
func checkSpans(t *testing.T, list List, all []uint64, random func(uint64) uint64) {
	t.Helper()
	for range 20 {
		least, size := all[0]-min(all[0], 2), all[len(all)-1]-all[0]+5 // and a little beyond both ends
		first := least + random(size)
		end := first + random(size)
		low, _ := slices.BinarySearch(all, first)
		high, _ := slices.BinarySearch(all, end)
		want := slices.Clone(all[low:high])
		require.True(t, slices.Equal(want, readPositions(t, list, first, end, false)), "%d to %d", first, end)
		slices.Reverse(want)
		require.True(t, slices.Equal(want, readPositions(t, list, first, end, true)), "%d to %d", first, end)
		for pos, err := range list.Positions(first, end, true) {
			require.NoError(t, err)
			require.Equal(t, want[0], pos)
			break
		}
	}
}

// TestPostings collects random rows of few or many values, and compares the lists with a map.
func TestPostings(t *testing.T) {
	t.Parallel()
	r := newRand(t)
	for _, values := range []int{1, 3, 100, slots, 100_000} {
		p, want := &postings{hash: fieldHash{r.Uint64(), r.Uint64()}}, map[uint32][]uint32{}
		for row := range uint32(50_000) {
			value := uint128.From64(uint64(1 + r.IntN(1+r.IntN(values))))
			for range 1 + r.IntN(2) { // two values of a row with one hash
				p.addValue(row, FieldCode, value)
			}
			p.addValue(row, FieldLedger, uint128.Zero)
			hash := p.hash.hashValue(FieldCode, value.Lo, 0)
			if rows := want[hash]; len(rows) == 0 || rows[len(rows)-1] != row {
				want[hash] = append(rows, row)
			}
		}
		p.sortAll()
		last := int64(-1)
		for hash, rows, ok := p.takeList(nil); ok; hash, rows, ok = p.takeList(nil) {
			require.Greater(t, int64(hash), last)
			last = int64(hash)
			require.True(t, slices.Equal(want[hash], rows), "%d values", values)
			delete(want, hash)
		}
		require.Empty(t, want)
	}
}

// TestOutOfRange asks for rows that the segment does not have: a bug.
func TestOutOfRange(t *testing.T) {
	t.Parallel()
	s := openContent(t, memoryFolder(), randomContent(newRand(t), 10, 5))
	var row Row
	for _, pos := range []uint64{9, 15} {
		require.Panics(t, func() { _ = s.ReadRow(pos, &row) })
	}
	require.Panics(t, func() { _ = s.ReadRows(10, make([]Row, 6)) })
}

func TestManifest(t *testing.T) {
	t.Parallel()
	entries := []Entry{{First: 3, End: 9, FirstTimestamp: 1, LastTimestamp: 1, Number: 5, Size: 7, Sum: 8}, {First: 9, End: 9}, {First: 9, End: 9 + MaxRows, Size: 1}}
	b := AppendManifest(nil, entries)
	got, err := DecodeManifest(b)
	require.NoError(t, err)
	require.Equal(t, entries, got)
	_, err = DecodeManifest(b[:len(b)-1])
	require.Error(t, err)
	_, err = DecodeManifest(b[entryBytes : 3*entryBytes-1])
	require.Error(t, err)
	gap := AppendManifest(AppendManifest(nil, entries[:1]), entries[:1])
	_, err = DecodeManifest(gap)
	require.Error(t, err)
	_, err = DecodeManifest(AppendManifest(nil, []Entry{{First: NoPosition - 1, End: NoPosition}}))
	require.NoError(t, err)
	for _, e := range []Entry{{First: NoPosition, End: NoPosition + 1}, {First: 1, End: 2 + MaxRows}, {First: 2, End: 1}} {
		_, err = DecodeManifest(AppendManifest(nil, []Entry{e}))
		require.Error(t, err)
	}
	require.Equal(t, "segment-0000000000000005", entries[0].FileName())
}

func TestRemoveUnnamed(t *testing.T) {
	t.Parallel()
	folder := memoryFolder()
	kept, err := writeContent(folder, randomContent(newRand(t), 0, 3))
	require.NoError(t, err)
	_, err = writeContent(folder, randomContent(newRand(t), 3, 3))
	require.NoError(t, err)
	_, err = Create(folder, 6, 3)
	require.NoError(t, err)
	_, err = folder.CreateFile("segment-x")
	require.NoError(t, err)
	require.Len(t, folder.VisibleFiles(), 4)
	require.NoError(t, RemoveUnnamed(folder, []Entry{kept}))
	names, err := folder.ListNames()
	require.NoError(t, err)
	require.Equal(t, []string{kept.FileName(), "segment-x"}, names)
}

// TestNewerFormat opens a file of a newer program.
func TestNewerFormat(t *testing.T) {
	t.Parallel()
	folder := memoryFolder()
	w, err := sealed.CreateFile(folder, Entry{}.FileName(), sealed.Format{Magic: format.Magic, Version: 2}, nil)
	require.NoError(t, err)
	size, err := w.Finish()
	require.NoError(t, err)
	_, err = Open(folder, Entry{Size: size, Sum: w.HeaderSum()})
	require.ErrorIs(t, err, sealed.ErrVersion)
}
