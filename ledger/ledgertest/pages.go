package ledgertest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// readPages reads on from a timestamp until nothing comes any more.
func readPages[T any](tb testing.TB, timestamp func(*T) uint64, from uint64, read func(from uint64) []T) (rows []T) {
	tb.Helper()
	for {
		page := read(from)
		if len(page) == 0 {
			return rows
		}
		rows = append(rows, page...)
		from = nextPageTime(tb, timestamp, from, page)
	}
}

// nextPageTime is the timestamp from which the page after this one begins. It fails the
// test if a row is older than the page may be, or not newer than the row before:
// with a ledger that pages wrongly, reading on might never end.
func nextPageTime[T any](tb testing.TB, timestamp func(*T) uint64, from uint64, page []T) uint64 {
	tb.Helper()
	for i := range page {
		at := timestamp(&page[i])
		require.True(tb, from <= at && at <= ledger.TimestampMax, "row %d, of %d, does not belong to a page from %d on", i, at, from)
		from = at + 1
	}
	return from
}
