package segment

import "github.com/peerledger/peerledger/ledger"

// NoPosition stands for no transfer, in [Row].Hold.
const NoPosition = 1<<32 - 1

// Row is a stored transfer. Debit and Credit are the positions of the accounts. Hold is the position
// of the hold that a post or void resolves, else [NoPosition]. HoldState is a number of the caller.
type Row struct {
	ledger.Transfer
	Debit, Credit, Hold uint32
	HoldState           uint8
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
	Timestamp                         uint64 // nanoseconds since the Unix epoch
	Hold, NextTransfer, Debit, Credit uint32
}

// LateEnd is the end of a hold of an older segment. State is a number of the caller.
type LateEnd struct {
	Hold  uint32
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
)
