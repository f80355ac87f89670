package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"lukechampine.com/uint128"
)

// ID names an account or a transfer. Zero and the largest value (IDMax) are
// refused by every ledger. Account ids and transfer ids are separate spaces,
// each unique over the whole cluster, not per ledger number.
type ID uint128.Uint128

// IDMax is 2^128-1, which no account and no transfer may have.
var IDMax = ID(uint128.Max)

// NewID is the id with the given low and high 64 bits.
func NewID(lo, hi uint64) ID { return ID{Lo: lo, Hi: hi} }

// IDFromBytes reads 16 bytes, most significant first.
func IDFromBytes(b [16]byte) ID { return ID(uint128.FromBytesBE(b[:])) }

// ParseID reads 1 to 32 hexadecimal digits without a prefix, as String prints
// them. It returns an error that matches ErrSyntax for anything else.
func ParseID(s string) (ID, error) {
	if s == "" || len(s) > 32 {
		return ID{}, fmt.Errorf("%w: id %q has %d hexadecimal digits, want 1 to 32", ErrSyntax, s, len(s))
	}
	var b [16]byte
	if _, err := hex.Decode(b[:], []byte(strings.Repeat("0", 32-len(s))+s)); err != nil {
		return ID{}, fmt.Errorf("%w: id %q: %w", ErrSyntax, s, err)
	}
	return IDFromBytes(b), nil
}

// IsZero reports whether the id is 0, which names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// Compare is -1, 0 or +1 as id is below, equal to or above other.
func (id ID) Compare(other ID) int { return uint128.Uint128(id).Cmp(uint128.Uint128(other)) }

// Bytes is the id in 16 bytes, most significant first.
func (id ID) Bytes() (b [16]byte) {
	uint128.Uint128(id).PutBytesBE(b[:])
	return b
}

// String is the id in 32 hexadecimal digits.
func (id ID) String() string {
	b := id.Bytes()
	return hex.EncodeToString(b[:])
}

// MarshalText writes the id as String does.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads what ParseID reads.
func (id *ID) UnmarshalText(text []byte) error {
	v, err := ParseID(string(text))
	if err == nil {
		*id = v
	}
	return err
}

// Amount is a number of units of an asset (10^-scale of the whole), from 0 to
// 2^128-1. It has no sign: which side of an account it stands on says which way
// it counts.
type Amount uint128.Uint128

// AmountMax is 2^128-1. In a post it means "all that the pending transfer
// holds", with a balancing flag "as much as possible".
var AmountMax = Amount(uint128.Max)

// NewAmount is n units.
func NewAmount(n uint64) Amount { return Amount(uint128.From64(n)) }

// ParseAmount reads a decimal integer from 0 to 2^128-1: digits only, no sign,
// no point, no separators. It returns an error that matches ErrSyntax for
// anything else.
func ParseAmount(s string) (Amount, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return Amount{}, fmt.Errorf("%w: amount %q is not a whole number of units", ErrSyntax, s)
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok || n.BitLen() > 128 {
		return Amount{}, fmt.Errorf("%w: amount %q is above 2^128-1", ErrSyntax, s)
	}
	return Amount(uint128.FromBig(n)), nil
}

// IsZero reports whether the amount is 0.
func (a Amount) IsZero() bool { return a == Amount{} }

// Compare is -1, 0 or +1 as a is below, equal to or above b.
func (a Amount) Compare(b Amount) int { return uint128.Uint128(a).Cmp(uint128.Uint128(b)) }

// Less reports whether a is below b.
func (a Amount) Less(b Amount) bool { return a.Compare(b) < 0 }

// Add is a+b; ok is false, and the sum meaningless, if it does not fit 128 bits.
func (a Amount) Add(b Amount) (sum Amount, ok bool) {
	sum = Amount(uint128.Uint128(a).AddWrap(uint128.Uint128(b)))
	return sum, !sum.Less(a)
}

// Sub is a-b; ok is false, and the difference meaningless, if b is above a.
func (a Amount) Sub(b Amount) (difference Amount, ok bool) {
	return Amount(uint128.Uint128(a).SubWrap(uint128.Uint128(b))), !a.Less(b)
}

// SubFloor is a-b, or 0 if b is above a.
func (a Amount) SubFloor(b Amount) Amount {
	if a.Less(b) {
		return Amount{}
	}
	d, _ := a.Sub(b)
	return d
}

// Min is the smaller of a and b.
func (a Amount) Min(b Amount) Amount {
	if b.Less(a) {
		return b
	}
	return a
}

// Uint64 is the amount as a uint64; ok is false if it does not fit.
func (a Amount) Uint64() (n uint64, ok bool) { return a.Lo, a.Hi == 0 }

// ClampAmount is n as an amount: 0 if n is below 0, AmountMax if it is beyond that.
func ClampAmount(n *big.Int) Amount {
	switch {
	case n.Sign() <= 0:
		return Amount{}
	case n.BitLen() > 128:
		return AmountMax
	default:
		return Amount(uint128.FromBig(new(big.Int).Set(n))) // FromBig of uint128 v1.3.0 changes its argument
	}
}

// Big is the amount as a new big.Int.
func (a Amount) Big() *big.Int { return uint128.Uint128(a).Big() }

// String is the amount in decimal digits.
func (a Amount) String() string { return uint128.Uint128(a).String() }

// MarshalText writes the amount as String does: JSON numbers lose digits beyond
// 2^53 in many readers, so an amount travels as text.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what ParseAmount reads.
func (a *Amount) UnmarshalText(text []byte) error {
	v, err := ParseAmount(string(text))
	if err == nil {
		*a = v
	}
	return err
}

// ErrSyntax is matched by the errors of ParseID and ParseAmount.
var ErrSyntax = errors.New("ledger: invalid number")
