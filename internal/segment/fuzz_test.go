package segment

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/sealed"
)

// FuzzDirectory reads any bytes as a block of the directory, with right sums: no panic, no endless
// loop, and every list has positions of the segment.
func FuzzDirectory(f *testing.F) {
	folder := memoryFolder()
	e, err := writeContent(folder, content{first: 1<<32 - 5, rows: make([]Row, 300)})
	require.NoError(f, err)
	s, err := Open(folder, e)
	require.NoError(f, err)
	s.listsBytes = 100
	d := directoryWriter{}
	d.addList(7, []uint32{0, 1, 299})
	d.addList(9, []uint32{250})
	f.Add(d.blocks[directoryHead:])
	f.Add([]byte{7, 0, 0, 0, 3, 5, 0, 10})
	f.Fuzz(func(t *testing.T, block []byte) {
		for len(block) > 0 {
			entry, rest, err := s.nextEntry(block, 0)
			if err != nil {
				require.ErrorIs(t, err, sealed.ErrCorrupt)
				return
			}
			require.Less(t, len(rest), len(block))
			block = rest
			list, err := s.decodeList(entry, 0)
			if err != nil {
				require.ErrorIs(t, err, sealed.ErrCorrupt)
				continue
			}
			if list.bytes > 0 {
				continue // in the file
			}
			got := readPositions(t, list, 0, NoPosition, false)
			require.Len(t, got, list.Len())
			require.True(t, slices.IsSorted(got))
			require.GreaterOrEqual(t, got[0], uint64(1<<32-5))
			require.Less(t, got[len(got)-1], uint64(1<<32+295))
		}
	})
}

// FuzzManifest decodes any bytes. A manifest that is accepted has one encoding.
func FuzzManifest(f *testing.F) {
	f.Add(AppendManifest(nil, []Entry{{First: 3, End: 9, Size: 7}, {First: 9, End: 1<<32 + 4}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := DecodeManifest(b)
		if err == nil {
			require.Equal(t, b, AppendManifest(b[:0:0], entries))
		}
	})
}
