package accounts

import (
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// timestampOf converts a time to the ledger's clock. Times before the clock's first moment, the
// zero time included, become the first moment.
func timestampOf(t time.Time) uint64 {
	switch year := t.Year(); {
	case year < 1970:
		return 1
	case year > 2261:
		return ledger.TimestampMax
	default:
		return uint64(max(1, t.UnixNano()))
	}
}

// timeOf converts a moment of the ledger's clock to a time in UTC.
func timeOf(timestamp uint64) time.Time {
	const second = uint64(time.Second)
	return time.Unix(int64(timestamp/second), int64(timestamp%second)).UTC()
}

// expiryOf returns when a pending transfer expires, by the ledger's clock; 0 if never.
func expiryOf(row *ledger.Transfer) uint64 {
	if row.Timeout == 0 {
		return 0
	}
	return row.Timestamp + uint64(row.Timeout)*uint64(time.Second)
}
