package settlement

import (
	"math/bits"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// An order's user_data_64 has the order's number in bits 0 to 55 and its version in bits 56 to 61.
// Bit 62 is set if the order refunds a prepayment, and bit 63 if it pays ahead. Versions of this
// library before the check wrote the number alone: their orders have version 0.
const (
	numberBits  = 56
	numberMask  = 1<<numberBits - 1
	versionMask = 1<<6 - 1
	refundBit   = 1 << 62
	aheadBit    = 1 << 63
)

// orderTag is the user_data_64 of an order.
type orderTag uint64

// The low 3 bits of the version name the rule of the order's check. Orders of engines without a check
// have uncheckedVersion, and so have orders to accounts without history: only the owner can check such
// an order.
const (
	uncheckedVersion = 0
	checkedVersion   = 1
	ruleMask         = 1<<3 - 1
)

// The high 3 bits of the version name the approver whose verdict the order needs in the ledger
// (CodeApproval) before any engine asks a rail to pay it. An engine of a version without verdicts
// takes the order's version for a future one, and leaves the order alone.
const (
	needsNobody   = 0 << 3
	needsEngine   = 1 << 3 // its engine confirms that the order keeps to the limits
	needsOperator = 2 << 3 // an operator approves the order, which is large
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

// needs returns the approver: needsNobody, needsEngine or needsOperator.
func (t orderTag) needs() uint8 { return t.version() &^ ruleMask }

// isKnown reports whether this version of the library can handle the order.
func (t orderTag) isKnown() bool {
	return t.version()&ruleMask <= checkedVersion && t.needs() <= needsOperator
}

func (t orderTag) isRefund() bool { return t&refundBit != 0 }
func (t orderTag) isAhead() bool  { return t&aheadBit != 0 }

// A prefunding order carries in its user_data_32 how much the peer may owe us after the order: a
// mantissa of 25 bits times 2 to the power of the upper 7 bits, rounded up.
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
