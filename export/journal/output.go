package journal

import (
	"fmt"
	"io"
	"math"
	"math/big"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/peerledger/peerledger/export"
)

// output collects text, and writes it in large pieces.
type output struct {
	to  io.Writer
	buf []byte
}

const pieceSize = 1 << 16

func (o *output) addf(format string, args ...any) { o.buf = fmt.Appendf(o.buf, format, args...) }

func (o *output) add(texts ...string) {
	for _, text := range texts {
		o.buf = append(o.buf, text...)
	}
}

// writeFull writes what was added if it fills a piece.
func (o *output) writeFull() error {
	if len(o.buf) < pieceSize {
		return nil
	}
	return o.writeAll()
}

func (o *output) writeAll() error {
	_, err := o.to.Write(o.buf)
	o.buf = o.buf[:0]
	return err
}

// amountText returns an amount in whole units with all decimals of the scale: -0.05 for -5 at scale 2, and 5 at scale 0. It
// is called four times for each entry.
func amountText(b export.Balance, scale uint8) string {
	digits, sign := b.Units.String(), ""
	if missing := int(scale) + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	if b.Negative {
		sign = "-"
	}
	if scale == 0 {
		return sign + digits
	}
	point := len(digits) - int(scale)
	return sign + digits[:point] + "." + digits[point:]
}

// bigText is amountText for sums, which may be above 128 bits.
func bigText(n *big.Int, scale uint8) string {
	return decimal.NewFromBigInt(n, -int32(scale)).StringFixed(int32(scale))
}

// A day is counted from 1970-01-01, in UTC.
type day int64

const dayLength = uint64(24 * time.Hour)

func dayOf(nanoseconds uint64) day {
	return day(min(nanoseconds, math.MaxInt64) / dayLength) //nolint:gosec // G115: a quotient of at most MaxInt64
}

// dayOfTime returns the day of a time of a range. The zero time, an open end, is the first day.
func dayOfTime(t time.Time) day {
	if t.IsZero() {
		return 0
	}
	return day(t.Unix() / int64(dayLength/uint64(time.Second)))
}

func (d day) String() string { return time.Unix(int64(d)*24*60*60, 0).UTC().Format(time.DateOnly) }
