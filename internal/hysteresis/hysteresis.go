// Package hysteresis watches a value cross a threshold with a margin: a value that goes up and
// down around the threshold reaches it once.
package hysteresis

import "math/big"

// Change is the result of an observation.
type Change uint8

// The changes.
const (
	Unchanged Change = iota
	Reached          // the value has come to the threshold
	Cleared          // the value is back behind the threshold, by more than the margin
)

// Threshold is the state of a threshold. The zero Threshold is not reached.
type Threshold struct{ reached bool }

// Rise observes a value against an upper threshold. The threshold is reached at or above level,
// and cleared below level less margin.
func (t *Threshold) Rise(value, level, margin *big.Int) Change {
	switch {
	case !t.reached && value.Cmp(level) >= 0:
		t.reached = true
		return Reached
	case t.reached && value.Cmp(new(big.Int).Sub(level, margin)) < 0:
		t.reached = false
		return Cleared
	default:
		return Unchanged
	}
}

// Fall observes a value against a lower threshold. The threshold is reached at or below level,
// and cleared above level plus margin.
func (t *Threshold) Fall(value, level, margin *big.Int) Change {
	return t.Rise(new(big.Int).Neg(value), new(big.Int).Neg(level), margin)
}
