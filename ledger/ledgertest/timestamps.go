package ledgertest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// timestampMap translates the timestamps of another ledger or of a recording into those of the
// ledger under test.
type timestampMap map[uint64]uint64

var errTimestamps = errors.New("timestamps are in another order")

func (m timestampMap) pairTimes(recorded, own uint64) error {
	if paired, ok := m[recorded]; ok && paired != own {
		return fmt.Errorf("%w: %d was paired with %d, now with %d", errTimestamps, recorded, paired, own)
	}
	m[recorded] = own
	return nil
}

// checkOrder returns an error unless both sides have all timestamps in the same order.
func (m timestampMap) checkOrder() error {
	recorded := make([]uint64, 0, len(m))
	for at := range m {
		recorded = append(recorded, at)
	}
	slices.Sort(recorded)
	for i := 1; i < len(recorded); i++ {
		if before, after := recorded[i-1], recorded[i]; m[before] >= m[after] {
			return fmt.Errorf("%w: %d is before %d, but %d is not before %d",
				errTimestamps, before, after, m[before], m[after])
		}
	}
	return nil
}

// translateTime translates a timestamp of a filter. A timestamp that was not recorded was not given
// by the ledger, and stays the same.
func (m timestampMap) translateTime(recorded uint64) uint64 {
	if own, ok := m[recorded]; ok {
		return own
	}
	return recorded
}

// requirePaired compares all fields of the rows, and the timestamps by their order.
func requirePaired[T comparable](
	tb testing.TB, times timestampMap, want, got []T, message string, timesOf func(*T) []*uint64,
) {
	tb.Helper()
	require.Len(tb, got, len(want), message)
	want = slices.Clone(want)
	for i := range want {
		ownTimes := timesOf(&got[i])
		for j, recorded := range timesOf(&want[i]) {
			require.NoError(tb, times.pairTimes(*recorded, *ownTimes[j]), "%s, row %d", message, i)
			*recorded = *ownTimes[j]
		}
	}
	requireSame(tb, want, got, message)
}

// The functions below return the timestamps of a row.

func resultTimePointers(v *eventResult) []*uint64            { return []*uint64{&v.timestamp} }
func accountTimePointers(a *ledger.Account) []*uint64        { return []*uint64{&a.Timestamp} }
func transferTimePointers(t *ledger.Transfer) []*uint64      { return []*uint64{&t.Timestamp} }
func balanceTimePointers(b *ledger.AccountBalance) []*uint64 { return []*uint64{&b.Timestamp} }

func changeTimePointers(e *ledger.ChangeEvent) []*uint64 {
	return []*uint64{&e.Timestamp, &e.TransferTimestamp, &e.DebitAccountTimestamp, &e.CreditAccountTimestamp}
}
