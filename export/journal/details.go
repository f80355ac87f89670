package journal

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger"
)

// detailKeys are all keys of eachDetail: with --strict, ledger warns of tags that no directive declares.
var detailKeys = []string{"transfers", "time", "packet", "condition", "order", "key-hash", "reason", "journal", "round", "late"}

// eachDetail calls each with the key and the value of what is known of an entry. Keys have lower-case
// letters and dashes; values have ASCII letters, digits and -:. alone, which all programs take.
func eachDetail(e *export.Entry, each func(key, value string)) {
	id := func(key string, value ledger.ID) {
		if !value.IsZero() {
			each(key, value.String())
		}
	}
	number := func(key string, value uint64) {
		if value != 0 {
			each(key, strconv.FormatUint(value, 10))
		}
	}
	if e.Transfer.IsZero() {
		number("transfers", e.Count)
		return
	}
	each("time", timeText(e.Time))
	id("packet", e.Packet)
	if e.ConditionTag != [8]byte{} {
		each("condition", hex.EncodeToString(e.ConditionTag[:]))
	}
	id("order", e.Order)
	id("key-hash", e.KeyHash)
	number("reason", uint64(e.ReasonCode))
	if e.Round != 0 {
		each("journal", fmt.Sprintf("%016x", e.Journal)) // as in tables and in peerledger holds
		number("round", e.Round)
	}
	if e.Late {
		each("late", "true")
	}
}

// timeText returns a time with all nine digits of the second: programs that cut or round them are not asked to.
func timeText(nanoseconds uint64) string {
	return time.Unix(0, int64(min(nanoseconds, math.MaxInt64))).UTC().Format("2006-01-02T15:04:05.000000000Z") //nolint:gosec // G115: at most MaxInt64
}
