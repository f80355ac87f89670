package accounts_test

import (
	"iter"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// manyOf yields n packets of one condition, or payments without a condition, each of a different
// amount.
func manyOf(n int, kind accounts.EntryKind, sign, off int64) iter.Seq2[accounts.Entry, error] {
	return func(yield func(accounts.Entry, error) bool) {
		for i := range n {
			e := newEntry(int64(i), kind, 0, 0, sign*(2*int64(i)+off))
			if kind == accounts.EntryPacket {
				e = newEntry(int64(i), kind, 1, uint64(i+1), sign*(2*int64(i)+off))
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// hostileEntries is the number of packets of a month, and fewer with the race detector.
var hostileEntries = 100_000

// The sender chooses the conditions: a month of packets under one condition, each off by one in
// the opposite statement, takes no longer than under many conditions.
func TestCompareTakesTimeInProportion(t *testing.T) {
	t.Parallel()
	n := hostileEntries // in quadratic time, 100,000 would take several minutes
	const atMost = 2 * time.Minute
	start := time.Now()
	got, err := accounts.Compare(manyOf(n, accounts.EntryPacket, 1, 2), manyOf(n, accounts.EntryPacket, -1, 3))
	require.NoError(t, err)
	require.Less(t, time.Since(start), atMost)
	require.Zero(t, got.Matched)
	require.Len(t, got.Differences, 1)
	require.Equal(t, accounts.AmountMismatch, got.Differences[0].Class)
	require.Equal(t, int64(-n), new(big.Int).Add(got.Ours, got.Theirs).Int64())

	// All entries of one side wait for the opposite side's, which come in reverse order.
	backwards := func(yield func(accounts.Entry, error) bool) {
		for i := range int64(n) {
			e := newEntry(int64(n)+i, accounts.EntryPacket, 1, uint64(i+1), -(2*(int64(n)-1-i) + 2))
			if !yield(e, nil) {
				return
			}
		}
	}
	got, err = accounts.Compare(manyOf(n, accounts.EntryPacket, 1, 2), backwards)
	require.NoError(t, err)
	require.Equal(t, n, got.Matched)
	require.Empty(t, got.Differences)

	// Payments without a condition, all of the same amount.
	pairs := func(sign int64) iter.Seq2[accounts.Entry, error] {
		return func(yield func(accounts.Entry, error) bool) {
			for i := range int64(n) {
				if !yield(newEntry((sign+1)*int64(n)+i, accounts.EntrySettlement, 0, 0, sign*7), nil) {
					return
				}
			}
		}
	}
	got, err = accounts.Compare(pairs(1), pairs(-1))
	require.NoError(t, err)
	require.Equal(t, n, got.Matched)
	require.Less(t, time.Since(start), atMost)
}

// Of packets with the same condition and amount, the oldest is paired first. A difference has the
// data of the oldest unpaired packet.
func TestCompareTellsTheOldestOfWhatIsLeft(t *testing.T) {
	t.Parallel()
	got, err := accounts.Compare(
		entriesOf(newEntry(1, accounts.EntryPacket, 4, 1, 5), newEntry(2, accounts.EntryPacket, 4, 2, 5),
			newEntry(3, accounts.EntryPacket, 4, 3, 9), newEntry(4, accounts.EntryPacket, 4, 4, 5)),
		entriesOf(newEntry(10, accounts.EntryPacket, 4, 7, -5)),
	)
	require.NoError(t, err)
	require.Equal(t, 1, got.Matched)
	require.Len(t, got.Differences, 1)
	d := got.Differences[0]
	require.Equal(t, ledger.NewID(2, 0), d.OurPacket)
	require.Equal(t, time.Unix(2, 0), d.Time)
	require.Equal(t, int64(19), d.Ours.Int64())
}
