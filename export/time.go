package export

import (
	"time"

	"github.com/peerledger/peerledger/ledger"
)

const (
	lastTimestamp = ledger.TimestampMax
	dayLength     = uint64(24 * time.Hour)
	secondLength  = uint64(time.Second)
)

// timestampOf converts a time to the ledger's clock: nanoseconds since the Unix epoch, from 1 on.
func timestampOf(t time.Time) uint64 {
	switch year := t.Year(); {
	case year < 1970:
		return 1
	case year > 2261:
		return lastTimestamp
	default:
		return uint64(max(1, t.UnixNano()))
	}
}

// startOfDay returns the first nanosecond of a moment's day, in UTC.
func startOfDay(at uint64) uint64 { return at - at%dayLength }

// timeOf converts a moment of the ledger's clock to a time in UTC.
func timeOf(at uint64) time.Time {
	return time.Unix(int64(at/secondLength), int64(at%secondLength)).UTC()
}
