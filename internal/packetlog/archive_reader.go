package packetlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// archive is an open archive file. One goroutine at a time uses it.
type archive struct {
	path            string
	file            *os.File
	size            int64
	journal, number uint64
	version         uint32
	sum             uint32 // of the header
	footer          footer
	decoder         *zstd.Decoder
	parties         []Party // nil before loadParties
	data, raw       []byte  // scratch
}

// newDecoder returns a decoder for the chunks of any number of files.
func newDecoder() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxRawChunk))
}

// openArchive reads header and footer of a file. Errors match [ErrArchiveCorrupt] or
// [ErrArchiveVersion], or are the file system's.
func openArchive(path string, decoder *zstd.Decoder) (*archive, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("packetlog: %w", err)
	}
	a := &archive{path: path, file: file, decoder: decoder}
	if err := a.readEnds(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return a, nil
}

func (a *archive) close() error {
	if err := a.file.Close(); err != nil {
		return fmt.Errorf("packetlog: %w", err)
	}
	return nil
}

func (a *archive) corrupt(offset int64, reason string) error {
	return &ArchiveError{File: a.path, Offset: offset, Reason: reason}
}

func (a *archive) readAt(offset, length int64) ([]byte, error) {
	a.data = slices.Grow(a.data[:0], int(length))[:length]
	if _, err := a.file.ReadAt(a.data, offset); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, a.corrupt(a.size, "the file became shorter")
		}
		return nil, fmt.Errorf("packetlog: %w", err)
	}
	return a.data, nil
}

// readEnds reads header, trailer and footer.
func (a *archive) readEnds() error {
	info, err := a.file.Stat()
	if err != nil {
		return fmt.Errorf("packetlog: %w", err)
	}
	if a.size = info.Size(); a.size < headerSize+sumSize+trailerSize {
		return a.corrupt(a.size, "the file is shorter than header and trailer")
	}
	b, err := a.readAt(0, headerSize)
	if err != nil {
		return err
	}
	a.sum = binary.BigEndian.Uint32(b[headerSize-sumSize:])
	if string(b[:8]) != archiveMagic || crc32.Checksum(b[:headerSize-sumSize], castagnoli) != a.sum {
		return a.corrupt(0, "the header is damaged, or not one of an archive")
	}
	if a.version = binary.BigEndian.Uint32(b[8:]); a.version < oldestVersion || a.version > formatVersion {
		return fmt.Errorf("%w: %s has version %d, this program reads %d to %d", ErrArchiveVersion, a.path, a.version, oldestVersion, formatVersion)
	}
	a.journal, a.number = binary.BigEndian.Uint64(b[12:]), binary.BigEndian.Uint64(b[20:])
	if number, ok := parseArchiveName(filepath.Base(a.path)); ok && number != a.number {
		return a.corrupt(0, fmt.Sprintf("the file is number %x", a.number))
	}
	at, err := a.readTrailer()
	if err != nil {
		return err
	}
	data, err := a.readChunk(at)
	if err != nil {
		return err
	}
	var ok bool
	if a.footer, ok = readFooter(data); !ok {
		return a.corrupt(at.offset, "not a footer")
	}
	return nil
}

// readTrailer returns the place of the footer.
func (a *archive) readTrailer() (chunk, error) {
	offset := a.size - trailerSize
	b, err := a.readAt(offset, trailerSize)
	if err != nil {
		return chunk{}, err
	}
	sum := crc32.Update(a.sum, castagnoli, b[:trailerSize-sumSize])
	if string(b[16:24]) != trailerMagic || binary.BigEndian.Uint32(b[24:]) != sum {
		return chunk{}, a.corrupt(offset, "the trailer is damaged, or the file was cut")
	}
	at := chunk{int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:]))}
	if at.offset < headerSize || at.length != offset-at.offset {
		return chunk{}, a.corrupt(offset, "the footer does not end where the trailer begins")
	}
	return at, nil
}

// readChunk returns the data of a chunk, valid until the next read.
func (a *archive) readChunk(c chunk) ([]byte, error) {
	end := a.size - trailerSize
	if c.offset < headerSize || c.length < sumSize || c.offset > end || c.length > end-c.offset {
		return nil, a.corrupt(c.offset, "a chunk outside of the file")
	}
	b, err := a.readAt(c.offset, c.length)
	if err != nil {
		return nil, err
	}
	if binary.BigEndian.Uint32(b) != chunkSum(a.sum, c.offset, b[sumSize:]) {
		return nil, a.corrupt(c.offset, "the checksum does not match")
	}
	return b[sumSize:], nil
}

// readCompressed returns the data of a compressed chunk, valid until the next such read.
func (a *archive) readCompressed(c chunk) ([]byte, error) {
	b, err := a.readChunk(c)
	if err != nil {
		return nil, err
	}
	if a.raw, err = a.decoder.DecodeAll(b, a.raw[:0]); err != nil {
		return nil, a.corrupt(c.offset, err.Error())
	}
	return a.raw, nil
}

// loadParties reads the table of parties once.
func (a *archive) loadParties() error {
	if a.parties != nil {
		return nil
	}
	parties := make([]Party, 0, 1)
	for _, at := range a.footer.parties {
		data, err := a.readCompressed(at)
		if err != nil {
			return err
		}
		c := cursor{rest: data}
		for len(c.rest) > 0 {
			number := c.uint()
			peer := c.bytes(c.count())
			if c.bad || number > 1<<32-1 {
				return a.corrupt(at.offset, "not a table of parties")
			}
			parties = append(parties, Party{Ledger: uint32(number), Peer: string(peer)})
		}
	}
	a.parties = parties
	return nil
}

// readBlock passes the packets of a block to yield, which must not keep them, until yield returns an
// error. It returns that error.
func (a *archive) readBlock(i int, yield func(*Packet) error) error {
	if err := a.loadParties(); err != nil {
		return err
	}
	place := &a.footer.blocks[i]
	data, err := a.readCompressed(place.chunk)
	if err != nil {
		return err
	}
	r := newBlockReader(data, a.version, a.parties)
	if r == nil || r.left != place.packets {
		return a.corrupt(place.offset, "not a block of packets")
	}
	var p Packet
	for r.next(&p) {
		if err := yield(&p); err != nil {
			return err
		}
	}
	if !r.isRead() {
		return a.corrupt(place.offset, "not a block of packets")
	}
	return nil
}

// readRounds passes the rounds of a chunk of the table to yield until yield returns an error.
func (a *archive) readRounds(at *roundChunk, yield func(Round) error) error {
	data, err := a.readCompressed(at.chunk)
	if err != nil {
		return err
	}
	if len(data) != at.count*roundSize {
		return a.corrupt(at.offset, "not a table of rounds")
	}
	for ; len(data) > 0; data = data[roundSize:] {
		r, err := ReadRound(data[:roundSize])
		if err != nil {
			return a.corrupt(at.offset, err.Error())
		}
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

// indexOf picks an index of a group.
type indexOf func(g *group) chunk

func byID(g *group) chunk        { return g.ids }
func byCondition(g *group) chunk { return g.conditions }
func byParty(g *group) chunk     { return g.parties }

// findBlocks returns the blocks that an index has for one of the keys, in ascending order. With a hash
// for a key, a block may be one too many.
func (a *archive) findBlocks(index indexOf, keys []uint32) (blocks []int, err error) {
	first := 0
	for i := range a.footer.groups {
		g := &a.footer.groups[i]
		at := index(g)
		data, err := a.readChunk(at)
		if err != nil {
			return nil, err
		}
		directory, ok := readDirectory(data)
		if !ok {
			return nil, a.corrupt(at.offset, "not a directory of an index")
		}
		found, err := a.findInGroup(directory, keys)
		if err != nil {
			return nil, err
		}
		for _, block := range found {
			if block >= g.blocks {
				return nil, a.corrupt(at.offset, "the index has a block that is not there")
			}
			blocks = append(blocks, first+block)
		}
		first += g.blocks
	}
	return blocks, nil
}

func (a *archive) findInGroup(directory []page, keys []uint32) (found []int, err error) {
	for _, key := range keys {
		for _, page := range pagesOf(directory, key) {
			data, err := a.readChunk(page.chunk)
			if err != nil {
				return nil, err
			}
			var ok bool
			if found, ok = appendBlocks(found, data, key); !ok {
				return nil, a.corrupt(page.offset, "not a page of an index")
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}
