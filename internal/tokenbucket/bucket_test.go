package tokenbucket_test

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/tokenbucket"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// Random programs against a bucket of fractions: the bucket never gives more tokens than flowed
// in, and at most a few nanoseconds' worth less.
func TestBucketAgainstFractions(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 1))
	for range 500 {
		rate := tokenbucket.Bucket{Count: 1 + random.Uint64()>>random.IntN(64), Per: time.Duration(1 + random.Int64()>>random.IntN(63))}
		b, now := rate, time.Unix(1, 0)
		count := new(big.Rat).SetFrac(new(big.Int).SetUint64(rate.Count), big.NewInt(1))
		speed := new(big.Rat).Quo(count, new(big.Rat).SetInt64(int64(rate.Per)))
		level := new(big.Rat).Set(count)
		require.True(t, b.Take(0, now))
		for step := range int64(100) {
			passed := random.Int64N(int64(rate.Per)/8 + 2)
			now = now.Add(time.Duration(passed))
			level.Add(level, new(big.Rat).Mul(speed, new(big.Rat).SetInt64(passed)))
			if level.Cmp(count) > 0 {
				level.Set(count)
			}
			n := random.Uint64N(rate.Count/8 + 1)
			wanted := new(big.Rat).SetInt(new(big.Int).SetUint64(n))
			took := b.Take(n, now)
			if took {
				require.GreaterOrEqual(t, level.Cmp(wanted), 0, "%+v: %d out of %v", rate, n, level)
				level.Sub(level, wanted)
				continue
			}
			// Tokens are whole, and each token may have taken a nanosecond more.
			slack := new(big.Rat).Mul(speed, new(big.Rat).SetInt64(step+1))
			slack.Add(slack, new(big.Rat).SetInt64(1))
			require.Less(t, new(big.Rat).Sub(level, slack).Cmp(wanted), 1, "%+v: %d not out of %v", rate, n, level)
		}
	}
}

func TestBucketAtTheEnds(t *testing.T) {
	t.Parallel()
	now := time.Unix(1, 0)
	none := tokenbucket.Bucket{}
	require.True(t, none.Take(math.MaxUint64, now))
	b := tokenbucket.Bucket{Count: 3, Per: time.Second}
	require.False(t, b.Take(4, now))
	require.True(t, b.Take(3, now))
	require.False(t, b.Take(1, now))
	now = now.Add(-time.Hour) // the clock is set back: the bucket goes on from there
	require.False(t, b.Take(1, now))
	now = now.Add(time.Second / 3)
	require.False(t, b.Take(1, now), "a nanosecond is missing")
	now = now.Add(1)
	require.True(t, b.Take(1, now))
	b.PutBack(1)
	require.True(t, b.Take(1, now))
	b.PutBack(9)
	require.True(t, b.Take(3, now))
	require.False(t, b.Take(1, now))
	now = now.Add(time.Second)
	require.True(t, b.Take(0, now))
	now = now.Add(time.Second/3 - 1) // a full bucket gains nothing, not even a part of a token
	require.True(t, b.Take(1, now))
	now = now.Add(2)
	require.False(t, b.Take(3, now))
	now = now.Add(365 * 24 * time.Hour)
	require.True(t, b.Take(3, now))
	require.False(t, b.Take(1, now))
}

// Three packets at once, and then one each 20 seconds.
func ExampleBucket_Take() {
	b, now := tokenbucket.Bucket{Count: 3, Per: time.Minute}, time.Unix(0, 0)
	for range 5 {
		fmt.Println(now.Unix(), b.Take(1, now), b.Used())
		now = now.Add(5 * time.Second)
	}
	// Output:
	// 0 true 1
	// 5 true 2
	// 10 true 3
	// 15 false 3
	// 20 true 3
}
