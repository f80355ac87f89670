package settlement

import (
	"math/bits"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// An order's user_data_64 has its number in bits 0 to 55, its version in bits 56 to 61, bit 62
// if it refunds a prepayment, and bit 63 if it pays ahead. The versions before the check wrote
// the number alone: their version is 0.
const (
	numberBits  = 56
	numberMask  = 1<<numberBits - 1
	versionMask = 1<<6 - 1
	refundBit   = 1 << 62
	aheadBit    = 1 << 63
)

// orderTag is the user_data_64 of an order.
type orderTag uint64

// The low 3 bits of the version are the rule that the order is checked by. uncheckedVersion is
// that of engines without a check, and of orders to accounts without history, which nobody but
// their owner can check.
const (
	uncheckedVersion = 0
	checkedVersion   = 1
	ruleMask         = 1<<3 - 1
)

// The high 3 bits of the version are whose word the order needs in the ledger (CodeApproval)
// before anybody asks a rail to pay it. Engines that know of no such word take the version for
// one of the future, and leave the order alone.
const (
	needsNobody   = 0 << 3
	needsEngine   = 1 << 3 // of its engine, that it keeps to the limits
	needsOperator = 2 << 3 // of an operator: it is large
)

func newOrderTag(number uint64, version uint8, refund, ahead bool) orderTag {
	tag := orderTag(number&numberMask | uint64(version)<<numberBits)
	if refund {
		tag |= refundBit
	}
	if ahead {
		tag |= aheadBit
	}
	return tag
}

func (t orderTag) number() uint64 { return uint64(t) & numberMask }
func (t orderTag) version() uint8 { return uint8(t >> numberBits & versionMask) }
func (t orderTag) isChecked() bool {
	return t.version()&ruleMask != uncheckedVersion
}

// needs is needsNobody, needsEngine or needsOperator.
func (t orderTag) needs() uint8 { return t.version() &^ ruleMask }

// isKnown reports whether this version of the library knows what to do with the order.
func (t orderTag) isKnown() bool {
	return t.version()&ruleMask <= checkedVersion && t.needs() <= needsOperator
}

func (t orderTag) isRefund() bool { return t&refundBit != 0 }
func (t orderTag) isAhead() bool  { return t&aheadBit != 0 }

// An order that pays ahead carries how much the peer may owe us then, as 25 bits times 2 to
// the power of 7 bits, rounded up.
const (
	aheadBits = 25
	aheadMask = 1<<aheadBits - 1
)

func packAhead(limit ledger.Amount) uint32 {
	n := uint128.Uint128(limit)
	shift := max(0, bitLength(n)-aheadBits)
	mantissa := n.Rsh(uint(shift))
	if mantissa.Lsh(uint(shift)) != n { // rounded up, perhaps to one bit more
		if mantissa = mantissa.Add64(1); mantissa.Lo > aheadMask {
			mantissa = mantissa.Rsh(1)
			shift++
		}
	}
	return uint32(mantissa.Lo) | uint32(shift)<<aheadBits
}

func unpackAhead(packed uint32) ledger.Amount {
	n, shift := uint128.From64(uint64(packed&aheadMask)), packed>>aheadBits
	if bitLength(n)+int(shift) > 128 {
		return ledger.AmountMax
	}
	return ledger.Amount(n.Lsh(uint(shift)))
}

func bitLength(n uint128.Uint128) int {
	if n.Hi != 0 {
		return 64 + bits.Len64(n.Hi)
	}
	return bits.Len64(n.Lo)
}
