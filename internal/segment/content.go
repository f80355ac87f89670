package segment

import (
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// NoPosition stands for no transfer, in [Row].Hold. Positions of transfers are less.
const NoPosition = 1<<40 - 1

// MaxRows is the largest number of rows of a segment.
const MaxRows = 1<<32 - 1

// Row is a stored transfer. Debit and Credit are the positions of the accounts. Hold is the position
// of the hold that a post or void resolves, else [NoPosition]. HoldState is a number of the caller.
type Row struct {
	ledger.Transfer
	Debit, Credit uint32
	Hold          uint64
	HoldState     uint8
}

// Start is the state of an account before the first event of a segment.
type Start struct {
	Account                                                    uint32 // the account's position
	DebitsPending, DebitsPosted, CreditsPending, CreditsPosted ledger.Amount
	Flags                                                      ledger.AccountFlags
}

// Expiry is the release of a hold by its timeout. NextTransfer is the position of the first
// transfer stored later. Debit and Credit are the positions of the hold's accounts.
type Expiry struct {
	Timestamp          uint64 // nanoseconds since the Unix epoch
	Hold, NextTransfer uint64
	Debit, Credit      uint32
}

// LateEnd is the end of a hold of an older segment. State is a number of the caller.
type LateEnd struct {
	Hold  uint64
	State uint8
}

// Field is a field of a transfer that queries select by.
type Field uint8

// The fields.
const (
	FieldDebitAccount Field = iota
	FieldCreditAccount
	FieldUserData128
	FieldUserData64
	FieldUserData32
	FieldLedger
	FieldCode
	fieldCount
)

// fieldOf returns the value of a field; zero is not in any list.
func fieldOf(t *ledger.Transfer, f Field) uint128.Uint128 {
	switch f { //nolint:exhaustive // fieldCount is no field
	case FieldDebitAccount:
		return uint128.Uint128(t.DebitAccountID)
	case FieldCreditAccount:
		return uint128.Uint128(t.CreditAccountID)
	case FieldUserData128:
		return t.UserData128
	case FieldUserData64:
		return uint128.From64(t.UserData64)
	case FieldUserData32:
		return uint128.From64(uint64(t.UserData32))
	case FieldLedger:
		return uint128.From64(uint64(t.Ledger))
	case FieldCode:
		return uint128.From64(uint64(t.Code))
	default:
		panic("segment: no field")
	}
}
