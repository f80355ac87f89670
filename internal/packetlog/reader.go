package packetlog

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/peerledger/peerledger/internal/wal"
)

// JournalFormat is the format of a journal whose records this package reads. Format 1 had no parties, and
// journals of package transfers have it too: such folders are refused.
var JournalFormat = wal.Format{Name: "rounds", Newest: 2, Oldest: 2}

// ErrNoRound is returned for a round whose packets are not in the journal: retention removed them, or the
// journal has no such round.
var ErrNoRound = errors.New("packetlog: the packets of the round are not in the journal")

// ErrForeignArchive is returned for an archive file that is not of the journal whose folder it is in.
var ErrForeignArchive = errors.New("packetlog: archive of another journal")

// Reader reads the packets and rounds of a journal: of its archive, and of its log. A recorder may have the
// journal open, in this or another process. One goroutine at a time uses a Reader.
//
// All errors of its methods match [wal.ErrNoLog] if the folder has neither log nor archive, [wal.ErrCorrupt],
// [wal.ErrVersion], [ErrRecord], [ErrArchiveCorrupt], [ErrArchiveVersion] or [ErrForeignArchive], or are the
// file system's or the context's.
type Reader struct {
	folder    string
	decoder   *zstd.Decoder
	summaries map[string]summary // by path
}

// summary is what a Reader remembers of an archive file, to leave it closed. A recorder whose checkpoint failed
// after the archive file was written replaces the file by one with more packets.
type summary struct {
	file             fs.FileInfo
	journal          uint64
	resolved, number span // of the packets
	rounds           span // their numbers
}

// NewReader returns a reader of the journal in a folder. Close it after use.
func NewReader(folder string) (*Reader, error) {
	decoder, err := newDecoder()
	if err != nil {
		return nil, fmt.Errorf("packetlog: %w", err)
	}
	return &Reader{folder: folder, decoder: decoder, summaries: make(map[string]summary)}, nil
}

// Close frees the reader's memory.
func (r *Reader) Close() { r.decoder.Close() }

// Search opens a [Reader] for one call of [Reader.Search].
func Search(ctx context.Context, folder string, q Query, yield func(*Packet) error) error {
	r, err := NewReader(folder)
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Search(ctx, q, yield)
}

// Journal returns the number of the journal.
func (r *Reader) Journal(ctx context.Context) (uint64, error) {
	c, err := r.readContent(ctx, selectNone, func(*summary) bool { return true })
	if err != nil {
		return 0, err
	}
	return c.journal, nil
}

func selectNone(*Packet) bool { return false }

// Rounds returns the applied rounds with numbers from first to last, both included, in the order of their
// numbers. Rounds that the journal no longer has are missing.
func (r *Reader) Rounds(ctx context.Context, first, last uint64) ([]Round, error) {
	c, err := r.readContent(ctx, selectNone, func(s *summary) bool { return s.rounds.reaches(last) })
	if err != nil {
		return nil, err
	}
	rounds := c.rounds
	for _, path := range c.archives {
		if s := r.summaries[path].rounds; !s.seen || uint64(s.high) < first || uint64(s.low) > last {
			continue
		}
		if rounds, err = r.appendRounds(rounds, path, first, last); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	rounds = slices.DeleteFunc(rounds, func(a Round) bool { return a.Number < first || a.Number > last })
	slices.SortFunc(rounds, func(a, b Round) int { return cmp.Compare(a.Number, b.Number) })
	return slices.CompactFunc(rounds, func(a, b Round) bool { return a.Number == b.Number }), nil
}

// reaches reports whether a file with these numbers shows that all numbers up to n are in the archive: the
// log becomes archive in order.
func (s *span) reaches(n uint64) bool { return s.seen && uint64(s.high) >= n }

func (r *Reader) appendRounds(rounds []Round, path string, first, last uint64) (_ []Round, err error) {
	a, err := openArchive(path, r.decoder)
	if errors.Is(err, fs.ErrNotExist) {
		return rounds, nil // RemoveArchives removed it since the folder was listed
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	for i := range a.footer.rounds {
		at := &a.footer.rounds[i]
		if uint64(at.number.high) < first || uint64(at.number.low) > last {
			continue
		}
		err := a.readRounds(at, func(round Round) error {
			rounds = append(rounds, round)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return rounds, nil
}

// RoundNumbers returns the bounds of the numbers of the fulfills in a round, for [Query].After and
// Query.Through. An error can match [ErrNoRound]: the record of the round, or of the round before, is gone.
func (r *Reader) RoundNumbers(ctx context.Context, number uint64) (after, through uint64, err error) {
	if number == 0 {
		return 0, 0, fmt.Errorf("%w: rounds count from 1", ErrNoRound)
	}
	rounds, err := r.Rounds(ctx, number-1, number)
	if err != nil {
		return 0, 0, err
	}
	if number == 1 {
		rounds = append([]Round{{}}, rounds...)
	}
	if len(rounds) != 2 {
		return 0, 0, fmt.Errorf("%w: round %d", ErrNoRound, number)
	}
	return rounds[0].Through, rounds[1].Through, nil
}

// content is what a journal has at a moment.
type content struct {
	hasLog   bool
	journal  uint64   // number of the journal
	archives []string // paths of the archive files; the Reader has their summaries
	// Of the log, if it was read.
	rounds   []Round
	packets  []Packet // those that were selected
	resolved span     // of them
}

// readContent lists the archive and reads the log, unless a file shows that the archive has all.
//
// The log is read before the archive is listed. The recorder first gives an archive file its name, and then
// removes that part of the log. So a packet that the log no longer has is in a file that the list has. In
// the other order, a packet could be in neither.
func (r *Reader) readContent(ctx context.Context, selects func(*Packet) bool, isEnough func(*summary) bool) (*content, error) {
	c := &content{}
	if err := r.listArchives(c); err != nil {
		return nil, err
	}
	for _, path := range c.archives {
		if s := r.summaries[path]; isEnough(&s) {
			return c, nil
		}
	}
	c = &content{}
	if err := r.readLog(ctx, c, selects); err != nil {
		return nil, err
	}
	if err := r.listArchives(c); err != nil {
		return nil, err
	}
	if !c.hasLog && len(c.archives) == 0 {
		return nil, fmt.Errorf("%w: %s", wal.ErrNoLog, r.folder)
	}
	return c, nil
}

func (r *Reader) readLog(ctx context.Context, c *content, selects func(*Packet) bool) error {
	var decoder Decoder
	records := 0
	_, err := wal.ReadLive(r.folder, JournalFormat, func(record wal.Record) error {
		if records++; records%4096 == 1 && ctx.Err() != nil {
			return ctx.Err()
		}
		return c.addRecord(&decoder, record, selects)
	})
	if c.hasLog = !errors.Is(err, wal.ErrNoLog); !c.hasLog {
		return nil
	}
	return err
}

func (c *content) addRecord(decoder *Decoder, record wal.Record, selects func(*Packet) bool) error {
	switch record.Kind {
	case KindOwner:
		if len(record.Data) < 8 {
			return fmt.Errorf("%w: of the owner", ErrRecord)
		}
		c.journal = binary.BigEndian.Uint64(record.Data)
	case KindParty:
		return decoder.AddParty(record.Data)
	case KindFulfill, KindReject:
		p, _, _, err := decoder.ReadPacket(record.Data)
		if err != nil {
			return err
		}
		if selects(&p) {
			c.packets = append(c.packets, p)
			c.resolved.add(p.ResolvedAt)
		}
	case KindApplied:
		round, err := ReadRound(record.Data)
		if err != nil {
			return err
		}
		c.rounds = append(c.rounds, round)
	}
	return nil
}

// listArchives lists the archive files, and reads the summaries of new ones.
func (r *Reader) listArchives(c *content) error {
	paths, err := archivePaths(filepath.Join(r.folder, ArchiveFolder))
	if err != nil {
		return err
	}
	for _, path := range paths {
		s, err := r.summaryOf(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // RemoveArchives removed it since the folder was listed
		}
		if err != nil {
			return err
		}
		if c.journal == 0 {
			c.journal = s.journal
		}
		if s.journal != c.journal {
			return fmt.Errorf("%w: %s is of journal %016x, the folder of %016x", ErrForeignArchive, path, s.journal, c.journal)
		}
		c.archives = append(c.archives, path)
	}
	return nil
}

// summaryOf returns the summary of a file, and reads the file only if it is another one than before.
func (r *Reader) summaryOf(path string) (summary, error) {
	info, err := os.Stat(path)
	if err != nil {
		return summary{}, fmt.Errorf("packetlog: %w", err)
	}
	if s, ok := r.summaries[path]; ok && os.SameFile(s.file, info) && s.file.Size() == info.Size() && s.file.ModTime().Equal(info.ModTime()) {
		return s, nil
	}
	a, err := openArchive(path, r.decoder)
	if err != nil {
		return summary{}, err
	}
	s := summary{file: info, journal: a.journal}
	for i := range a.footer.blocks {
		s.resolved.addSpan(a.footer.blocks[i].resolved)
		s.number.addSpan(a.footer.blocks[i].number)
	}
	for i := range a.footer.rounds {
		s.rounds.addSpan(a.footer.rounds[i].number)
	}
	r.summaries[path] = s
	return s, a.close()
}
