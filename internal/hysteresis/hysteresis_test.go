package hysteresis_test

import (
	"fmt"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/hysteresis"
)

// A position around 100, with a margin of 10, reaches the threshold once.
func ExampleThreshold_Rise() {
	var threshold hysteresis.Threshold
	for _, position := range []int64{99, 100, 95, 103, 90, 89, 100} {
		switch threshold.Rise(big.NewInt(position), big.NewInt(100), big.NewInt(10)) {
		case hysteresis.Reached:
			fmt.Println(position, "reached")
		case hysteresis.Cleared:
			fmt.Println(position, "cleared")
		case hysteresis.Unchanged:
		}
	}
	// Output:
	// 100 reached
	// 89 cleared
	// 100 reached
}

func TestThreshold(t *testing.T) {
	t.Parallel()
	const (
		none    = hysteresis.Unchanged
		reached = hysteresis.Reached
		cleared = hysteresis.Cleared
	)
	for name, c := range map[string]struct {
		fall          bool
		level, margin int64
		values        []int64
		want          []hysteresis.Change
	}{
		"up without a margin":   {false, 5, 0, []int64{4, 5, 5, 4, 4, 6}, []hysteresis.Change{none, reached, none, cleared, none, reached}},
		"up with a margin":      {false, 5, 2, []int64{5, 3, 2, 4, 5}, []hysteresis.Change{reached, none, cleared, none, reached}},
		"down without a margin": {true, 5, 0, []int64{6, 5, 5, 6, 6, 4}, []hysteresis.Change{none, reached, none, cleared, none, reached}},
		"down with a margin":    {true, -5, 2, []int64{-5, -3, -2, -4, -5}, []hysteresis.Change{reached, none, cleared, none, reached}},
	} {
		var threshold hysteresis.Threshold
		observe := threshold.Rise
		if c.fall {
			observe = threshold.Fall
		}
		for i, value := range c.values {
			got := observe(big.NewInt(value), big.NewInt(c.level), big.NewInt(c.margin))
			require.Equal(t, c.want[i], got, "%s: value %d", name, i)
		}
	}
}
