package packetlog

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"

	"github.com/peerledger/peerledger/ledger"
)

// Query selects packets of a journal and their order. The zero Query selects all.
type Query struct {
	// Peer selects packets from or to a peer, "" those of all.
	Peer string
	// Ledger selects packets from or to an account in the asset with this ledger number, with Peer an
	// account of the peer; 0: all.
	Ledger uint32
	// Since and Until bound ResolvedAt, ns since the Unix epoch: Since <= ResolvedAt < Until. Until 0 is
	// no bound.
	Since, Until int64
	// ID selects by the packet's id, the zero id all.
	ID ledger.ID
	// Condition selects by the first 8 bytes of the condition, or by all 32; empty: all.
	Condition []byte
	// After and Through select fulfills by number: After < Number <= Through. Through 0 selects all packets.
	After, Through uint64
	// Limit bounds the number of packets; 0 is no bound.
	Limit int
	// Newest returns the newest packets first. Packets are in the order of ResolvedAt, then Number, then ID.
	Newest bool
}

// ErrQuery is returned for a query that no packet can match by its form.
var ErrQuery = errors.New("packetlog: invalid query")

func (q *Query) check() error {
	switch {
	case len(q.Condition) != 0 && len(q.Condition) != 8 && len(q.Condition) != 32:
		return fmt.Errorf("%w: Condition has %d bytes, want 8 or 32", ErrQuery, len(q.Condition))
	case q.Until != 0 && q.Until < q.Since:
		return fmt.Errorf("%w: Until is before Since", ErrQuery)
	case q.Through != 0 && q.Through < q.After:
		return fmt.Errorf("%w: Through is before After", ErrQuery)
	case q.Limit < 0:
		return fmt.Errorf("%w: Limit is %d", ErrQuery, q.Limit)
	}
	return nil
}

func (q *Query) matches(p *Packet) bool {
	return q.matchesParty(&p.From, &p.To) && p.ResolvedAt >= q.Since && p.ResolvedAt <= q.last() &&
		(q.ID.IsZero() || q.ID == p.ID) && bytes.HasPrefix(p.Condition[:], q.Condition) &&
		(q.Through == 0 || p.Number > q.After && p.Number <= q.Through)
}

func (q *Query) matchesParty(from, to *Party) bool { return q.selects(from) || q.selects(to) }

// selects reports whether packets from or to the party are selected.
func (q *Query) selects(p *Party) bool {
	return (q.Peer == "" || q.Peer == p.Peer) && (q.Ledger == 0 || q.Ledger == p.Ledger)
}

// last returns the last ResolvedAt selected.
func (q *Query) last() int64 {
	if q.Until == 0 {
		return math.MaxInt64
	}
	return q.Until - 1
}

// meets reports whether packets in the spans can be selected.
func (q *Query) meets(resolved, number span) bool {
	if !resolved.seen || resolved.high < q.Since || resolved.low > q.last() {
		return false
	}
	return q.Through == 0 || number.seen && uint64(number.high) > q.After && uint64(number.low) <= q.Through
}

// compare returns the order of two packets; 0 means that they are the same packet.
func (q *Query) compare(a, b *Packet) int {
	order := cmp.Or(cmp.Compare(a.ResolvedAt, b.ResolvedAt), cmp.Compare(a.Number, b.Number), a.ID.Compare(b.ID))
	if q.Newest {
		return -order
	}
	return order
}

// orderKey returns a number that grows in the order of the query. ^t falls as t grows.
func (q *Query) orderKey(resolvedAt int64) int64 {
	if q.Newest {
		return ^resolvedAt
	}
	return resolvedAt
}

// firstKey returns the least order key of packets in a span.
func (q *Query) firstKey(resolved span) int64 {
	if q.Newest {
		return ^resolved.high
	}
	return resolved.low
}
