package export

import (
	"encoding/hex"
	"math/bits"
	"strconv"

	"github.com/peerledger/peerledger/ledger"
)

// tenTo19 is the largest power of ten below 2^64.
const tenTo19 = 10_000_000_000_000_000_000

// appendAmount appends an amount in decimal digits.
func appendAmount(to []byte, a ledger.Amount) []byte {
	if a.Hi == 0 {
		return strconv.AppendUint(to, a.Lo, 10)
	}
	// 2^128 is below 10^39: two parts of 19 digits, and at most one digit before.
	highHi, rest := a.Hi/tenTo19, a.Hi%tenTo19
	highLo, low := bits.Div64(rest, a.Lo, tenTo19)
	if highHi == 0 {
		return appendDigits19(strconv.AppendUint(to, highLo, 10), low)
	}
	first, middle := bits.Div64(highHi, highLo, tenTo19)
	return appendDigits19(appendDigits19(strconv.AppendUint(to, first, 10), middle), low)
}

// pairs has the numbers 0 to 99 in two digits each.
var pairs = func() (text [200]byte) {
	for i := range 100 {
		text[2*i], text[2*i+1] = byte('0'+i/10), byte('0'+i%10)
	}
	return text
}()

// appendDigits19 appends a number below 10^19 in 19 digits.
func appendDigits19(to []byte, n uint64) []byte {
	var digits [19]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return append(to, digits[:]...)
}

// appendBalance appends a balance in decimal digits, with a minus sign below 0.
func appendBalance(to []byte, b Balance) []byte {
	if b.Negative {
		to = append(to, '-')
	}
	return appendAmount(to, b.Units)
}

// appendID appends an id in 32 hexadecimal digits.
func appendID(to []byte, id ledger.ID) []byte {
	b := id.Bytes()
	return hex.AppendEncode(to, b[:])
}

// timeText writes times as in RFC 3339 in UTC with nine decimals. It keeps the text of the last second, which the
// next row often shares.
type timeText struct {
	second uint64
	text   []byte // up to the point
}

// appendTime appends a time in nanoseconds since the Unix epoch.
func (t *timeText) appendTime(to []byte, at uint64) []byte {
	second, rest := at/secondLength, uint32(at%secondLength)
	if second != t.second || len(t.text) == 0 {
		t.second = second
		t.text = timeOf(at).AppendFormat(t.text[:0], "2006-01-02T15:04:05.")
	}
	to = append(to, t.text...)
	digits := [10]byte{9: 'Z'}
	for i := 7; i > 0; i -= 2 { // two digits at once
		pair := rest % 100 * 2
		rest /= 100
		digits[i], digits[i+1] = pairs[pair], pairs[pair+1]
	}
	digits[0] = byte('0' + rest)
	return append(to, digits[:]...)
}
