package accounts_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

var compareScenarios = []scenario{
	{"statements of two connectors compared", testCompare},
}

// fault is a fault in the booking of a packet between two connectors.
type fault int

const (
	none fault = iota
	dropHere
	dropThere
	amountThere
	lateHere // we rejected the packet after its hold had expired, the peer has the fulfill
	correctedHere
	faults
)

// testCompare books the same packets and settlements at two connectors that are each other's
// peer, with faults, and finds exactly these faults.
func testCompare(t *testing.T, l ledger.Ledger) {
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 3))
	us, them := newStatementModel(t, l, 1, false), secondStatementModel(t, l)
	want := map[[8]byte]accounts.DifferenceClass{}
	drift := int64(0)
	for n := range uint64(150) {
		of, amount := n+1, random.Int64N(900)+10
		if random.IntN(2) == 0 {
			amount = -amount
		}
		f := fault(random.IntN(int(faults) * 4))
		switch {
		case random.IntN(10) == 0: // a settlement, known by its amount
			us.create(us.leg(chart.CodeIncoming, us.book.PeerIDs(us.peers[0]).Settlement, amount, of))
			them.create(them.leg(chart.CodeIncoming, them.book.PeerIDs(them.peers[0]).Settlement, -amount, of))
			continue
		case f == dropHere:
			want[conditionTag(of<<32)] = accounts.MissingOurs
		case f == lateHere:
			want[conditionTag(of<<32)] = accounts.LateFulfill
			hold := us.leg(chart.CodePacket, us.peers[1].ID(), amount, of)
			hold.Flags = ledger.TransferPending
			us.create(hold, ledger.Transfer{ID: randomID(), PendingID: hold.ID, Flags: ledger.TransferVoidPending})
		case f == correctedHere:
			_, err := us.book.Adjust(t.Context(), newAdjustment(us.peers[0], of, amount))
			require.NoError(t, err)
		default: // legs of one packet count together
			us.packet(us.leg(chart.CodePacket, us.peers[1].ID(), amount-signOf(amount)*3, of), us.leg(chart.CodeFee, us.own.Revenue, signOf(amount)*3, of))
		}
		switch theirs := -amount; f {
		case dropThere:
			want[conditionTag(of<<32)] = accounts.MissingTheirs
			drift += amount
		case amountThere:
			want[conditionTag(of<<32)] = accounts.AmountMismatch
			them.packet(them.leg(chart.CodePacket, them.peers[1].ID(), theirs+signOf(theirs)*7, of))
			drift += signOf(theirs) * 7
		case dropHere, lateHere:
			them.packet(them.leg(chart.CodePacket, them.peers[1].ID(), theirs, of))
			drift += theirs
		case none, correctedHere, faults:
			fallthrough
		default:
			them.packet(them.leg(chart.CodePacket, them.peers[1].ID(), theirs, of))
		}
	}
	ours := us.statement(time.Time{}, time.Time{}, accounts.WithHolds(), accounts.WithPageSize(20))
	theirs := them.statement(time.Time{}, time.Time{}, accounts.WithHolds())
	var text bytes.Buffer
	require.NoError(t, accounts.WriteCSV(t.Context(), &text, theirs))
	for _, other := range []iter.Seq2[accounts.Entry, error]{theirs.Entries(t.Context()), accounts.ReadCSV(&text, usd)} {
		var equal []accounts.Difference
		got, err := accounts.Compare(ours.Entries(t.Context()), other, accounts.WithEqual(func(d accounts.Difference) { equal = append(equal, d) }))
		require.NoError(t, err)
		requireEqualPairs(t, got, equal)
		found, sum := map[[8]byte]accounts.DifferenceClass{}, new(big.Int)
		for _, d := range got.Differences {
			require.Equal(t, accounts.EntryPacket, d.Kind)
			found[d.ConditionTag] = d.Class
			sum.Add(sum, d.Ours).Add(sum, d.Theirs)
		}
		require.Equal(t, want, found)
		require.Equal(t, 150-len(want), got.Matched)
		require.Equal(t, drift, sum.Int64(), "the differences explain the drift")
		require.Equal(t, drift, new(big.Int).Add(got.Ours, got.Theirs).Int64())
		require.Equal(t, drift, new(big.Int).Add(ours.Closing.Position, theirs.Closing.Position).Int64())
	}
	ledgertest.RequireNothingHeld(t, l)
}

// requireEqualPairs checks that pairs and differences together are the two statements.
func requireEqualPairs(t *testing.T, got accounts.Comparison, equal []accounts.Difference) {
	t.Helper()
	require.Len(t, equal, got.Matched)
	ours, theirs := new(big.Int), new(big.Int)
	for _, d := range append(equal, got.Differences...) {
		ours.Add(ours, d.Ours)
		theirs.Add(theirs, d.Theirs)
	}
	for _, d := range equal {
		require.Equal(t, accounts.Equal, d.Class)
		require.Zero(t, new(big.Int).Add(d.Ours, d.Theirs).Sign())
		require.NotZero(t, d.Ours.Sign())
		require.Contains(t, []accounts.EntryKind{accounts.EntryPacket, accounts.EntrySettlement}, d.Kind)
		require.Equal(t, d.Kind == accounts.EntryPacket, !d.TheirPacket.IsZero())
		require.NotZero(t, d.Time)
	}
	require.Equal(t, got.Ours, ours)
	require.Equal(t, got.Theirs, theirs)
}

// secondStatementModel makes the model of a second connector, possibly on the same ledger.
func secondStatementModel(t *testing.T, l ledger.Ledger) *statementModel {
	t.Helper()
	book, err := accounts.NewBook(l, accounts.Config{Namespace: t.Name() + " them", Assets: []accounts.Asset{usd, xrp}})
	require.NoError(t, err)
	c := &statementModel{t: t, ledger: l, book: book, peers: provision(t, book, 1_000_000, "us", "carol")}
	c.own, _ = book.AssetIDs(usd.Ledger)
	return c
}

func signOf(n int64) int64 {
	if n < 0 {
		return -1
	}
	return 1
}

func newAdjustment(a accounts.PeerAccount, of uint64, amount int64) accounts.Adjustment {
	adjust := accounts.Adjustment{Account: a, Key: fmt.Sprint("ticket ", of), ReasonCode: 1, ConditionTag: conditionTag(of << 32)}
	if amount < 0 {
		adjust.Debit = units(uint64(-amount))
	} else {
		adjust.Credit = units(uint64(amount))
	}
	return adjust
}

// entriesOf yields the given entries.
func entriesOf(list ...accounts.Entry) iter.Seq2[accounts.Entry, error] {
	return func(yield func(accounts.Entry, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// comparison is a case of Compare with literal entries.
type comparison struct {
	name         string
	ours, theirs []accounts.Entry
	matched      int
	want         []accounts.DifferenceClass
	kind         accounts.EntryKind
}

// comparisons returns the cases, with entries in a short notation.
func comparisons() []comparison {
	at := func(second int64, kind accounts.EntryKind, of, packet uint64, amount int64) accounts.Entry {
		return accounts.Entry{
			Time: time.Unix(second, 0), Kind: kind, ConditionTag: conditionTag(of), Packet: ledger.NewID(packet, 0), Amount: big.NewInt(amount),
		}
	}
	late := at(9, accounts.EntryCorrection, 6, 9, 4)
	late.Late = true
	return []comparison{
		{name: "nothing"},
		{
			name:   "one condition for two packets, in another order",
			ours:   []accounts.Entry{at(1, accounts.EntryPacket, 1, 1, 5), at(2, accounts.EntryPacket, 1, 2, 7)},
			theirs: []accounts.Entry{at(1, accounts.EntryPacket, 1, 8, -7), at(3, accounts.EntryPacket, 1, 9, -5)}, matched: 2,
		},
		{
			name:   "one of two with a condition",
			ours:   []accounts.Entry{at(1, accounts.EntryPacket, 1, 1, 5), at(2, accounts.EntryPacket, 1, 2, 5)},
			theirs: []accounts.Entry{at(1, accounts.EntryPacket, 1, 8, -5)}, matched: 1,
			want: []accounts.DifferenceClass{accounts.MissingTheirs}, kind: accounts.EntryPacket,
		},
		{
			name: "a settlement", ours: []accounts.Entry{at(1, accounts.EntrySettlement, 0, 0, -50)},
			want: []accounts.DifferenceClass{accounts.MissingTheirs}, kind: accounts.EntrySettlement,
		},
		{
			name: "settlements by amount", matched: 2,
			ours:   []accounts.Entry{at(1, accounts.EntrySettlement, 0, 0, -50), at(2, accounts.EntrySettlement, 0, 0, -50)},
			theirs: []accounts.Entry{at(5, accounts.EntrySettlement, 0, 0, 50), at(6, accounts.EntrySettlement, 0, 0, 50)},
		},
		{
			name: "a late correction of ours", ours: []accounts.Entry{late},
			want: []accounts.DifferenceClass{accounts.LateFulfill}, kind: accounts.EntryPacket,
		},
		{name: "a late correction that agrees", ours: []accounts.Entry{late}, theirs: []accounts.Entry{at(3, accounts.EntryPacket, 6, 2, -4)}, matched: 1},
		{
			name: "a correction of the amount", matched: 1,
			ours:   []accounts.Entry{at(1, accounts.EntryPacket, 6, 2, 4), at(9, accounts.EntryCorrection, 6, 0, 2)},
			theirs: []accounts.Entry{at(1, accounts.EntryPacket, 6, 2, -6)},
		},
		{
			name: "a packet without a condition", ours: []accounts.Entry{at(1, accounts.EntryPacket, 0, 1, 5)},
			theirs: []accounts.Entry{at(1, accounts.EntryPacket, 0, 1, -6)},
			want:   []accounts.DifferenceClass{accounts.MissingTheirs, accounts.MissingOurs}, kind: accounts.EntryPacket,
		},
		{name: "lines are each side's own", ours: []accounts.Entry{at(1, accounts.EntryCreditLine, 0, 0, 0)}},
		{name: "a packet that is even", ours: []accounts.Entry{at(1, accounts.EntryPacket, 3, 1, 5), at(1, accounts.EntryPacket, 3, 1, -5)}},
	}
}

func TestCompareByHand(t *testing.T) {
	t.Parallel()
	for _, c := range comparisons() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := accounts.Compare(entriesOf(c.ours...), entriesOf(c.theirs...))
			require.NoError(t, err)
			require.Equal(t, c.matched, got.Matched)
			var classes []accounts.DifferenceClass
			for _, d := range got.Differences {
				classes = append(classes, d.Class)
				require.Equal(t, c.kind, d.Kind)
			}
			require.ElementsMatch(t, c.want, classes)
			mirrored, err := accounts.Compare(entriesOf(c.theirs...), entriesOf(c.ours...))
			require.NoError(t, err)
			require.Equal(t, got.Matched, mirrored.Matched)
			require.Len(t, mirrored.Differences, len(got.Differences))
		})
	}
	broken := func(yield func(accounts.Entry, error) bool) { yield(accounts.Entry{}, errors.New("away")) }
	_, err := accounts.Compare(entriesOf(), broken)
	require.EqualError(t, err, "compare: their statement: away")
	_, err = accounts.Compare(broken, entriesOf())
	require.EqualError(t, err, "compare: our statement: away")
}
