package idindex

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// FuzzManifest decodes any bytes. A manifest that is accepted has one encoding, and sizes that fit
// its numbers of entries.
func FuzzManifest(f *testing.F) {
	m := manifest{seed: hashSeed{1, 2}, runs: []runEntry{{number: 3, entries: 341, burnt: 2, size: layoutOf(341, 2).end}}}
	f.Add(m.encodeManifest())
	f.Add((&manifest{}).encodeManifest())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decodeManifest(b)
		if err != nil {
			return
		}
		require.Equal(t, b, m.encodeManifest())
		for _, e := range m.runs {
			require.Positive(t, e.size)
		}
	})
}

// FuzzEntries reads any bytes as the entries of a block, with a right sum: no panic, and no entry of
// another hash.
func FuzzEntries(f *testing.F) {
	folder, first := memoryFolder(), make([]byte, 2*entryBytes)
	const hash = 1 << hashShift // the least but zero
	putEntry(first, newStoredEntry(hash, KindTransfer, MaxPosition))
	putEntry(first[entryBytes:], newStoredEntry(2*hash, KindBurnt, 0))
	f.Add(first, uint64(hash))
	f.Add(first, uint64(2*hash))
	f.Fuzz(func(t *testing.T, b []byte, hash uint64) {
		b = b[:len(b)/entryBytes*entryBytes]
		if len(b) == 0 {
			return
		}
		hash &= hashMask
		e := runEntry{entries: uint64(len(b) / entryBytes)}
		w, err := createRun(folder, hashSeed{1, 2}, e)
		require.NoError(t, err)
		w.beginLines(w.layout.lines)
		for ; len(b) > 0; b = b[entryBytes:] {
			copy(w.entries.nextRecord(entryBytes), b)
		}
		e, err = w.finishRun()
		require.NoError(t, err)
		r, err := openRun(folder, hashSeed{1, 2}, e)
		require.NoError(t, err)
		_, err = r.appendEntries(nil, ledger.NewID(hash, 0), hash)
		_ = err // a burnt id that is not there is a damage
		require.NoError(t, r.closeRun())
		require.NoError(t, folder.RemoveFile(e.fileName()))
	})
}
