package accounts

import (
	"cmp"
	"math/big"
	"slices"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// itemKey is what entries that are the same thing on both sides have in common.
type itemKey struct {
	condition [8]byte
	kind      EntryKind // "" if there is a condition
	amount    string    // as we have it
}

// unpaired are the items of one side that the other one does not have yet, oldest first. The
// other side can have none of the same key: they would be paired.
type unpaired struct {
	side  int
	items []item
}

// holds are the packets of a condition that were held, and nothing more, by side.
type holds [2]map[ledger.ID]struct{}

// item is what one side booked for one thing.
type item struct {
	kind   EntryKind
	cond   [8]byte
	packet ledger.ID
	order  ledger.ID
	time   time.Time
	late   bool
	number int      // in the order in which items were read
	amount *big.Int // nil: no item
}

// take takes one entry in. The legs of a packet follow each other in a statement, and so
// does what was paid beyond an order.
func (c *comparing) take(side int, e *Entry) {
	if e.Kind == EntryHold {
		if e.ConditionTag != [8]byte{} {
			c.hold(side, e)
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
		kind: compared(e.Kind), cond: e.ConditionTag, packet: e.Packet, order: e.Order, time: e.Time, late: e.Late,
		amount: new(big.Int).Set(e.Amount),
	}
}

// goesOn reports whether an entry is about the same packet, or the same order.
func (i *item) goesOn(e *Entry) bool {
	if e.Packet.IsZero() {
		return !e.Order.IsZero() && i.order == e.Order && i.kind == compared(e.Kind)
	}
	return i.packet == e.Packet && i.cond == e.ConditionTag
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
	c.release(side, &mine)
	if mine.amount.Sign() == 0 {
		return
	}
	c.numbered++
	mine.number = c.numbered
	c.pair(side, &mine)
}

// pair pairs an item with one that the other side has, or keeps it for later.
func (c *comparing) pair(side int, mine *item) {
	key := keyOf(side, mine)
	there := c.unpaired[key]
	switch {
	case there == nil:
		c.unpaired[key] = &unpaired{side: side, items: []item{*mine}}
		return
	case there.side == side:
		there.items = append(there.items, *mine)
		return
	}
	c.result.Matched++
	if there.items = there.items[1:]; len(there.items) == 0 {
		delete(c.unpaired, key)
	}
}

func keyOf(side int, i *item) itemKey {
	ours := i.amount
	if side == 1 {
		ours = new(big.Int).Neg(ours)
	}
	key := itemKey{condition: i.cond, amount: ours.String()}
	if i.cond == [8]byte{} {
		key.kind = i.kind
	}
	return key
}

// hold remembers a packet that was held.
func (c *comparing) hold(side int, e *Entry) {
	held := c.held[e.ConditionTag]
	if held == nil {
		held = new(holds)
		c.held[e.ConditionTag] = held
	}
	if held[side] == nil {
		held[side] = make(map[ledger.ID]struct{})
	}
	held[side][e.Packet] = struct{}{}
}

// release forgets the hold of a packet that was booked.
func (c *comparing) release(side int, mine *item) {
	held := c.held[mine.cond]
	if held == nil {
		return
	}
	delete(held[side], mine.packet)
	if len(held[0])+len(held[1]) == 0 {
		delete(c.held, mine.cond)
	}
}

// group is what is left of a condition, or one thing without a condition.
type group struct {
	items [2][]item
	held  holds
}

// left are the groups of what was not paired.
func (c *comparing) left() []*group {
	var all []*group
	byCondition := make(map[[8]byte]*group)
	for key, there := range c.unpaired {
		if key.condition == [8]byte{} {
			for _, i := range there.items {
				alone := new(group)
				alone.items[there.side] = []item{i}
				all = append(all, alone)
			}
			continue
		}
		g := byCondition[key.condition]
		if g == nil {
			g = new(group)
			if held := c.held[key.condition]; held != nil {
				g.held = *held
			}
			byCondition[key.condition] = g
			all = append(all, g)
		}
		g.items[there.side] = append(g.items[there.side], there.items...)
	}
	for _, g := range all {
		for _, items := range g.items {
			slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.number, b.number) })
		}
	}
	return all
}
