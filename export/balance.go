package export

import (
	"math/big"

	"github.com/peerledger/peerledger/ledger"
)

// Balance is debits less credits of an account, in units of the asset, from -(2^128-1) to 2^128-1.
// Above 0 we have the money or are owed it, as hledger and beancount count assets; below 0 we owe
// it. The position of a statement has the other sign. Balances compare with ==.
type Balance struct {
	Units    ledger.Amount // without the sign
	Negative bool          // false for 0
}

// Debit returns the balance after a debit of an amount. ok is false if it does not fit.
func (b Balance) Debit(amount ledger.Amount) (after Balance, ok bool) {
	if !b.Negative {
		after.Units, ok = b.Units.Add(amount)
		return after, ok
	}
	if b.Units.Compare(amount) <= 0 {
		after.Units, _ = amount.Sub(b.Units)
		return after, true
	}
	after.Units, _ = b.Units.Sub(amount)
	after.Negative = true
	return after, true
}

// Credit returns the balance after a credit of an amount. ok is false if it does not fit.
func (b Balance) Credit(amount ledger.Amount) (after Balance, ok bool) {
	after, ok = b.negate().Debit(amount)
	return after.negate(), ok
}

func (b Balance) negate() Balance {
	return Balance{Units: b.Units, Negative: !b.Negative && !b.Units.IsZero()}
}

// IsZero reports whether the balance is 0.
func (b Balance) IsZero() bool { return b.Units.IsZero() }

// Big returns the balance as a new big.Int.
func (b Balance) Big() *big.Int {
	n := b.Units.Big()
	if b.Negative {
		n.Neg(n)
	}
	return n
}

// String returns the balance in decimal digits, with a minus sign below 0.
func (b Balance) String() string {
	if b.Negative {
		return "-" + b.Units.String()
	}
	return b.Units.String()
}

// balanceOf converts a number of units. ok is false if it does not fit.
func balanceOf(n *big.Int) (b Balance, ok bool) {
	size := new(big.Int).Abs(n)
	return Balance{Units: ledger.ClampAmount(size), Negative: n.Sign() < 0}, size.BitLen() <= 128
}
