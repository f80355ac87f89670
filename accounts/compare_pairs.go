package accounts

import (
	"cmp"
	"math/big"
	"slices"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// itemKey is equal for items of the two sides that may be the same thing.
type itemKey struct {
	condition [8]byte
	kind      EntryKind // "" if there is a condition
	amount    string    // in our sign
}

// unpairedItems are the items of one side without a counterpart so far, oldest first. The
// opposite side has no unpaired item of the same key: the two would be a pair.
type unpairedItems struct {
	side  int
	items []item
}

// heldPackets are the packets of a condition with a hold and no booking, by side.
type heldPackets [2]map[ledger.ID]struct{}

// item is the booking of one side for one packet, order or payment.
type item struct {
	kind      EntryKind
	condition [8]byte
	packet    ledger.ID
	order     ledger.ID
	time      time.Time
	late      bool
	number    int      // in the order of reading
	amount    *big.Int // nil: no item
}

// addEntry adds an entry of a side. The legs of a packet follow each other in a statement, and so
// do the payments for an order.
func (c *comparer) addEntry(side int, e *Entry) {
	if e.Kind == EntryHold {
		if e.ConditionTag != [8]byte{} {
			c.rememberHold(side, e)
		}
		return
	}
	total := c.result.Ours
	if side == 1 {
		total = c.result.Theirs
	}
	total.Add(total, e.Amount)
	if open := &c.openItems[side]; open.amount != nil && open.continues(e) {
		open.amount.Add(open.amount, e.Amount)
		open.late = open.late || e.Late
		return
	}
	c.finishItem(side)
	c.openItems[side] = item{
		kind: comparedKind(e.Kind), condition: e.ConditionTag, packet: e.Packet, order: e.Order, time: e.Time, late: e.Late,
		amount: new(big.Int).Set(e.Amount),
	}
}

// continues reports whether an entry belongs to the item's packet or order.
func (i *item) continues(e *Entry) bool {
	if e.Packet.IsZero() {
		return !e.Order.IsZero() && i.order == e.Order && i.kind == comparedKind(e.Kind)
	}
	return i.packet == e.Packet && i.condition == e.ConditionTag
}

// comparedKind returns the kind under which entries are compared.
func comparedKind(kind EntryKind) EntryKind {
	switch kind { //nolint:exhaustive // all remaining kinds are compared as they are, unknown kinds too
	case EntryPacket, EntryFee, EntryConversion, EntryDust:
		return EntryPacket
	case EntryByHand, EntryReturned:
		return EntrySettlement
	default:
		return kind
	}
}

// finishItem ends the item in reading: it is paired or kept.
func (c *comparer) finishItem(side int) {
	current := c.openItems[side]
	c.openItems[side] = item{}
	if current.amount == nil {
		return
	}
	if current.kind == EntryCorrection && current.late {
		current.kind = EntryPacket // a late fulfill is how one side booked the packet
	}
	c.forgetHold(side, &current)
	if current.amount.Sign() == 0 {
		return
	}
	c.itemCount++
	current.number = c.itemCount
	c.pairItem(side, &current)
}

// pairItem pairs an item with an item of the opposite side, or keeps it for later.
func (c *comparer) pairItem(side int, current *item) {
	key := keyOf(side, current)
	queue := c.unpairedByKey[key]
	switch {
	case queue == nil:
		c.unpairedByKey[key] = &unpairedItems{side: side, items: []item{*current}}
		return
	case queue.side == side:
		queue.items = append(queue.items, *current)
		return
	}
	c.result.Matched++
	c.notePair(side, current, &queue.items[0])
	if queue.items = queue.items[1:]; len(queue.items) == 0 {
		delete(c.unpairedByKey, key)
	}
}

// notePair reports an item and its counterpart on the opposite side as equal.
func (c *comparer) notePair(side int, current, other *item) {
	if c.addEqual == nil {
		return
	}
	var pair [2]*item
	pair[side], pair[1-side] = current, other
	d := Difference{
		Class: Equal, Kind: current.kind, ConditionTag: current.condition, OurPacket: pair[0].packet, TheirPacket: pair[1].packet,
		Time: other.time, Ours: pair[0].amount, Theirs: pair[1].amount,
	}
	if current.time.Before(other.time) {
		d.Time = current.time
	}
	if other.kind == EntryPacket {
		d.Kind = EntryPacket
	}
	c.addEqual(d)
}

func keyOf(side int, i *item) itemKey {
	ours := i.amount
	if side == 1 {
		ours = new(big.Int).Neg(ours)
	}
	key := itemKey{condition: i.condition, amount: ours.String()}
	if i.condition == [8]byte{} {
		key.kind = i.kind
	}
	return key
}

// rememberHold records the hold of a packet.
func (c *comparer) rememberHold(side int, e *Entry) {
	packets := c.holdsByCondition[e.ConditionTag]
	if packets == nil {
		packets = new(heldPackets)
		c.holdsByCondition[e.ConditionTag] = packets
	}
	if packets[side] == nil {
		packets[side] = make(map[ledger.ID]struct{})
	}
	packets[side][e.Packet] = struct{}{}
}

// forgetHold removes the hold of a booked packet.
func (c *comparer) forgetHold(side int, current *item) {
	packets := c.holdsByCondition[current.condition]
	if packets == nil {
		return
	}
	delete(packets[side], current.packet)
	if len(packets[0])+len(packets[1]) == 0 {
		delete(c.holdsByCondition, current.condition)
	}
}

// group is the unpaired rest of a condition, or one item without a condition.
type group struct {
	items [2][]item
	held  heldPackets
}

// groupUnpaired groups the unpaired items.
func (c *comparer) groupUnpaired() []*group {
	var groups []*group
	byCondition := make(map[[8]byte]*group)
	for key, queue := range c.unpairedByKey {
		if key.condition == [8]byte{} {
			for _, i := range queue.items {
				single := new(group)
				single.items[queue.side] = []item{i}
				groups = append(groups, single)
			}
			continue
		}
		g := byCondition[key.condition]
		if g == nil {
			g = new(group)
			if packets := c.holdsByCondition[key.condition]; packets != nil {
				g.held = *packets
			}
			byCondition[key.condition] = g
			groups = append(groups, g)
		}
		g.items[queue.side] = append(g.items[queue.side], queue.items...)
	}
	for _, g := range groups {
		for _, items := range g.items {
			slices.SortFunc(items, func(a, b item) int { return cmp.Compare(a.number, b.number) })
		}
	}
	return groups
}
