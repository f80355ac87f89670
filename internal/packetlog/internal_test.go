package packetlog

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// WriteNewerVersion turns a file into one of the next version.
func WriteNewerVersion(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint32(b[8:], formatVersion+1)
	binary.BigEndian.PutUint32(b[headerSize-sumSize:], crc32.Checksum(b[:headerSize-sumSize], castagnoli))
	return os.WriteFile(path, b, 0o600)
}

// sealed returns a file with a compressed chunk, a plain chunk, and a footer, all with right sums.
func sealed(tb testing.TB, compressed, plain, footer []byte) []byte {
	tb.Helper()
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	require.NoError(tb, err)
	file, sum := encodeHeader(1, 1)
	add := func(data []byte) (at chunk) {
		at = chunk{int64(len(file)), int64(len(data) + sumSize)}
		file = binary.BigEndian.AppendUint32(file, chunkSum(sum, at.offset, data))
		file = append(file, data...)
		return at
	}
	add(encoder.EncodeAll(compressed, nil))
	add(plain)
	return append(file, encodeTrailer(sum, add(footer))...)
}

// FuzzArchive reads files whose sums are right and whose content is anything, as from a faulty writer. It
// finds nothing worse than ErrArchiveCorrupt.
func FuzzArchive(f *testing.F) {
	packed := func(data []byte) int64 {
		file := sealed(f, data, nil, nil)
		return int64(len(file) - headerSize - 2*sumSize - trailerSize)
	}
	alice := Party{Ledger: 1, Peer: "alice"}
	var k block
	k.add(&Packet{Number: 1, ResolvedAt: 5, Expiry: 9, ID: ledger.NewID(1, 2), From: alice, To: alice, In: 3}, 0, 0)
	blockData := slices.Concat(k.appendRows(nil), k.ids, k.conditions)
	at := chunk{headerSize, packed(blockData)}
	var page postings
	page.add(0, 0)
	plain := appendPage(nil, page)
	footerWith := func(at chunk) []byte {
		ft := footer{
			parties: []chunk{at}, rounds: []roundChunk{{chunk: at, count: 1, number: span{1, 1, true}}},
			blocks: []blockPlace{{at, 1, k.resolved, k.expiry, k.number}}, groups: []group{{1, at, at, at}},
		}
		return ft.appendTo(nil)
	}
	f.Add(blockData, plain, footerWith(at))
	table := append([]byte{1, 5}, "alice"...)
	f.Add(table, plain, footerWith(chunk{headerSize, packed(table)}))
	round := AppendRound(nil, &Round{Number: 1})
	f.Add(round, plain, footerWith(chunk{headerSize, packed(round)}))
	f.Fuzz(func(t *testing.T, compressed, plain, footer []byte) {
		folder := t.TempDir()
		path := filepath.Join(folder, archiveName(1))
		require.NoError(t, os.WriteFile(path, sealed(t, compressed, plain, footer), 0o600))
		decoder, err := newDecoder()
		require.NoError(t, err)
		defer decoder.Close()
		a, err := openArchive(path, decoder)
		requireCorrupt(t, err)
		if err != nil {
			return
		}
		defer func() { require.NoError(t, a.close()) }()
		a.describe()
		for i := range a.footer.rounds {
			requireCorrupt(t, a.readRounds(&a.footer.rounds[i], func(Round) error { return nil }))
		}
		for i := range a.footer.blocks {
			requireCorrupt(t, a.readBlock(i, func(*Packet) error { return nil }))
		}
		a.parties = []Party{{}}
		for i := range a.footer.blocks {
			requireCorrupt(t, a.readBlock(i, func(*Packet) error { return nil }))
		}
		for _, index := range []indexOf{byID, byCondition, byParty} {
			_, err := a.findBlocks(index, []uint32{0, 1, math.MaxUint32})
			requireCorrupt(t, err)
		}
	})
}

func requireCorrupt(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.Is(err, ErrArchiveCorrupt) {
		require.FailNow(t, "another error", err)
	}
}

// The pages that a directory names for a key have all its blocks, also when two pages have the key.
func TestPostings(t *testing.T) {
	t.Parallel()
	var p postings
	for block := range uint32(blocksPerGroup) {
		for range 3 {
			p.add(7, block)
			p.add(100, block) // begins in the first page and ends in the second
			p.add(block*2, block)
			p.add(math.MaxUint32-block, block)
		}
		p.add(block/2, block)
	}
	want := map[uint32][]int{}
	for _, pair := range p {
		key, block := uint32(pair>>32), int(pair&math.MaxUint32)
		if n := len(want[key]); n == 0 || want[key][n-1] != block {
			want[key] = append(want[key], block)
		}
	}
	chunks := map[chunk][]byte{}
	at, err := p.write(func(data []byte) (chunk, error) {
		c := chunk{offset: int64(len(chunks))}
		chunks[c] = append([]byte{}, data...)
		return c, nil
	})
	require.NoError(t, err)
	require.Empty(t, p)
	directory, ok := readDirectory(chunks[at])
	require.True(t, ok)
	require.Len(t, directory, 3)
	for key := range uint32(600) {
		for _, key := range []uint32{key, math.MaxUint32 - key} {
			var got []int
			for _, page := range pagesOf(directory, key) {
				got, ok = appendBlocks(got, chunks[page.chunk], key)
				require.True(t, ok)
			}
			require.Equal(t, want[key], got, key)
		}
	}
}

// A chunk of another file, or at another place, has another sum.
func TestChunkSumNamesThePlace(t *testing.T) {
	t.Parallel()
	data := []byte("data")
	sum := chunkSum(1, 40, data)
	require.Equal(t, sum, chunkSum(1, 40, data))
	require.NotEqual(t, sum, chunkSum(2, 40, data))
	require.NotEqual(t, sum, chunkSum(1, 44, data))
}

// Whatever step fails or is the last before a crash, the file of before is there or the new one, whole. The file
// is on disk before it gets its name.
func TestStepsOfCommit(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	write := func(folder string, number uint64, fail string) (steps []string, err error) {
		w, err := CreateArchive(folder, 1, 1)
		require.NoError(t, err)
		w.before = func(step string) error {
			if steps = append(steps, step); step == fail {
				return failed
			}
			return nil
		}
		require.NoError(t, w.Add(&Packet{Number: number}))
		err = w.Commit()
		require.NoError(t, w.Discard())
		require.NoFileExists(t, w.path+tmpSuffix)
		return steps, err
	}
	read := func(folder string) (numbers []uint64) {
		_, err := ReadRecent(folder, math.MinInt64, func(p *Packet) error {
			numbers = append(numbers, p.Number)
			return nil
		})
		require.NoError(t, err)
		return numbers
	}
	all, err := write(t.TempDir(), 1, "")
	require.NoError(t, err)
	require.Equal(t, []string{"flush", "sync", "close", "rename", "sync folder"}, all)
	for i, step := range all {
		folder := t.TempDir()
		_, err := write(folder, 1, step)
		require.ErrorIs(t, err, failed)
		isNamed := i > 3
		require.Equal(t, isNamed, len(read(folder)) == 1, step)
		_, err = write(folder, 2, "")
		require.NoError(t, err)
		_, err = write(folder, 3, step)
		require.ErrorIs(t, err, failed)
		require.Equal(t, []uint64{map[bool]uint64{false: 2, true: 3}[isNamed]}, read(folder), step)
	}
}
