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
	MissingOurs    DifferenceClass = "missing here"  // they have it, we do not
	MissingTheirs  DifferenceClass = "missing there" // we have it, they do not
	AmountMismatch DifferenceClass = "other amount"  // both have it, with different amounts
	// LateFulfill is a packet on which the sides differ because its fulfill came too
	// late for one of them: that side has a hold of it and nothing more (which takes
	// WithHolds to see), or one has it as a late correction.
	LateFulfill DifferenceClass = "late fulfill"
)

// Difference is something on which two statements differ.
type Difference struct {
	Class DifferenceClass
	// Kind is EntryPacket for packets and all that belongs to them, EntrySettlement for all
	// that was paid, also by hand, and for what came back; else that of the entry.
	Kind EntryKind
	// ConditionTag is that of the packet, by which the sides know it; zero if there is
	// none. Give it to Adjust.
	ConditionTag [8]byte
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
// by amount first; of what is left of them the sums count, as one difference. All that a
// rail paid for an order counts together. Everything without a condition, settlements above
// all, is paired by kind and amount in order of time; what was paid by hand, or came back,
// is a settlement to the other side. What moves nothing is not compared: changes of credit lines, which are each
// side's own, and holds, which only tell a LateFulfill.
//
// What happened near either end of the time may be in one statement and not in the
// other, since the clocks differ and a fulfill is booked later on one side: compare over
// a time that ends when nothing was in flight, or look at the times of differences.
// Memory is used for what is not paired yet, and for holds that came to nothing: the
// streams are read in step by time.
//
// The error is that of one of the streams, and says whose.
func Compare(ours, theirs iter.Seq2[Entry, error]) (Comparison, error) {
	comparison := comparer{
		unpairedByKey: make(map[itemKey]*unpairedItems), holdsByCondition: make(map[[8]byte]*heldPackets),
		result: Comparison{Ours: new(big.Int), Theirs: new(big.Int)},
	}
	if err := comparison.readStreams(ours, theirs); err != nil {
		return Comparison{}, err
	}
	for _, g := range comparison.groupUnpaired() {
		comparison.addDifference(g)
	}
	slices.SortFunc(comparison.result.Differences, func(a, b Difference) int {
		return cmp.Or(
			a.Time.Compare(b.Time), slices.Compare(a.ConditionTag[:], b.ConditionTag[:]),
			cmp.Compare(a.Kind, b.Kind), a.Ours.Cmp(b.Ours), a.Theirs.Cmp(b.Theirs),
		)
	})
	return comparison.result, nil
}

// comparer is a comparison under way. Sides are 0 for ours and 1 for theirs.
type comparer struct {
	unpairedByKey    map[itemKey]*unpairedItems
	holdsByCondition map[[8]byte]*heldPackets // by condition
	itemCount        int                      // items
	openItems        [2]item                  // the packet that is being read: its next entry may belong to it
	result           Comparison
}

// readStreams takes both streams in, in order of time.
func (c *comparer) readStreams(ours, theirs iter.Seq2[Entry, error]) error {
	var next [2]func() (Entry, error, bool)
	var stop func()
	next[0], stop = iter.Pull2(ours)
	defer stop()
	next[1], stop = iter.Pull2(theirs)
	defer stop()
	var heads [2]Entry
	var more [2]bool
	advance := func(side int) (err error) {
		heads[side], err, more[side] = next[side]()
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
	for more[0] || more[1] {
		side := 0
		if !more[0] || more[1] && heads[1].Time.Before(heads[0].Time) {
			side = 1
		}
		c.addEntry(side, &heads[side])
		if err := advance(side); err != nil {
			return err
		}
	}
	c.finishItem(0)
	c.finishItem(1)
	return nil
}

// addDifference says what is left of a packet. Each side may have booked its share in several
// steps (a packet and a correction of it), so the sums decide.
func (c *comparer) addDifference(g *group) {
	d := Difference{Ours: new(big.Int), Theirs: new(big.Int)}
	late := false
	for side, sum := range [2]*big.Int{d.Ours, d.Theirs} {
		for _, i := range g.items[side] {
			sum.Add(sum, i.amount)
			late = late || i.late
			d.ConditionTag = i.condition
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
	d.Class = classifyGroup(g, late)
	c.result.Differences = append(c.result.Differences, d)
}

func classifyGroup(g *group, late bool) DifferenceClass {
	inOurs, inTheirs := len(g.items[0]) > 0, len(g.items[1]) > 0
	switch {
	case late, !inOurs && len(g.held[0]) > 0, !inTheirs && len(g.held[1]) > 0:
		return LateFulfill
	case !inOurs:
		return MissingOurs
	case !inTheirs:
		return MissingTheirs
	default:
		return AmountMismatch
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
