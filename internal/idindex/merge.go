package idindex

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/peerledger/peerledger/internal/sealed"
)

const (
	// mergeRuns is the number of runs of one class that are merged. A class has runs of 4^k to
	// 4^(k+1)-1 entries, so a merged run belongs to the next class.
	mergeRuns = 4
	// mergeMost bounds the runs of one merge, after a time without merges.
	mergeMost = 16
)

// merge is some runs and the run in place of them.
type merge struct {
	sources []*run
	result  *run // nil until the merge is finished
}

func (m *merge) hasSource(r *run) bool { return slices.Contains(m.sources, r) }

// askSpace asks whether the merged run may take its bytes of the disk.
func (m *merge) askSpace(mayUse func(int64) error) error {
	if mayUse == nil {
		return nil
	}
	entries, burnt := uint64(0), uint64(0)
	for _, r := range m.sources {
		entries += r.entry.entries
		burnt += r.entry.burnt
	}
	return mayUse(layoutOf(entries, burnt).end)
}

// errStopped ends a merge.
var errStopped = errors.New("idindex: closed")

// startMerger starts the goroutine that merges runs and removes files, until Close.
func (x *Index) startMerger(options Options) {
	rate := options.MergeBytesPerSecond
	if rate == 0 {
		rate = 256 << 20
	}
	pace := &pacer{bytesPerSecond: rate, stop: x.stop}
	x.merger.Go(func() {
		for !x.isStopped() {
			x.removeUnused()
			if m := x.takeMerge(); m != nil {
				err := m.askSpace(options.MayUse)
				if err == nil {
					err = x.runMerge(m, pace)
				}
				if x.finishMerge(m, err) {
					continue
				}
			}
			select {
			case <-x.wake:
			case <-x.stop:
			}
		}
	})
}

func (x *Index) wakeMerger() {
	select {
	case x.wake <- struct{}{}:
	default: // it is awake
	}
}

func (x *Index) isStopped() bool {
	select {
	case <-x.stop:
		return true
	default:
		return false
	}
}

// removeUnused closes runs and removes files of no use. RemoveUnnamed removes files that cannot be
// removed now.
func (x *Index) removeUnused() {
	x.mu.Lock()
	unused, leftovers := x.unused, x.leftovers
	x.unused, x.leftovers = nil, nil
	x.mu.Unlock()
	_ = closeRuns(unused)
	for _, name := range leftovers {
		_ = x.folder.RemoveFile(name)
	}
}

// takeMerge returns the next merge, of the smallest runs, or nil. A run that no merge could read is
// left out until the index is opened again, so that it does not stop the merges of the others.
func (x *Index) takeMerge() *merge {
	x.mu.Lock()
	defer x.mu.Unlock()
	var classes [64][]*run
	for _, r := range x.current.runs {
		isMerged := slices.ContainsFunc(x.merges, func(m *merge) bool { return m.hasSource(r) })
		if !isMerged && r.readErr == nil {
			class := (bits.Len64(r.entry.entries) - 1) / 2
			classes[class] = append(classes[class], r)
		}
	}
	for _, class := range classes {
		if len(class) < mergeRuns {
			continue
		}
		m := &merge{sources: class[:min(len(class), mergeMost)]}
		for _, r := range m.sources {
			r.users++
		}
		return m
	}
	return nil
}

// finishMerge notes the end of a merge: the result waits for the next seal. It reports whether
// another merge may be due.
func (x *Index) finishMerge(m *merge, err error) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range m.sources {
		r.users-- // the present set has the run, because only a finished merge replaces it
	}
	var unreadable *sourceError
	switch {
	case err == nil:
		x.merges = append(x.merges, m)
		x.mergeErr = nil
	case errors.As(err, &unreadable):
		unreadable.run.readErr = unreadable.err
		return true
	case !errors.Is(err, errStopped):
		x.mergeErr = err
	}
	return err == nil
}

// sourceError is the error of a merge that could not read one of its runs.
type sourceError struct {
	run *run
	err error
}

func (e *sourceError) Error() string { return e.err.Error() }

func (e *sourceError) Unwrap() error { return e.err }

// runMerge writes the merged run.
func (x *Index) runMerge(m *merge, pace *pacer) error {
	var e runEntry
	e.least, e.most = boundsOf(m.sources)
	var cursors []*runCursor
	for _, r := range m.sources {
		cursors = append(cursors, newRunCursor(r, e.burnt, pace))
		e.entries += r.entry.entries
		e.burnt += r.entry.burnt
	}
	if e.burnt > maxBurnt {
		return fmt.Errorf("%w: %d burnt ids in a run", ErrPosition, e.burnt)
	}
	w, err := createRun(x.folder, x.seed, e)
	if err != nil {
		return err
	}
	w.file.OnWrite(pace.spendBytes)
	err = mergeEntries(w, cursors)
	for _, c := range cursors {
		if err == nil {
			err = c.copyBurnt(w)
		}
	}
	if err != nil {
		w.file.Discard()
		return err
	}
	m.result, err = x.finishAndOpen(w)
	return err
}

func mergeEntries(w *runWriter, cursors []*runCursor) error {
	for _, c := range cursors {
		if err := c.nextEntry(); err != nil {
			return err
		}
	}
	for cursors = slices.Clone(cursors); len(cursors) > 0; {
		least := 0
		for i := 1; i < len(cursors); i++ {
			if cursors[i].entry.isBefore(cursors[least].entry) {
				least = i
			}
		}
		c := cursors[least]
		w.addEntry(c.entry)
		if c.isAtEnd() {
			cursors = slices.Delete(cursors, least, least+1)
			continue
		}
		if err := c.nextEntry(); err != nil {
			return err
		}
	}
	return nil
}

// cursorBlocks is the number of blocks that a merge reads at once from a run.
const cursorBlocks = 32

// runCursor reads the entries of a run in their order.
type runCursor struct {
	run       *run
	burntBase uint64 // what the merge adds to the index of a burnt id
	pace      *pacer
	entry     storedEntry // the present entry
	next      uint64      // index of the next entry
	buf       []byte
	unread    []byte // whole blocks with sums
	block     []byte // the rest of the present block
}

func newRunCursor(r *run, burntBase uint64, pace *pacer) *runCursor {
	return &runCursor{run: r, burntBase: burntBase, pace: pace, buf: make([]byte, cursorBlocks*blockBytes)}
}

func (c *runCursor) isAtEnd() bool { return c.next == c.run.entry.entries }

// nextEntry goes on to the next entry. The cursor is not at the end.
func (c *runCursor) nextEntry() error {
	if len(c.block) == 0 {
		if err := c.nextBlock(); err != nil {
			return err
		}
	}
	c.entry = getEntry(c.block)
	c.block = c.block[entryBytes:]
	c.next++
	if c.entry.kind() == KindBurnt {
		c.entry = newStoredEntry(c.entry.hash(), KindBurnt, c.entry.position()+c.burntBase)
	}
	return nil
}

func (c *runCursor) nextBlock() error {
	if len(c.unread) == 0 {
		if err := c.readBlocks(); err != nil {
			return err
		}
	}
	n := min(len(c.unread), blockBytes)
	c.block, c.unread = c.unread[:n-sealed.SumBytes], c.unread[n:]
	return nil
}

// readBlocks reads the next blocks. Only the last block of a run is shorter than blockBytes.
func (c *runCursor) readBlocks() error {
	left := c.run.entry.entries - c.next
	offset := c.run.layout.entries + int64(c.next/blockEntries)*blockBytes
	whole := min(left/blockEntries, cursorBlocks)
	if whole == 0 {
		buf := c.buf[:left*entryBytes+sealed.SumBytes]
		if _, err := c.run.file.ReadBlock(offset, buf); err != nil {
			return &sourceError{c.run, err}
		}
		c.unread = buf
		return c.pace.spendBytes(len(buf))
	}
	c.unread = c.buf[:whole*blockBytes]
	if err := c.run.file.ReadBlocks(offset, c.unread, blockBytes); err != nil {
		return &sourceError{c.run, err}
	}
	return c.pace.spendBytes(len(c.unread))
}

// copyBurnt copies the burnt ids.
func (c *runCursor) copyBurnt(w *runWriter) error {
	for i := range blockCount(c.run.entry.burnt, blockIDs) {
		block, err := c.run.burntBlock(i, c.buf[:blockBytes])
		if err != nil {
			return &sourceError{c.run, err}
		}
		if err := c.pace.spendBytes(len(block)); err != nil {
			return err
		}
		for ; len(block) > 0; block = block[idBytes:] {
			w.addBurnt(getID(block))
		}
	}
	return nil
}
