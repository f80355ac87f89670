package ledgertest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// readPages reads page after page, beginning at a timestamp, until a page is empty.
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

// nextPageTime returns the timestamp at which the next page begins. It fails the test if a row is
// older than the start of the page, or not newer than the row before: a ledger with wrong pages
// might make readPages run forever.
func nextPageTime[T any](tb testing.TB, timestamp func(*T) uint64, from uint64, page []T) uint64 {
	tb.Helper()
	for i := range page {
		at := timestamp(&page[i])
		require.True(tb, from <= at && at <= ledger.TimestampMax, "row %d, of %d, does not belong to a page from %d on", i, at, from)
		from = at + 1
	}
	return from
}
