package accounts

import (
	"math/big"
	"slices"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// groupKey is what entries that may be the same thing have in common: the condition, or
// the amount where there is none.
type groupKey struct {
	condition [8]byte
	kind      EntryKind // "" if there is a condition
	amount    string    // as we have it; "" if there is a condition
}

type group struct {
	items [2][]item                 // that are not paired
	held  [2]map[ledger.ID]struct{} // packets that were held, and nothing more
}

func (g *group) hold(side int, packet ledger.ID) {
	if g.held[side] == nil {
		g.held[side] = make(map[ledger.ID]struct{})
	}
	g.held[side][packet] = struct{}{}
}

func (g *group) empty() bool {
	return len(g.items[0])+len(g.items[1])+len(g.held[0])+len(g.held[1]) == 0
}

// item is what one side booked for one thing.
type item struct {
	kind   EntryKind
	cond   [8]byte
	packet ledger.ID
	order  ledger.ID
	time   time.Time
	late   bool
	amount *big.Int // nil: no item
}

// take takes one entry in. The legs of a packet follow each other in a statement, and so
// does what was paid beyond an order.
func (c *comparing) take(side int, e *Entry) {
	if e.Kind == EntryHold {
		if e.Condition != [8]byte{} {
			c.group(groupKey{condition: e.Condition}).hold(side, e.Packet)
		}
		return
	}
	total := c.result.Ours
	if side == 1 {
		total = c.result.Theirs
	}
	total.Add(total, e.Amount)
	if open := &c.open[side]; open.amount != nil && open.goesOn(e) {
		open.amount.Add(open.amount, e.Amount)
		open.late = open.late || e.Late
		return
	}
	c.finish(side)
	c.open[side] = item{
		kind: compared(e.Kind), cond: e.Condition, packet: e.Packet, order: e.Order, time: e.Time, late: e.Late,
		amount: new(big.Int).Set(e.Amount),
	}
}

// goesOn reports whether an entry is about the same packet, or the same order.
func (i *item) goesOn(e *Entry) bool {
	if e.Packet.IsZero() {
		return !e.Order.IsZero() && i.order == e.Order && i.kind == compared(e.Kind)
	}
	return i.packet == e.Packet && i.cond == e.Condition
}

// compared is the kind that entries of a kind are compared as.
func compared(kind EntryKind) EntryKind {
	switch kind { //nolint:exhaustive // the others are as they are, also those that nobody knows
	case EntryPacket, EntryFee, EntryConversion, EntryDust:
		return EntryPacket
	case EntryByHand, EntryReturned:
		return EntrySettlement
	default:
		return kind
	}
}

// finish pairs the packet that was being read, or keeps it.
func (c *comparing) finish(side int) {
	mine := c.open[side]
	c.open[side] = item{}
	if mine.amount == nil {
		return
	}
	if mine.kind == EntryCorrection && mine.late {
		mine.kind = EntryPacket // a late fulfill is one side's word for the packet
	}
	key := keyOf(side, &mine)
	g := c.group(key)
	delete(g.held[side], mine.packet)
	c.pair(side, g, &mine)
	if g.empty() {
		delete(c.groups, key)
	}
}

// pair pairs an item with one that the other side has, or keeps it for later.
func (c *comparing) pair(side int, g *group, mine *item) {
	if mine.amount.Sign() == 0 {
		return
	}
	wanted := new(big.Int).Neg(mine.amount)
	i := slices.IndexFunc(g.items[1-side], func(other item) bool { return other.amount.Cmp(wanted) == 0 })
	if i < 0 {
		g.items[side] = append(g.items[side], *mine)
		return
	}
	c.result.Matched++
	g.items[1-side] = slices.Delete(g.items[1-side], i, i+1)
}

func keyOf(side int, i *item) groupKey {
	if i.cond != [8]byte{} {
		return groupKey{condition: i.cond}
	}
	ours := new(big.Int).Set(i.amount)
	if side == 1 {
		ours.Neg(ours)
	}
	return groupKey{kind: i.kind, amount: ours.String()}
}

func (c *comparing) group(key groupKey) *group {
	g := c.groups[key]
	if g == nil {
		g = new(group)
		c.groups[key] = g
	}
	return g
}
