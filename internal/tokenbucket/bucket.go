// Package tokenbucket limits rates: a bucket of tokens that fills at a steady rate.
package tokenbucket

import (
	"math/bits"
	"time"
)

// Bucket holds up to Count tokens, and fills in Per. Tokens are whole numbers, because amounts do
// not fit a float: rounding would lose tokens. The zero Bucket has no limit. Calls must not be
// concurrent.
type Bucket struct {
	Count uint64        // 0: no limit
	Per   time.Duration // above 0, unless Count is 0

	level    uint64
	filledAt time.Time // the moment of level; zero before the first refill
}

// Take takes n tokens out, if there are as many.
func (b *Bucket) Take(n uint64, now time.Time) bool {
	if b.Count == 0 {
		return true
	}
	b.refill(now)
	if n > b.level {
		return false
	}
	b.level -= n
	return true
}

// PutBack returns unused tokens.
func (b *Bucket) PutBack(n uint64) {
	if b.Count != 0 {
		b.level += min(n, b.Count-b.level)
	}
}

// Used returns how many tokens of Count were missing when tokens were taken or put back last.
func (b *Bucket) Used() uint64 { return b.Count - b.level }

// refill adds the tokens since filledAt. A fraction of a token stays as time: filledAt
// advances only by the time of whole tokens.
func (b *Bucket) refill(now time.Time) {
	passed := now.Sub(b.filledAt)
	switch {
	case b.filledAt.IsZero(), passed >= b.Per, b.level == b.Count: // a full bucket gains nothing
		b.level, b.filledAt = b.Count, now
		return
	case passed < -1: // the clock was set back: count on from there
		b.filledAt = now
		return
	case passed <= 0: // filledAt was rounded up
		return
	}
	hi, lo := bits.Mul64(uint64(passed), b.Count)
	tokens, _ := bits.Div64(hi, lo, uint64(b.Per)) // fits: passed is below Per
	if tokens == 0 {
		return
	}
	if tokens >= b.Count-b.level {
		b.level, b.filledAt = b.Count, now
		return
	}
	b.level += tokens
	hi, lo = bits.Mul64(tokens, uint64(b.Per))
	took, rest := bits.Div64(hi, lo, b.Count) // fits: tokens are below Count
	if rest > 0 {
		took++ // rounded up: never more tokens than the rate allows
	}
	b.filledAt = b.filledAt.Add(time.Duration(took))
}
