package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"sort"

	"github.com/peerledger/peerledger/internal/idindex"
	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/internal/segment"
	"github.com/peerledger/peerledger/ledger"
)

// coldStore has the cold transfers of a folder, in segments, and the index of their ids. It is empty
// in memory, and before the first segment. Only the lists change, with the ledger locked; the files
// do not.
type coldStore struct {
	folder sealed.Folder
	files  *sealed.FileCache // of the segments
	// mayUse returns an error unless there is room on the disk for the bytes.
	mayUse func(bytes int64) error
	// mergeRate bounds the bytes that merges of the id index read and write in a second.
	mergeRate int64

	segments []coldSegment
	index    *idindex.Index // nil in memory
	used     bool           // something is cold
	prepared bool           // for seals
}

// coldSegment is a segment with what the ledger has to know of it without reading.
type coldSegment struct {
	*segment.Segment
	segment.Entry
	// newest is the greatest timestamp of a transfer up to the end of the segment.
	newest   uint64
	expiries expirySpan
}

// expirySpan has the first and the last timestamp of the expiries of a segment; 0 if there are none.
type expirySpan struct{ first, last uint64 }

func (c *coldStore) isEmpty() bool { return !c.used }

// end returns the position behind the last cold transfer.
func (c *coldStore) end() position {
	if n := len(c.segments); n > 0 {
		return position(c.segments[n-1].End)
	}
	return 0
}

// newestTimestamp returns the greatest timestamp of a cold transfer, 0 if there is none.
func (c *coldStore) newestTimestamp() uint64 {
	if n := len(c.segments); n > 0 {
		return c.segments[n-1].newest
	}
	return 0
}

// addSegment adds the next segment.
func (c *coldStore) addSegment(s *segment.Segment, expiries expirySpan) {
	e := s.Entry()
	newest := max(c.newestTimestamp(), e.LastTimestamp)
	c.segments = append(c.segments, coldSegment{s, e, newest, expiries})
}

// segmentFrom returns the index of the first segment with a transfer at or after the timestamp.
func (c *coldStore) segmentFrom(timestamp uint64) int {
	return sort.Search(len(c.segments), func(i int) bool { return c.segments[i].newest >= timestamp })
}

// transfersFrom returns the position of the first cold transfer at or after a timestamp; the end if
// there is none.
func (c *coldStore) transfersFrom(timestamp uint64) (position, error) {
	i := c.segmentFrom(timestamp)
	if i == len(c.segments) {
		return c.end(), nil
	}
	pos, err := c.segments[i].FirstFrom(timestamp)
	return position(pos), err
}

// segmentAt returns the segment with a cold position.
func (c *coldStore) segmentAt(pos position) coldSegment {
	i := sort.Search(len(c.segments), func(i int) bool { return position(c.segments[i].End) > pos })
	return c.segments[i]
}

// readRow reads a cold transfer, with the state of its hold at the end of its segment's time.
func (c *coldStore) readRow(pos position) (*segment.Row, error) {
	var row segment.Row
	if err := c.segmentAt(pos).ReadRow(uint64(pos), &row); err != nil {
		return nil, err
	}
	return &row, nil
}

// findTransfers returns the cold transfers with the ids, nil where there is none.
func (c *coldStore) findTransfers(ids []ledger.ID) ([]*segment.Row, error) {
	found, may := make([]*segment.Row, len(ids)), make([]bool, len(ids))
	if err := c.index.MayHave(ids, may); err != nil {
		return nil, err
	}
	var entries []idindex.Entry
	for i, id := range ids {
		if !may[i] {
			continue
		}
		var err error
		if entries, err = c.index.FindEntries(entries[:0], id); err != nil {
			return nil, err
		}
		if found[i], _, err = c.transferOf(id, entries); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// transferOf returns the transfer with an id, and its position, from the entries of the index; nil if
// there is none. Another id may have the same hash, and the newest entries may be of rows that are not
// in this store yet.
func (c *coldStore) transferOf(id ledger.ID, entries []idindex.Entry) (*segment.Row, position, error) {
	for _, e := range entries {
		if e.Kind != idindex.KindTransfer || position(e.Position) >= c.end() {
			continue
		}
		row, err := c.readRow(position(e.Position))
		if err != nil {
			return nil, noPosition, err
		}
		if row.ID == id {
			return row, position(e.Position), nil
		}
	}
	return nil, noPosition, nil
}

// hasTimestamp reports whether a cold transfer has the timestamp.
func (c *coldStore) hasTimestamp(timestamp uint64) (bool, error) {
	pos, err := c.transfersFrom(timestamp)
	if err != nil || pos == c.end() {
		return false, err
	}
	row, err := c.readRow(pos)
	return err == nil && row.Timestamp == timestamp, err
}

// openSegment opens a segment. Its file is open while it is in use.
func (c *coldStore) openSegment(e segment.Entry) (*segment.Segment, error) {
	return segment.Open(c.files.Folder(c.folder), e)
}

// openSegments opens the next segments of a checkpoint, which has them in several records.
func (c *coldStore) openSegments(r *recordReader) error {
	spans := make([]expirySpan, 0)
	for range r.readUint32() {
		spans = append(spans, expirySpan{r.readUint64(), r.readUint64()})
		if r.short {
			return nil // the caller reports it
		}
	}
	entries, err := segment.DecodeManifest(r.takeBytes(len(r.unread)))
	if err != nil {
		return fmt.Errorf("%w: the list of segments: %w", ErrIncompatible, err)
	}
	if len(entries) != len(spans) {
		return fmt.Errorf("%w: %d segments with the expiries of %d", ErrIncompatible, len(entries), len(spans))
	}
	if len(entries) > 0 && len(c.segments) > 0 && position(entries[0].First) != c.end() {
		return fmt.Errorf("%w: a segment from row %d on behind row %d", ErrIncompatible, entries[0].First, c.end())
	}
	for i, e := range entries {
		s, err := c.openSegment(e)
		if err != nil {
			return err
		}
		c.addSegment(s, spans[i])
	}
	c.used = true
	return nil
}

// openIndex opens the id index of a checkpoint, to read.
func (c *coldStore) openIndex(r *recordReader) (err error) {
	c.index, err = idindex.OpenToRead(c.folder, bytes.Clone(r.takeBytes(len(r.unread))))
	return err
}

// prepare prepares the folder, which is locked and restored, for the first seal, once: it removes the
// files that the newest checkpoint does not name, left over from a crash or a failure, and begins an
// index if there is none.
func (c *coldStore) prepare() error {
	if c.prepared {
		return nil
	}
	entries := make([]segment.Entry, len(c.segments))
	for i, s := range c.segments {
		entries[i] = s.Entry
	}
	if err := segment.RemoveUnnamed(c.folder, entries); err != nil {
		return err
	}
	if err := c.prepareIndex(); err != nil {
		return err
	}
	c.prepared = true
	return nil
}

// prepareIndex opens the id index to write. No index may be open while files are removed.
func (c *coldStore) prepareIndex() error {
	if c.index == nil {
		if err := idindex.RemoveUnnamed(c.folder, nil); err != nil {
			return err
		}
		c.index = idindex.New(c.folder, c.indexOptions())
		return nil
	}
	manifest := c.index.Manifest()
	err := c.index.Close()
	c.index = nil
	if err != nil {
		return err
	}
	if err := idindex.RemoveUnnamed(c.folder, manifest); err != nil {
		return err
	}
	c.index, err = idindex.Open(c.folder, manifest, c.indexOptions())
	return err
}

// mergeError returns the failure of the last merge of the id index.
func (c *coldStore) mergeError() error {
	if c.index == nil {
		return nil
	}
	if err := c.index.MergeError(); err != nil {
		return fmt.Errorf("%w: %w", ErrMerge, translateReadError(err))
	}
	return nil
}

func (c *coldStore) indexOptions() idindex.Options {
	return idindex.Options{MayUse: c.mayUse, MergeBytesPerSecond: c.mergeRate}
}

// closeFiles closes all files of the books.
func (b *books) closeFiles() (err error) {
	if b.cold.index != nil {
		// A merge that waits for room on the disk is no failure of the ledger that ends.
		if mergeErr := b.cold.mergeError(); !errors.Is(mergeErr, ErrDiskFull) {
			err = mergeErr
		}
		err = errors.Join(err, b.cold.index.Close())
	}
	for _, s := range b.cold.segments {
		err = errors.Join(err, s.Close())
	}
	for _, g := range b.frozen {
		if g.segment != nil { // its checkpoint failed
			err = errors.Join(err, g.segment.Close())
		}
	}
	return err
}

// timestampAfter returns the timestamp behind an inclusive bound, where 0 is no bound.
func timestampAfter(high uint64) uint64 {
	if high == 0 {
		return math.MaxUint64
	}
	return high + 1
}

func fromExpiry(e *segment.Expiry) expiredHold {
	return expiredHold{
		timestamp: e.Timestamp, hold: position(e.Hold), nextTransfer: position(e.NextTransfer),
		debit: accountPosition(e.Debit), credit: accountPosition(e.Credit),
	}
}

func toExpiry(e *expiredHold) segment.Expiry {
	return segment.Expiry{
		Timestamp: e.timestamp, Hold: uint64(e.hold), NextTransfer: uint64(e.nextTransfer),
		Debit: uint32(e.debit), Credit: uint32(e.credit),
	}
}
