package wal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// owner has a state to check every record against: the number of records. The data of a record
// follows from its number.
type owner struct {
	log      *Log
	recovery Recovery
	count    uint64
}

const (
	kindCounted = 1 // in the log
	kindCount   = 2 // in a checkpoint
	kindPadding = 3 // in a checkpoint, before the count
)

// dataOf returns the data of record n, of up to four sectors.
func dataOf(n uint64) []byte {
	length := 1 + int(n*n*37%100)
	if n%5 == 3 {
		length += 3 * sector
	}
	return bytes.Repeat(binary.LittleEndian.AppendUint64(nil, n*0x9e3779b97f4a7c15+1), length/8+1)[:length]
}

func openOwner(f folder) (*owner, error) {
	o := &owner{}
	log, recovery, err := openFirstFormat(f, o.restore)
	o.log, o.recovery = log, recovery
	return o, err
}

// restore fails for a record never written, and for a record out of order.
func (o *owner) restore(r Record) error {
	switch {
	case r.Kind == kindPadding && o.count == 0 && bytes.Equal(r.Data, dataOf(3)):
	case r.Kind == kindCount && o.count == 0 && len(r.Data) == 8:
		o.count = binary.LittleEndian.Uint64(r.Data)
	case r.Kind == kindCounted && bytes.Equal(r.Data, dataOf(o.count)):
		o.count++
	default:
		return fmt.Errorf("wrong record: kind %d, %x", r.Kind, r.Data)
	}
	return nil
}

// appendRecords adds n records, most likely synced together.
func (o *owner) appendRecords(n int) Position {
	for range n {
		data := dataOf(o.count)
		o.log.appendRecord(kindCounted, len(data), func(to []byte) []byte { return append(to, data...) })
		o.count++
	}
	o.log.wakeWriter()
	return o.log.Appended()
}

func (o *owner) writeTo(c *Checkpoint, count uint64) error {
	for range 3 {
		if err := c.Append(kindPadding, dataOf(3)); err != nil {
			return err
		}
	}
	return c.Append(kindCount, binary.LittleEndian.AppendUint64(nil, count))
}

// process runs a script on a folder, one step after the other. It goes on after errors, as far as
// possible.
type process struct {
	ctx    context.Context
	folder *memory
	owner  *owner
	errs   []error
	log    atomic.Pointer[Log] // of owner, for other goroutines

	// The bounds while there is no log.
	acked, appended atomic.Uint64
}

// recordBounds returns the number of records acknowledged, and appended, by now.
func (p *process) recordBounds() (acked, appended uint64) {
	l := p.log.Load()
	if l == nil {
		return p.acked.Load(), p.appended.Load()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(l.synced), uint64(l.appended)
}

func (p *process) noteError(err error) {
	if err != nil {
		p.errs = append(p.errs, err)
	}
}

func (p *process) openLog() bool {
	var err error
	p.owner, err = openOwner(p.folder)
	p.noteError(err)
	if err == nil {
		p.log.Store(p.owner.log)
	}
	return err == nil
}

func (p *process) closeLog() {
	p.noteError(p.owner.log.Close())
	acked, appended := p.recordBounds()
	p.acked.Store(acked)
	p.appended.Store(appended)
	p.log.Store(nil)
}

func (p *process) appendGroup(n int) {
	p.noteError(p.owner.log.Wait(p.ctx, p.owner.appendRecords(n)))
}

// writeCheckpoint writes a checkpoint while n records are appended.
func (p *process) writeCheckpoint(n int, commit bool) {
	count := p.owner.count
	c := p.owner.log.Checkpoint()
	position := p.owner.appendRecords(n)
	err := p.owner.writeTo(c, count)
	if err == nil && commit {
		err = c.Commit(p.ctx)
	}
	p.noteError(err)
	p.noteError(c.Discard())
	p.noteError(p.owner.log.Wait(p.ctx, position))
	if !commit {
		<-c.rotation.done
		p.noteError(c.rotationError()) // Discard does not return this error
	}
}

// errRefused is the error of operations that the script itself makes fail.
var errRefused = errors.New("refused")

// refuseRotation fails to go on to the next segment while n records are appended. refused are the
// failing operations on the segment's file; "sync ." is the sync of the folder.
func (p *process) refuseRotation(n int, refused ...string) {
	c, position, refuse := p.beginRotation(n, refused)
	refuse()
	<-c.rotation.done
	p.noteError(p.owner.log.Wait(p.ctx, position))
	err := p.owner.log.Err()
	if err == nil {
		err = c.rotationError()
	}
	if err == nil {
		err = errors.New("no rotation was refused")
	}
	if !errors.Is(err, errRefused) {
		p.noteError(err)
	}
	p.noteError(c.Discard())
}

// beginRotation begins a rotation that will fail, and appends n records behind it. The first
// failing operation waits for refuse, so the records are queued by then.
func (p *process) beginRotation(n int, refused []string) (c *Checkpoint, last Position, refuse func()) {
	next := fileName(segmentPrefix, p.owner.log.segment.header.number+1)
	var over atomic.Bool
	before, gate := p.folder.before, make(chan struct{})
	p.folder.before = func(op operation) error {
		if before != nil {
			if err := before(op); err != nil {
				return err
			}
		}
		if over.Load() {
			return nil
		}
		name := op.what
		if op.name == "." {
			name += " ."
		} else if strings.TrimSuffix(op.name, tmpSuffix) != next {
			return nil
		}
		if !slices.Contains(refused, name) {
			return nil
		}
		<-gate
		return errRefused
	}
	c = p.owner.log.Checkpoint()
	last = p.owner.appendRecords(n)
	return c, last, func() {
		close(gate)
		<-c.rotation.done
		over.Store(true)
	}
}

// runScript writes groups, segments with and without a checkpoint, and segments that cannot be
// made, in two processes.
func (p *process) runScript() {
	if !p.openLog() {
		return
	}
	p.appendGroup(3)
	p.appendGroup(1)
	p.appendGroup(4)
	p.refuseRotation(1, "open")
	p.writeCheckpoint(2, true)
	p.appendGroup(2)
	p.refuseRotation(2, "sync", "remove")
	p.writeCheckpoint(1, false)
	p.appendGroup(1)
	p.closeLog()
	if !p.openLog() {
		return
	}
	p.appendGroup(2)
	p.writeCheckpoint(0, true)
	p.refuseRotation(1, "sync .", "remove")
	p.appendGroup(1)
	p.writeCheckpoint(2, true)
	p.appendGroup(3)
	p.closeLog()
}

func newProcess(ctx context.Context, m *memory) *process { return &process{ctx: ctx, folder: m} }

// openFirstFormat opens a folder with records of the first format.
func openFirstFormat(f folder, restore func(Record) error) (*Log, Recovery, error) {
	return openFormat(f, firstFormat, restore)
}
