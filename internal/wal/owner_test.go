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

// owner has a state by which every record is checked: how many records there are.
// The data of each follows from its number.
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

// dataOf is the data of record n, of up to four sectors.
func dataOf(n uint64) []byte {
	length := 1 + int(n*n*37%100)
	if n%5 == 3 {
		length += 3 * sector
	}
	return bytes.Repeat(binary.LittleEndian.AppendUint64(nil, n*0x9e3779b97f4a7c15+1), length/8+1)[:length]
}

func openOwner(f folder) (*owner, error) {
	o := &owner{}
	log, recovery, err := open(f, o.restore)
	o.log, o.recovery = log, recovery
	return o, err
}

// restore fails on what was never written, or is not the next record.
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

// append adds n records, which are most likely synced together.
func (o *owner) append(n int) Position {
	for range n {
		data := dataOf(o.count)
		o.log.add(kindCounted, len(data), func(to []byte) []byte { return append(to, data...) })
		o.count++
	}
	o.log.signal()
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

// process runs a script on a folder, one step after the other. It goes on after
// errors, as far as it can.
type process struct {
	ctx    context.Context
	folder *memory
	owner  *owner
	errs   []error
	log    atomic.Pointer[Log] // of owner, for other goroutines

	// What is known while there is no log.
	acked, appended atomic.Uint64
}

// bounds are how many records were answered, and how many appended, by now.
func (p *process) bounds() (acked, appended uint64) {
	l := p.log.Load()
	if l == nil {
		return p.acked.Load(), p.appended.Load()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(l.synced), uint64(l.appended)
}

func (p *process) note(err error) {
	if err != nil {
		p.errs = append(p.errs, err)
	}
}

func (p *process) open() bool {
	var err error
	p.owner, err = openOwner(p.folder)
	p.note(err)
	if err == nil {
		p.log.Store(p.owner.log)
	}
	return err == nil
}

func (p *process) close() {
	p.note(p.owner.log.Close())
	acked, appended := p.bounds()
	p.acked.Store(acked)
	p.appended.Store(appended)
	p.log.Store(nil)
}

func (p *process) group(n int) {
	p.note(p.owner.log.Wait(p.ctx, p.owner.append(n)))
}

// checkpoint writes a checkpoint while n records are appended.
func (p *process) checkpoint(n int, commit bool) {
	count := p.owner.count
	c := p.owner.log.Checkpoint()
	position := p.owner.append(n)
	err := p.owner.writeTo(c, count)
	if err == nil && commit {
		err = c.Commit(p.ctx)
	}
	p.note(err)
	p.note(c.Discard())
	p.note(p.owner.log.Wait(p.ctx, position))
	if !commit {
		<-c.behind.done
		p.note(c.givenUp()) // who discards it is not told
	}
}

// errRefused is what the script itself makes an operation fail with.
var errRefused = errors.New("refused")

// refusedRotation fails to go on to the next segment while n records are appended.
// refused are the operations on that segment's file that fail; "sync ." is the one
// that makes its name durable.
func (p *process) refusedRotation(n int, refused ...string) {
	c, position, refuse := p.rotation(n, refused)
	refuse()
	<-c.behind.done
	p.note(p.owner.log.Wait(p.ctx, position))
	err := p.owner.log.Err()
	if err == nil {
		err = c.givenUp()
	}
	if err == nil {
		err = errors.New("no rotation was refused")
	}
	if !errors.Is(err, errRefused) {
		p.note(err)
	}
	p.note(c.Discard())
}

// rotation begins one that is to fail, and appends n records behind it. The first
// operation that is to fail waits for refuse, so the records are queued by then.
func (p *process) rotation(n int, refused []string) (c *Checkpoint, last Position, refuse func()) {
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
	last = p.owner.append(n)
	return c, last, func() {
		close(gate)
		<-c.behind.done
		over.Store(true)
	}
}

// script has groups, segments without and with a checkpoint, segments that cannot be
// made, and two lives.
func (p *process) script() {
	if !p.open() {
		return
	}
	p.group(3)
	p.group(1)
	p.group(4)
	p.refusedRotation(1, "open")
	p.checkpoint(2, true)
	p.group(2)
	p.refusedRotation(2, "sync", "remove")
	p.checkpoint(1, false)
	p.group(1)
	p.close()
	if !p.open() {
		return
	}
	p.group(2)
	p.checkpoint(0, true)
	p.refusedRotation(1, "sync .", "remove")
	p.group(1)
	p.checkpoint(2, true)
	p.group(3)
	p.close()
}

func newProcess(ctx context.Context, m *memory) *process { return &process{ctx: ctx, folder: m} }

// open opens a folder with records of the first format.
func open(f folder, restore func(Record) error) (*Log, Recovery, error) {
	return openFormat(f, firstFormat, restore)
}
