package transfers

import (
	"math/bits"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// bucket is a token bucket: tokens flow in at rate, up to the rate's count. Tokens are
// whole numbers, because amounts do not fit a float: rounding would lose tokens.
type bucket struct {
	rate     accounts.Rate // the zero Rate: no limit
	level    uint64
	filledAt time.Time // the moment of level; zero before the first refill
}

// takeTokens takes n tokens out, if there are as many.
func (b *bucket) takeTokens(n uint64, now time.Time) bool {
	if b.rate.Count == 0 {
		return true
	}
	b.refill(now)
	if n > b.level {
		return false
	}
	b.level -= n
	return true
}

// putBack returns unused tokens.
func (b *bucket) putBack(n uint64) {
	if b.rate.Count != 0 {
		b.level += min(n, b.rate.Count-b.level)
	}
}

// refill adds the tokens since filledAt. A fraction of a token stays as time: filledAt
// advances only by the time of whole tokens.
func (b *bucket) refill(now time.Time) {
	passed := now.Sub(b.filledAt)
	switch {
	case b.filledAt.IsZero(), passed >= b.rate.Per, b.level == b.rate.Count: // a full bucket gains nothing
		b.level, b.filledAt = b.rate.Count, now
		return
	case passed < -1: // the clock was set back: count on from there
		b.filledAt = now
		return
	case passed <= 0: // filledAt was rounded up
		return
	}
	hi, lo := bits.Mul64(uint64(passed), b.rate.Count)
	tokens, _ := bits.Div64(hi, lo, uint64(b.rate.Per)) // fits: passed is below Per
	if tokens == 0 {
		return
	}
	if tokens >= b.rate.Count-b.level {
		b.level, b.filledAt = b.rate.Count, now
		return
	}
	b.level += tokens
	hi, lo = bits.Mul64(tokens, uint64(b.rate.Per))
	took, rest := bits.Div64(hi, lo, b.rate.Count) // fits: tokens are below Count
	if rest > 0 {
		took++ // rounded up: never more tokens than the rate allows
	}
	b.filledAt = b.filledAt.Add(time.Duration(took))
}
