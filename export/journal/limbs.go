package journal

import (
	"fmt"
	"math/big"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/export"
	"github.com/peerledger/peerledger/ledger"
)

// Beancount counts with 28 significant digits, and rounds what has more. An asset with more, in any
// amount, balance or sum, is written in two limbs: amount = high * 10^19 + low, in units, with the
// amount's sign in both. The low limb has the asset's commodity, and the high limb a commodity of its own.
//
// Plain amounts end one digit earlier: when an asset outgrows them between two parts of an export, the
// balances of the part before are added to low limbs until the day's end.
const (
	maxPlainDigits = 27
	limbDigits     = 19
	limbsAccount   = "Equity:Limbs" // the other side when a limb carries into the other; always worth 0
)

var limbUnits = uint128.From64(10_000_000_000_000_000_000)

// needsLimbs reports whether an asset with a bound is written in limbs. No bound stands for an asset that
// is not written yet.
func needsLimbs(bound *big.Int) bool { return bound != nil && len(bound.String()) > maxPlainDigits }

// splitLimbs returns the limbs of a balance, both with its sign.
func splitLimbs(b export.Balance) (high, low export.Balance) {
	h, l := uint128.Uint128(b.Units).QuoRem(limbUnits)
	return signed(ledger.Amount(h), b.Negative), signed(ledger.Amount(l), b.Negative)
}

func signed(units ledger.Amount, negative bool) export.Balance {
	return export.Balance{Units: units, Negative: negative && !units.IsZero()}
}

// highCommodity returns the commodity of the high limbs of an asset: USD-9.E10 is worth 10^10 USD-9.
func highCommodity(commodity string, scale uint8) string {
	return fmt.Sprintf("%s.E%d", commodity, limbDigits-int(scale))
}

// limbSums are the sums of an account's postings in each limb. They carry nothing, so the low limb's may
// be more than a limb.
type limbSums struct{ high, low *big.Int }

// newLimbSums returns the sums after postings of exactly the limbs of a balance.
func newLimbSums(b export.Balance) limbSums {
	high, low := splitLimbs(b)
	return limbSums{high.Big(), low.Big()}
}

func (s limbSums) add(amount export.Balance) {
	high, low := splitLimbs(amount)
	s.high.Add(s.high, high.Big())
	s.low.Add(s.low, low.Big())
}

// carry makes the sums the limbs of the balance, and returns what this changes in each.
func (s limbSums) carry(balance export.Balance) (high, low *big.Int) {
	after := newLimbSums(balance)
	high, low = new(big.Int).Sub(after.high, s.high), new(big.Int).Sub(after.low, s.low)
	s.high.Set(after.high)
	s.low.Set(after.low)
	return high, low
}
