package packetlog

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// ArchiveWriter writes an archive file. One goroutine at a time uses it.
//
// It keeps up to some 35 MiB in memory, and beside them the parties, with an index entry of some 100 bytes
// each, and some 50 bytes for each 2048 packets.
type ArchiveWriter struct {
	path     string // without tmpSuffix
	file     *os.File
	buffered *bufio.Writer
	size     int64
	sum      uint32 // of the header
	encoder  *zstd.Encoder
	err      error                   // the first; errWriterDone at the end
	before   func(step string) error // before each step of publish; for tests

	records    Decoder // of AddRecord
	partyIndex map[Party]uint32
	partyTable []byte // encoded parties that no chunk has
	roundTable roundChunk
	roundData  []byte

	block                    block
	groupBlocks              int // blocks of the group under way
	ids, conditions, parties postings
	footer                   footer
	raw, packed              []byte // scratch
}

var errWriterDone = errors.New("packetlog: the archive was committed or discarded")

// CreateArchive begins the archive file with this number, of the journal with this number, in a folder.
// It makes the folder with mode 0o700; the folder's parent must exist. A file of the same number stays
// until [ArchiveWriter.Commit] replaces it. Files that were not finished before a crash are removed: a
// folder has one writer at a time. Errors are the file system's.
func CreateArchive(folder string, journal, number uint64) (*ArchiveWriter, error) {
	if err := makeFolder(folder); err != nil {
		return nil, fmt.Errorf("packetlog: %w", err)
	}
	if err := removeUnfinished(folder); err != nil {
		return nil, fmt.Errorf("packetlog: %w", err)
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("packetlog: %w", err)
	}
	path := filepath.Join(folder, archiveName(number))
	file, err := os.OpenFile(path+tmpSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("packetlog: %w", err)
	}
	w := &ArchiveWriter{
		path: path, file: file, buffered: bufio.NewWriterSize(file, 256<<10), encoder: encoder, partyIndex: make(map[Party]uint32),
		before: func(string) error { return nil },
	}
	header, sum := encodeHeader(journal, number)
	w.sum = sum
	w.write(header)
	return w, nil
}

// Size returns the bytes written so far: after [ArchiveWriter.Commit], the size of the file.
func (w *ArchiveWriter) Size() int64 { return w.size }

func makeFolder(folder string) error {
	err := os.Mkdir(folder, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(folder))
}

func removeUnfinished(folder string) error {
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		name, isUnfinished := strings.CutSuffix(entry.Name(), tmpSuffix)
		if _, isArchive := parseArchiveName(name); isUnfinished && isArchive {
			err = errors.Join(err, os.Remove(filepath.Join(folder, entry.Name())))
		}
	}
	return err
}

// Add adds a packet. A packet that an earlier file has may be added again: a search finds it once.
// Packets in the order of ResolvedAt are searched fastest. An error is the file system's, or names a
// field that no packet can have; after an error only [ArchiveWriter.Discard] is useful.
func (w *ArchiveWriter) Add(p *Packet) error {
	if p.Number > math.MaxInt64 {
		w.fail(fmt.Errorf("packetlog: packet %v has number %d", p.ID, p.Number))
	}
	from, to := w.addParty(&p.From), w.addParty(&p.To)
	if w.err != nil {
		return w.err
	}
	w.block.add(p, from, to)
	at := uint32(w.groupBlocks)
	w.ids.add(idKey(p.ID), at)
	w.conditions.add(conditionKey(binary.BigEndian.Uint64(p.Condition[:])), at)
	w.parties.add(from, at)
	w.parties.add(to, at)
	if w.block.packets == packetsPerBlock {
		w.endBlock()
	}
	return w.err
}

// AddRecord adds the packet or round of a record of a journal. It takes the records of kind [KindParty] as
// well, so pass it the records in order, and skips the kinds of package aggregate. Errors match
// [ErrRecord], or are as of [ArchiveWriter.Add].
func (w *ArchiveWriter) AddRecord(kind uint8, data []byte) error {
	switch kind {
	case KindParty:
		return w.records.AddParty(data)
	case KindFulfill, KindReject:
		p, _, _, err := w.records.ReadPacket(data)
		if err != nil {
			return err
		}
		return w.Add(&p)
	case KindApplied:
		r, err := ReadRound(data)
		if err != nil {
			return err
		}
		return w.AddRound(r)
	default:
		return w.err
	}
}

// addParty returns the index of a party in the file's table.
func (w *ArchiveWriter) addParty(p *Party) uint32 {
	if index, ok := w.partyIndex[*p]; ok {
		return index
	}
	if len(p.Peer) > maxPeerSize {
		w.fail(fmt.Errorf("packetlog: a peer's id of %d bytes", len(p.Peer)))
		return 0
	}
	index := uint32(len(w.partyIndex))
	w.partyIndex[*p] = index
	w.partyTable = binary.AppendUvarint(w.partyTable, uint64(p.Ledger))
	w.partyTable = binary.AppendUvarint(w.partyTable, uint64(len(p.Peer)))
	w.partyTable = append(w.partyTable, p.Peer...)
	if len(w.partyTable) >= tableChunk {
		w.endPartyChunk()
	}
	return index
}

// AddRound adds a round whose packets are in this file or in others. Errors are as of [ArchiveWriter.Add].
func (w *ArchiveWriter) AddRound(r Round) error {
	if r.Number > math.MaxInt64 || r.At > math.MaxInt64 || r.Packets > r.Through {
		w.fail(fmt.Errorf("packetlog: round %d, at %d, has %d packets up to %d", r.Number, r.At, r.Packets, r.Through))
		return w.err
	}
	w.roundData = AppendRound(w.roundData, &r)
	w.roundTable.count++
	w.roundTable.number.add(int64(r.Number))
	w.roundTable.at.add(int64(r.At))
	if len(w.roundData) >= tableChunk {
		w.endRoundChunk()
	}
	return w.err
}

func (w *ArchiveWriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *ArchiveWriter) write(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.buffered.Write(b)
	w.size += int64(n)
	if err != nil {
		w.err = fmt.Errorf("packetlog: %w", err)
	}
}

func (w *ArchiveWriter) writeChunk(data []byte) (chunk, error) {
	at := chunk{w.size, int64(sumSize + len(data))}
	var sum [sumSize]byte
	binary.BigEndian.PutUint32(sum[:], chunkSum(w.sum, at.offset, data))
	w.write(sum[:])
	w.write(data)
	return at, w.err
}

// writeCompressed writes a chunk of one frame for each part; writeChunk keeps the error.
func (w *ArchiveWriter) writeCompressed(parts ...[]byte) chunk {
	w.packed = w.packed[:0]
	for _, part := range parts {
		w.packed = w.encoder.EncodeAll(part, w.packed)
	}
	at, _ := w.writeChunk(w.packed)
	return at
}

func (w *ArchiveWriter) endPartyChunk() {
	if len(w.partyTable) > 0 {
		w.footer.parties = append(w.footer.parties, w.writeCompressed(w.partyTable))
		w.partyTable = w.partyTable[:0]
	}
}

func (w *ArchiveWriter) endRoundChunk() {
	if len(w.roundData) > 0 {
		w.roundTable.chunk = w.writeCompressed(w.roundData)
		w.footer.rounds = append(w.footer.rounds, w.roundTable)
		w.roundTable, w.roundData = roundChunk{}, w.roundData[:0]
	}
}

func (w *ArchiveWriter) endBlock() {
	k := &w.block
	if k.packets == 0 {
		return
	}
	w.raw = k.appendRows(w.raw[:0])
	at := w.writeCompressed(w.raw, k.ids, k.conditions)
	w.footer.blocks = append(w.footer.blocks, blockPlace{at, k.packets, k.resolved, k.expiry, k.number})
	k.reset()
	if w.groupBlocks++; w.groupBlocks == blocksPerGroup {
		w.endGroup()
	}
}

// endGroup writes the indexes of the blocks behind the group before.
func (w *ArchiveWriter) endGroup() {
	if w.groupBlocks == 0 {
		return
	}
	g := group{blocks: w.groupBlocks}
	g.ids, _ = w.ids.write(w.writeChunk)
	g.conditions, _ = w.conditions.write(w.writeChunk)
	g.parties, _ = w.parties.write(w.writeChunk)
	w.footer.groups = append(w.footer.groups, g)
	w.groupBlocks = 0
}

// Commit ends the file, syncs it, and gives it its name, in place of a file of the same number. After a
// crash the file is whole under its name or not there. After an error only [ArchiveWriter.Discard] is
// useful: the file may be there, and then is whole. A file with neither packets nor rounds is written too.
func (w *ArchiveWriter) Commit() error {
	w.endBlock()
	w.endGroup()
	w.endPartyChunk()
	w.endRoundChunk()
	at, _ := w.writeChunk(w.footer.appendTo(nil))
	w.write(encodeTrailer(w.sum, at))
	if w.err == nil {
		w.err = w.publish()
	}
	if w.err != nil {
		return w.err
	}
	w.err = errWriterDone
	return nil
}

// NewestExpiry returns the newest expiry of the packets, in ns since the Unix epoch; math.MinInt64 without
// packets. Call it after [ArchiveWriter.Commit].
func (w *ArchiveWriter) NewestExpiry() int64 {
	var expiry span
	for i := range w.footer.blocks {
		expiry.addSpan(w.footer.blocks[i].expiry)
	}
	if !expiry.seen {
		return math.MinInt64
	}
	return expiry.high
}

// publish makes the file durable before it gets its name, and then its name. Windows renames no open file.
func (w *ArchiveWriter) publish() error {
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"flush", w.buffered.Flush},
		{"sync", w.file.Sync},
		{"close", w.close},
		{"rename", func() error { return os.Rename(w.path+tmpSuffix, w.path) }},
		{"sync folder", func() error { return syncFolder(filepath.Dir(w.path)) }},
	} {
		err := w.before(step.name)
		if err == nil {
			err = step.run()
		}
		if err != nil {
			return fmt.Errorf("packetlog: %w", err)
		}
	}
	return nil
}

func (w *ArchiveWriter) close() error {
	if w.file == nil {
		return nil
	}
	file := w.file
	w.file = nil
	return errors.Join(file.Close(), w.encoder.Close())
}

// Discard gives the file up; a file of the same number stays. After a successful [ArchiveWriter.Commit]
// it does nothing, so it can be deferred. An error is the file system's; the next writer of the same
// number replaces what is left.
func (w *ArchiveWriter) Discard() error {
	if errors.Is(w.err, errWriterDone) {
		return nil
	}
	w.err = errWriterDone
	err := w.close()
	removeErr := os.Remove(w.path + tmpSuffix)
	if errors.Is(removeErr, fs.ErrNotExist) {
		removeErr = nil // Commit gave the file its name, and the sync of the folder failed
	}
	if err = errors.Join(err, removeErr); err != nil {
		return fmt.Errorf("packetlog: %w", err)
	}
	return nil
}

// syncFolder makes creations, renames and removals in a folder durable.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // Windows cannot sync a folder
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
