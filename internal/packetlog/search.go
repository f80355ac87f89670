package packetlog

import (
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"
)

// Search passes the packets that a query selects to yield, which must not keep them, in the query's order,
// each once. It returns the first error of yield.
//
// It keeps the selected packets of the log in memory, some 150 bytes each, and those of few blocks of the
// archive. Of archive files it reads the parts that header, footer and indexes leave.
func (r *Reader) Search(ctx context.Context, q Query, yield func(*Packet) error) error {
	if err := q.check(); err != nil {
		return err
	}
	c, err := r.readContent(ctx, q.matches, func(s *summary) bool { return q.Through != 0 && s.number.reaches(q.Through) })
	if err != nil {
		return err
	}
	s := &search{reader: r, query: &q, yield: yield}
	if len(c.packets) > 0 {
		s.push(c.resolved, func() error {
			s.pending = append(s.pending, c.packets...)
			return nil
		})
	}
	for _, path := range c.archives {
		if summary := r.summaries[path]; q.meets(summary.resolved, summary.number) {
			s.push(summary.resolved, func() error { return s.pushBlocks(path) })
		}
	}
	return errors.Join(s.run(ctx), s.closeFile())
}

// search is a search under way. Sources are the log, files and blocks; each has a least order key. The
// search opens the source with the least key, after it has passed on all packets before that key. To open a
// file is to make its blocks sources. So packets come in order, whatever their order in the files.
type search struct {
	reader  *Reader
	query   *Query
	yield   func(*Packet) error
	sources sourceHeap
	pending []Packet // that were read, and not passed on
	last    Packet   // passed on; none if yielded is 0
	yielded int
	file    *archive // the one that is open, or nil
}

type source struct {
	key  int64
	open func() error
}

type sourceHeap []source

func (h sourceHeap) Len() int           { return len(h) }
func (h sourceHeap) Less(i, j int) bool { return h[i].key < h[j].key }
func (h sourceHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *sourceHeap) Push(x any)        { *h = append(*h, x.(source)) }
func (h *sourceHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func (s *search) push(resolved span, open func() error) {
	heap.Push(&s.sources, source{s.query.firstKey(resolved), open})
}

// errEnough ends a search at its limit.
var errEnough = errors.New("packetlog: limit reached")

func (s *search) run(ctx context.Context) error {
	for len(s.sources) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		next := heap.Pop(&s.sources).(source)
		if err := s.passOn(func(p *Packet) bool { return s.query.orderKey(p.ResolvedAt) < next.key }); err != nil {
			return ignoreEnough(err)
		}
		if err := next.open(); err != nil {
			return err
		}
	}
	return ignoreEnough(s.passOn(func(*Packet) bool { return true }))
}

func ignoreEnough(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// passOn passes the pending packets on, in order, up to the first that is not ready.
func (s *search) passOn(isReady func(*Packet) bool) error {
	slices.SortFunc(s.pending, func(a, b Packet) int { return s.query.compare(&a, &b) })
	n := 0
	for ; n < len(s.pending) && isReady(&s.pending[n]); n++ {
		p := &s.pending[n]
		if s.yielded > 0 && s.query.compare(&s.last, p) == 0 {
			continue // in a file and in the log, or in two files
		}
		if s.query.Limit > 0 && s.yielded == s.query.Limit {
			return errEnough
		}
		s.last = *p
		s.yielded++
		if err := s.yield(p); err != nil {
			return err
		}
	}
	s.pending = slices.Delete(s.pending, 0, n)
	return nil
}

// openFile opens a file in place of the one that is open. It returns false if retention removed the file.
func (s *search) openFile(path string) (bool, error) {
	if s.file != nil && s.file.path == path {
		return true, nil
	}
	if err := s.closeFile(); err != nil {
		return false, err
	}
	a, err := openArchive(path, s.reader.decoder)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	s.file = a
	return err == nil, err
}

func (s *search) closeFile() error {
	if s.file == nil {
		return nil
	}
	a := s.file
	s.file = nil
	return a.close()
}

// pushBlocks makes the blocks of a file sources, as far as the file's indexes leave them.
func (s *search) pushBlocks(path string) error {
	if ok, err := s.openFile(path); !ok {
		return err
	}
	blocks, err := s.file.selectBlocks(s.query)
	if err != nil {
		return err
	}
	for _, block := range blocks {
		s.push(s.file.footer.blocks[block].resolved, func() error { return s.readBlock(path, block) })
	}
	return nil
}

func (s *search) readBlock(path string, block int) error {
	if ok, err := s.openFile(path); !ok {
		return err
	}
	return s.file.readBlock(block, func(p *Packet) error {
		if s.query.matches(p) {
			s.pending = append(s.pending, *p)
		}
		return nil
	})
}

// selectBlocks returns the blocks that can have packets of the query.
func (a *archive) selectBlocks(q *Query) (blocks []int, err error) {
	switch {
	case !q.ID.IsZero():
		blocks, err = a.findBlocks(byID, []uint32{idKey(q.ID)})
	case len(q.Condition) > 0:
		blocks, err = a.findBlocks(byCondition, []uint32{conditionKey(binary.BigEndian.Uint64(q.Condition))})
	case q.Peer != "" || q.Ledger != 0:
		blocks, err = a.findPartyBlocks(q)
	default:
		for i := range a.footer.blocks {
			blocks = append(blocks, i)
		}
	}
	return slices.DeleteFunc(blocks, func(i int) bool {
		k := &a.footer.blocks[i]
		return !q.meets(k.resolved, k.number)
	}), err
}

func (a *archive) findPartyBlocks(q *Query) ([]int, error) {
	if err := a.loadParties(); err != nil {
		return nil, err
	}
	var keys []uint32
	for i := range a.parties {
		if q.selects(&a.parties[i]) {
			keys = append(keys, uint32(i))
		}
	}
	return a.findBlocks(byParty, keys)
}
