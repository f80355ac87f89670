package accounts_test

import (
	"iter"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// newEntry makes an entry; a packet has an id and a condition, other kinds may have 0.
func newEntry(second int64, kind accounts.EntryKind, cond, packet uint64, amount int64) accounts.Entry {
	e := accounts.Entry{
		Time: time.Unix(second, 0), Kind: kind, ConditionTag: conditionTag(cond), Amount: big.NewInt(amount),
	}
	if packet != 0 {
		e.Packet = ledger.NewID(packet, 0)
	}
	if kind == accounts.EntryHold {
		e.Held, e.Amount = e.Amount, new(big.Int)
	}
	return e
}

func TestCompareTellsLostSettlementsApart(t *testing.T) {
	t.Parallel()
	got, err := accounts.Compare(entriesOf(
		newEntry(1, accounts.EntrySettlement, 0, 0, -50),
		newEntry(2, accounts.EntrySettlement, 0, 0, -50),
		newEntry(3, accounts.EntrySettlement, 0, 0, -50),
	), entriesOf(newEntry(2, accounts.EntrySettlement, 0, 0, 50)))
	require.NoError(t, err)
	require.Equal(t, 1, got.Matched)
	require.Len(t, got.Differences, 2)
	for i, d := range got.Differences {
		require.Equal(t, accounts.MissingTheirs, d.Class)
		require.Equal(t, int64(-50), d.Ours.Int64())
		require.Equal(t, time.Unix(int64(i)+2, 0), d.Time)
	}
}

// The posted hold of a packet tells nothing about a different packet with the same condition.
func TestCompareKnowsWhichHoldsCameToNothing(t *testing.T) {
	t.Parallel()
	posted := []accounts.Entry{newEntry(1, accounts.EntryHold, 4, 1, 5), newEntry(2, accounts.EntryPacket, 4, 1, 5)}
	open := []accounts.Entry{newEntry(1, accounts.EntryHold, 4, 2, 9)}
	theirs := []accounts.Entry{
		newEntry(1, accounts.EntryPacket, 4, 7, -9), // both at once, before ours
		newEntry(1, accounts.EntryPacket, 4, 8, -5),
	}
	got, err := accounts.Compare(entriesOf(posted...), entriesOf(theirs...))
	require.NoError(t, err)
	require.Equal(t, []accounts.DifferenceClass{accounts.MissingOurs}, classesOf(got))

	both := append(slices.Clone(open), posted...)
	got, err = accounts.Compare(entriesOf(both...), entriesOf(theirs...))
	require.NoError(t, err)
	require.Equal(t, []accounts.DifferenceClass{accounts.LateFulfill}, classesOf(got))

	// The hold is still known after a different packet of its condition was paired.
	late := append(slices.Clone(theirs[1:]), newEntry(8, accounts.EntryPacket, 4, 7, -9))
	got, err = accounts.Compare(entriesOf(both...), entriesOf(late...))
	require.NoError(t, err)
	require.Equal(t, []accounts.DifferenceClass{accounts.LateFulfill}, classesOf(got))
}

func classesOf(c accounts.Comparison) (classes []accounts.DifferenceClass) {
	for _, d := range c.Differences {
		classes = append(classes, d.Class)
	}
	return classes
}

// Every entry that moves a position is compared, of any kind.
func TestCompareLeavesNoAmountOut(t *testing.T) {
	t.Parallel()
	for _, kind := range []accounts.EntryKind{
		accounts.EntryOther, accounts.EntryFunding, accounts.EntryCreditLine, accounts.EntryDust, "unheard of",
	} {
		got, err := accounts.Compare(entriesOf(newEntry(1, kind, 0, 0, 5)), entriesOf())
		require.NoError(t, err)
		require.Len(t, got.Differences, 1, kind)
		require.Equal(t, int64(5), got.Ours.Int64(), kind)
	}
}

// randomEntries makes entries with few conditions and amounts, so that many of them match.
func randomEntries(random *rand.Rand, n int) []accounts.Entry {
	var list []accounts.Entry
	kinds := []accounts.EntryKind{
		accounts.EntryPacket, accounts.EntryPacket, accounts.EntryFee, accounts.EntryHold, accounts.EntrySettlement,
		accounts.EntryCorrection, accounts.EntryCreditLine, accounts.EntryOther, accounts.EntryConversion, accounts.EntryDust,
	}
	for i := range n {
		kind := kinds[random.IntN(len(kinds))]
		e := newEntry(int64(i), kind, random.Uint64N(6), random.Uint64N(9), random.Int64N(9)-4)
		switch kind { //nolint:exhaustive // the others are as they are
		case accounts.EntrySettlement, accounts.EntryOther:
			e.ConditionTag, e.Packet = [8]byte{}, ledger.ID{}
		case accounts.EntryCreditLine:
			e.ConditionTag, e.Packet, e.Amount = [8]byte{}, ledger.ID{}, new(big.Int)
		case accounts.EntryCorrection:
			e.Late = random.IntN(2) == 0
		}
		list = append(list, e)
	}
	return list
}

func mirrorEntries(list []accounts.Entry) []accounts.Entry {
	list = slices.Clone(list)
	for i := range list {
		list[i].Amount = new(big.Int).Neg(list[i].Amount)
	}
	return list
}

func sumOf(list []accounts.Entry) *big.Int {
	sum := new(big.Int)
	for _, e := range list {
		sum.Add(sum, e.Amount)
	}
	return sum
}

// The differences of any two statements explain the drift to the unit, in either direction, and a
// statement agrees with its mirror image.
func TestCompareExplainsEveryDrift(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 11))
	for range 2000 {
		ours, theirs := randomEntries(random, random.IntN(30)), randomEntries(random, random.IntN(30))
		got, err := accounts.Compare(entriesOf(ours...), entriesOf(theirs...))
		require.NoError(t, err)
		require.Zero(t, sumOf(ours).Cmp(got.Ours))
		require.Zero(t, sumOf(theirs).Cmp(got.Theirs))
		sum := new(big.Int)
		for _, d := range got.Differences {
			sum.Add(sum, d.Ours).Add(sum, d.Theirs)
			require.False(t, d.Ours.Sign() == 0 && d.Theirs.Sign() == 0, d)
		}
		require.Zero(t, sum.Cmp(new(big.Int).Add(got.Ours, got.Theirs)))

		booked, err := accounts.Compare(entriesOf(ours...), entriesOf(mirrorEntries(ours)...))
		require.NoError(t, err)
		require.Empty(t, booked.Differences)
	}
}

// The error of one stream also ends the opposite stream, and frees its resources.
func TestCompareEndsBothStreams(t *testing.T) {
	t.Parallel()
	for _, failing := range []int{0, 1} {
		var ended [2]bool
		stream := func(side int) iter.Seq2[accounts.Entry, error] {
			return func(yield func(accounts.Entry, error) bool) {
				defer func() { ended[side] = true }()
				for second := int64(1); yield(newEntry(second, accounts.EntrySettlement, 0, 0, 5), nil); second++ {
					if side == failing && second == 3 {
						yield(accounts.Entry{}, errRefused)
						return
					}
				}
			}
		}
		_, err := accounts.Compare(stream(0), stream(1))
		require.ErrorIs(t, err, errRefused)
		require.Equal(t, [2]bool{true, true}, ended)
	}
}

// The streams are read in step: neither is read far ahead of the time of the opposite stream.
func TestCompareReadsInStep(t *testing.T) {
	t.Parallel()
	var read [2]int64
	stream := func(side int, amount int64) iter.Seq2[accounts.Entry, error] {
		return func(yield func(accounts.Entry, error) bool) {
			for second := range int64(50) {
				read[side] = second
				require.LessOrEqual(t, second-read[1-side], int64(1))
				if !yield(newEntry(second, accounts.EntrySettlement, 0, 0, amount), nil) {
					return
				}
			}
		}
	}
	got, err := accounts.Compare(stream(0, -5), stream(1, 5))
	require.NoError(t, err)
	require.Equal(t, 50, got.Matched)
}
