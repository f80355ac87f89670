package accounts

import (
	"cmp"
	"fmt"
	"iter"
	"math/big"
	"slices"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// DifferenceClass is what a difference between two statements is.
type DifferenceClass string

// The classes of differences.
const (
	MissingHere  DifferenceClass = "missing here"  // they have it, we do not
	MissingThere DifferenceClass = "missing there" // we have it, they do not
	OtherAmount  DifferenceClass = "other amount"  // both have it, with different amounts
	// LateFulfill is a packet on which the sides differ because its fulfill came too
	// late for one of them: that side has a hold of it and nothing more (which takes
	// WithHolds to see), or one has it as a late correction.
	LateFulfill DifferenceClass = "late fulfill"
)

// Difference is something on which two statements differ.
type Difference struct {
	Class DifferenceClass
	Kind  EntryKind // EntryPacket, EntrySettlement or EntryCorrection
	// Condition is that of the packet, by which the sides know it; zero if there is
	// none. Give it to Adjust.
	Condition [8]byte
	// OurPacket and TheirPacket are the ids of the packet, or of the first one of the
	// condition, on either side; zero if there is none.
	OurPacket, TheirPacket ledger.ID
	Time                   time.Time // of the first entry
	// Ours and Theirs are the amounts in the two statements, each with the sign that it
	// has there; 0 if there is none. If they agreed they would add up to 0.
	Ours, Theirs *big.Int
}

// Comparison is what came out of comparing two statements.
type Comparison struct {
	Matched     int          // packets, settlements and corrections that both sides have
	Differences []Difference // by time
	// Ours and Theirs are the sums of all that was compared. Together they are what the
	// positions of the two sides drifted apart by, and the sum of all differences.
	Ours, Theirs *big.Int
}

// Compare compares our statement of a peer with the peer's statement of us, over the
// same time: what we owe more, they must be owed more. The entries may come from
// Statement.Entries, or from ReadCSV.
//
// A packet is known to both by its condition. All that one side booked for a packet
// counts together (fees and dust are part of what the sender was charged), and
// corrections with a condition belong to it. Packets that share a condition are paired
// by amount first. Settlements, and corrections and packets without a condition, are
// paired by amount. Changes of credit lines are not compared: they are each side's own.
//
// What happened near either end of the time may be in one statement and not in the
// other, since the clocks differ and a fulfill is booked later on one side: compare over
// a time that ends when nothing was in flight, or look at the times of differences.
// Memory is used for what is not paired yet: the streams are read in step by time.
//
// The error is that of one of the streams, and says whose.
func Compare(ours, theirs iter.Seq2[Entry, error]) (Comparison, error) {
	c := comparing{
		groups: make(map[groupKey]*group),
		result: Comparison{Ours: new(big.Int), Theirs: new(big.Int)},
	}
	if err := c.read(ours, theirs); err != nil {
		return Comparison{}, err
	}
	for key, g := range c.groups {
		c.conclude(key, g)
	}
	slices.SortFunc(c.result.Differences, func(a, b Difference) int {
		return cmp.Or(a.Time.Compare(b.Time), slices.Compare(a.Condition[:], b.Condition[:]), a.Ours.Cmp(b.Ours))
	})
	return c.result, nil
}

// comparing is a comparison under way. Sides are 0 for ours and 1 for theirs.
type comparing struct {
	groups map[groupKey]*group
	open   [2]item // the packet that is being read: its next entry may belong to it
	result Comparison
}

// groupKey is what entries that may be the same thing have in common: the condition, or
// the amount where there is none.
type groupKey struct {
	condition [8]byte
	kind      EntryKind // "" if there is a condition
	amount    string    // as we have it; "" if there is a condition
}

type group struct {
	items [2][]item // that are not paired
	held  [2]bool   // there was a hold
}

// item is what one side booked for one thing.
type item struct {
	kind   EntryKind
	cond   [8]byte
	packet ledger.ID
	time   time.Time
	late   bool
	amount *big.Int // nil: no item
}

// read takes both streams in, in order of time.
func (c *comparing) read(ours, theirs iter.Seq2[Entry, error]) error {
	var next [2]func() (Entry, error, bool)
	var stop func()
	next[0], stop = iter.Pull2(ours)
	defer stop()
	next[1], stop = iter.Pull2(theirs)
	defer stop()
	var heads [2]Entry
	var there [2]bool
	advance := func(side int) (err error) {
		heads[side], err, there[side] = next[side]()
		if err != nil {
			err = fmt.Errorf("compare: %s statement: %w", [2]string{"our", "their"}[side], err)
		}
		return err
	}
	for side := range heads {
		if err := advance(side); err != nil {
			return err
		}
	}
	for there[0] || there[1] {
		side := 0
		if !there[0] || there[1] && heads[1].Time.Before(heads[0].Time) {
			side = 1
		}
		c.take(side, &heads[side])
		if err := advance(side); err != nil {
			return err
		}
	}
	c.finish(0)
	c.finish(1)
	return nil
}

// take takes one entry in. The legs of a packet follow each other in a statement.
func (c *comparing) take(side int, e *Entry) {
	kind := compared(e.Kind)
	if kind == "" {
		return
	}
	if e.Kind == EntryHold {
		if e.Condition != [8]byte{} {
			c.group(groupKey{condition: e.Condition}).held[side] = true
		}
		return
	}
	total := c.result.Ours
	if side == 1 {
		total = c.result.Theirs
	}
	total.Add(total, e.Amount)
	if open := &c.open[side]; open.amount != nil && !e.Packet.IsZero() && open.packet == e.Packet && open.cond == e.Condition {
		open.amount.Add(open.amount, e.Amount)
		open.late = open.late || e.Late
		return
	}
	c.finish(side)
	c.open[side] = item{
		kind: kind, cond: e.Condition, packet: e.Packet, time: e.Time, late: e.Late, amount: new(big.Int).Set(e.Amount),
	}
}

// compared is the kind that entries of a kind are compared as; "" if they are not.
func compared(kind EntryKind) EntryKind {
	switch kind {
	case EntryPacket, EntryFee, EntryConversion, EntryDust, EntryHold:
		return EntryPacket
	case EntryCorrection, EntrySettlement, EntryOther:
		return kind
	case EntryCreditLine, EntryFunding:
		return ""
	default:
		return ""
	}
}

// finish pairs the packet that was being read, or keeps it.
func (c *comparing) finish(side int) {
	mine := c.open[side]
	c.open[side] = item{}
	if mine.amount == nil || mine.amount.Sign() == 0 {
		return
	}
	if mine.kind == EntryCorrection && mine.late {
		mine.kind = EntryPacket // a late fulfill is one side's word for the packet
	}
	key := keyOf(side, &mine)
	g := c.group(key)
	wanted := new(big.Int).Neg(mine.amount)
	i := slices.IndexFunc(g.items[1-side], func(other item) bool { return other.amount.Cmp(wanted) == 0 })
	if i < 0 {
		g.items[side] = append(g.items[side], mine)
		return
	}
	c.result.Matched++
	g.items[1-side] = slices.Delete(g.items[1-side], i, i+1)
	if len(g.items[0])+len(g.items[1]) == 0 {
		delete(c.groups, key)
	}
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

// conclude says what is left of a group. Each side may have booked its share in several
// steps (a packet and a correction of it), so the sums decide.
func (c *comparing) conclude(key groupKey, g *group) {
	if len(g.items[0])+len(g.items[1]) == 0 {
		return // holds that came to nothing on both sides
	}
	d := Difference{Condition: key.condition, Ours: new(big.Int), Theirs: new(big.Int)}
	late := false
	for side, sum := range [2]*big.Int{d.Ours, d.Theirs} {
		for _, i := range g.items[side] {
			sum.Add(sum, i.amount)
			late = late || i.late
			if d.Kind == "" || i.kind == EntryPacket {
				d.Kind = i.kind
			}
			if d.Time.IsZero() || i.time.Before(d.Time) {
				d.Time = i.time
			}
		}
	}
	if new(big.Int).Add(d.Ours, d.Theirs).Sign() == 0 {
		c.result.Matched++
		return
	}
	d.OurPacket, d.TheirPacket = firstPacket(g.items[0]), firstPacket(g.items[1])
	d.Class = classify(g, late)
	c.result.Differences = append(c.result.Differences, d)
}

func classify(g *group, late bool) DifferenceClass {
	here, there := len(g.items[0]) > 0, len(g.items[1]) > 0
	switch {
	case late, !here && g.held[0], !there && g.held[1]:
		return LateFulfill
	case !here:
		return MissingHere
	case !there:
		return MissingThere
	default:
		return OtherAmount
	}
}

func firstPacket(items []item) ledger.ID {
	for _, i := range items {
		if !i.packet.IsZero() {
			return i.packet
		}
	}
	return ledger.ID{}
}
