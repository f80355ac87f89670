package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"lukechampine.com/uint128"
)

// ID names an account or a transfer. Every ledger refuses the ids 0 and [IDMax]. Accounts and
// transfers have separate id spaces, each unique in the whole cluster, not per ledger number.
type ID uint128.Uint128

// IDMax is 2^128-1, the id of no account and no transfer.
var IDMax = ID(uint128.Max)

// NewID returns the id with the given low and high 64 bits.
func NewID(lo, hi uint64) ID { return ID{Lo: lo, Hi: hi} }

// IDFromBytes reads 16 bytes, most significant first.
func IDFromBytes(b [16]byte) ID { return ID(uint128.FromBytesBE(b[:])) }

// ParseID reads 1 to 32 hexadecimal digits without a prefix, the format of [ID.String]. For other
// text the error matches [ErrSyntax].
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

// IsZero reports whether the id is 0, the id of no object.
func (id ID) IsZero() bool { return id == ID{} }

// Compare returns -1, 0 or +1 for an id below, equal to or above other.
func (id ID) Compare(other ID) int { return uint128.Uint128(id).Cmp(uint128.Uint128(other)) }

// Bytes returns the id in 16 bytes, most significant first.
func (id ID) Bytes() (b [16]byte) {
	uint128.Uint128(id).PutBytesBE(b[:])
	return b
}

// String returns the id in 32 hexadecimal digits.
func (id ID) String() string {
	b := id.Bytes()
	return hex.EncodeToString(b[:])
}

// MarshalText writes the format of [ID.String].
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the format of [ParseID].
func (id *ID) UnmarshalText(text []byte) error {
	v, err := ParseID(string(text))
	if err == nil {
		*id = v
	}
	return err
}

// Amount is a number of units of an asset, each 10^-scale of a whole, from 0 to 2^128-1. It has no
// sign: the side of the account, debit or credit, gives the direction.
type Amount uint128.Uint128

// AmountMax is 2^128-1. In a post it means the whole amount of the pending transfer, with a
// balancing flag as much as possible.
var AmountMax = Amount(uint128.Max)

// NewAmount returns an amount of n units.
func NewAmount(n uint64) Amount { return Amount(uint128.From64(n)) }

// ParseAmount reads a decimal integer from 0 to 2^128-1: digits only, no sign, no point, no
// separators. For other text the error matches [ErrSyntax].
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

// Compare returns -1, 0 or +1 for an amount a below, equal to or above b.
func (a Amount) Compare(b Amount) int { return uint128.Uint128(a).Cmp(uint128.Uint128(b)) }

// Less reports whether a is below b.
func (a Amount) Less(b Amount) bool { return a.Compare(b) < 0 }

// Add returns a+b. ok is false, and the sum meaningless, if the sum does not fit 128 bits.
func (a Amount) Add(b Amount) (sum Amount, ok bool) {
	sum = Amount(uint128.Uint128(a).AddWrap(uint128.Uint128(b)))
	return sum, !sum.Less(a)
}

// Sub returns a-b. ok is false, and the difference meaningless, if b is above a.
func (a Amount) Sub(b Amount) (difference Amount, ok bool) {
	return Amount(uint128.Uint128(a).SubWrap(uint128.Uint128(b))), !a.Less(b)
}

// SubFloor returns a-b, or 0 if b is above a.
func (a Amount) SubFloor(b Amount) Amount {
	if a.Less(b) {
		return Amount{}
	}
	d, _ := a.Sub(b)
	return d
}

// Min returns the smaller of a and b.
func (a Amount) Min(b Amount) Amount {
	if b.Less(a) {
		return b
	}
	return a
}

// Uint64 returns the amount as a uint64. ok is false if the amount does not fit.
func (a Amount) Uint64() (n uint64, ok bool) { return a.Lo, a.Hi == 0 }

// ClampAmount returns n as an amount: 0 if n is below 0, [AmountMax] if n is above [AmountMax].
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

// Big returns the amount as a new big.Int.
func (a Amount) Big() *big.Int { return uint128.Uint128(a).Big() }

// String returns the amount in decimal digits.
func (a Amount) String() string { return uint128.Uint128(a).String() }

// MarshalText writes the format of [Amount.String]. Amounts are text in JSON, because many readers
// lose digits of numbers beyond 2^53.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the format of [ParseAmount].
func (a *Amount) UnmarshalText(text []byte) error {
	v, err := ParseAmount(string(text))
	if err == nil {
		*a = v
	}
	return err
}

// ErrSyntax is matched by the errors of [ParseID] and [ParseAmount].
var ErrSyntax = errors.New("ledger: invalid number")
