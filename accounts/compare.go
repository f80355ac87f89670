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

// DifferenceClass classifies a difference between two statements.
type DifferenceClass string

// The classes of differences.
const (
	MissingOurs    DifferenceClass = "missing here"  // in the peer's statement only
	MissingTheirs  DifferenceClass = "missing there" // in our statement only
	AmountMismatch DifferenceClass = "other amount"  // in both, with different amounts
	// LateFulfill is a packet with a fulfill too late for one of the sides: that side has only a
	// hold of the packet (visible with [WithHolds]), or one side has a late correction.
	LateFulfill DifferenceClass = "late fulfill"
	// Equal is the class of pairs that agree ([WithEqual]). They are no differences.
	Equal DifferenceClass = "equal"
)

// DifferenceClasses returns the classes of differences, without [Equal].
func DifferenceClasses() []DifferenceClass {
	return []DifferenceClass{MissingOurs, MissingTheirs, AmountMismatch, LateFulfill}
}

// Explain returns the meaning of a class in a sentence without its end; "" for an unknown class.
func (c DifferenceClass) Explain() string {
	return map[DifferenceClass]string{
		MissingOurs:    "only the peer's statement has the packet or payment",
		MissingTheirs:  "only our statement has it",
		AmountMismatch: "both have it, with different amounts",
		LateFulfill:    "the fulfill of a packet came too late for one of the two sides",
		Equal:          "both have it, with the same amount",
	}[c]
}

// Difference is a difference between two statements.
type Difference struct {
	Class DifferenceClass
	// Kind is EntryPacket for packets with all their legs, EntrySettlement for all payments, also
	// by hand or returned, and otherwise the kind of the entry.
	Kind EntryKind
	// ConditionTag is the packet's tag, known to both sides; zero if there is none. Set it in an
	// [Adjustment].
	ConditionTag [8]byte
	// OurPacket and TheirPacket are the ids of the packet on either side, or of the first packet
	// of the condition; zero if there is none.
	OurPacket, TheirPacket ledger.ID
	Time                   time.Time // of the first entry
	// Ours and Theirs are the amounts in the two statements, with their signs there; 0 if there
	// is none. Amounts that agree add up to 0.
	Ours, Theirs *big.Int
}

// Comparison is the result of [Compare].
type Comparison struct {
	Matched     int          // packets, settlements and corrections in both statements
	Differences []Difference // by time
	// Ours and Theirs are the sums of all compared amounts. Added together they are the drift
	// between the positions of the two sides, and the sum of all differences.
	Ours, Theirs *big.Int
}

// CompareOption is an option of [Compare].
type CompareOption func(*comparer)

// WithEqual has [Compare] call each for every packet, payment or correction that both statements have with the same
// amount, as a [Difference] of class [Equal]. The calls come in no order, before Compare returns. By default pairs are
// counted only ([Comparison.Matched]).
func WithEqual(each func(Difference)) CompareOption {
	return func(c *comparer) { c.addEqual = each }
}

// Compare compares our statement of a peer with the peer's statement of us, over the same time:
// an amount that we owe more must be owed to the peer more. The entries come from
// [Statement.Entries], or from [ReadCSV] or [ReadJSON]. A side with rounds needs the packets in place of the rounds
// ([WithJournals]): rounds are paired by amount alone, and no two sides cut the same rounds.
//
// Both sides know a packet by its condition. All legs that a side booked for a packet count
// together (the sender's charge includes fees and dust), and so do corrections with the
// condition. Packets with the same condition are paired by amount first; the remaining ones count
// by their sums, as one difference. All payments of a rail for an order count together.
// Everything without a condition, settlements above all, is paired by kind and amount in order of
// time. A payment by hand or a returned payment is a settlement to the peer's side. Entries that
// move nothing are not compared: changes of credit lines, which each side makes for itself, and
// holds, which only identify a [LateFulfill].
//
// Near either end of the time, an entry may be in one statement only: the clocks differ, and a
// fulfill is booked later on one side. So compare over a time that ends with nothing in flight,
// or mind the times of the differences. The streams are read in step by time, so memory holds
// only unpaired entries and unfulfilled holds.
//
// The error comes from one of the streams, and names the side.
func Compare(ours, theirs iter.Seq2[Entry, error], options ...CompareOption) (Comparison, error) {
	comparison := comparer{
		unpairedByKey: make(map[itemKey]*unpairedItems), holdsByCondition: make(map[[8]byte]*heldPackets),
		result: Comparison{Ours: new(big.Int), Theirs: new(big.Int)},
	}
	for _, option := range options {
		option(&comparison)
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

// comparer is a comparison in progress. Sides are 0 for ours and 1 for theirs.
type comparer struct {
	unpairedByKey    map[itemKey]*unpairedItems
	holdsByCondition map[[8]byte]*heldPackets // by condition
	itemCount        int                      // items
	openItems        [2]item                  // the packet in reading, by side: the next entry may belong to it
	result           Comparison
	addEqual         func(Difference) // nil: pairs are counted only
}

// readStreams reads both streams, in order of time.
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

// addDifference records the difference of a group. Each side may have booked its share in several
// steps (a packet and a correction), so the sums decide.
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
	d.OurPacket, d.TheirPacket = firstPacket(g.items[0]), firstPacket(g.items[1])
	if new(big.Int).Add(d.Ours, d.Theirs).Sign() == 0 {
		c.result.Matched++
		if c.addEqual != nil {
			d.Class = Equal
			c.addEqual(d)
		}
		return
	}
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
