package transfers

import (
	"math/bits"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// bucket is a token bucket: what is taken out flows in again at its rate, up to the rate's
// count. It counts in whole numbers, so that nothing is lost to rounding however many tokens
// there are: amounts do not fit a float.
type bucket struct {
	rate     accounts.Rate // the zero Rate: no limit
	level    uint64
	filledAt time.Time // when level was right; zero before the first
}

// takeTokens takes tokens out, if there are as many.
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

// putBack puts tokens back that were taken for nothing.
func (b *bucket) putBack(n uint64) {
	if b.rate.Count != 0 {
		b.level += min(n, b.rate.Count-b.level)
	}
}

// refill lets in what has flowed since. What is less than a token stays in the time.
func (b *bucket) refill(now time.Time) {
	passed := now.Sub(b.filledAt)
	switch {
	case b.filledAt.IsZero(), passed >= b.rate.Per, b.level == b.rate.Count: // what flows into a full one is lost
		b.level, b.filledAt = b.rate.Count, now
		return
	case passed < -1: // the clock was set back: it goes on from there
		b.filledAt = now
		return
	case passed <= 0: // the time was rounded up
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
		took++ // never more than flowed
	}
	b.filledAt = b.filledAt.Add(time.Duration(took))
}
