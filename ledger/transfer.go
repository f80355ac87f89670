package ledger

import "lukechampine.com/uint128"

// Transfer is TigerBeetle's transfer record, 128 bytes. A stored transfer never changes. The ledger
// sets Timestamp, the Amount of a balancing transfer, and the fields that a post or void inherits
// from its pending transfer. (https://docs.tigerbeetle.com/reference/transfer/)
type Transfer struct {
	ID              ID
	DebitAccountID  ID
	CreditAccountID ID
	Amount          Amount // units of the ledger's asset
	PendingID       ID     // the pending transfer resolved by a post or void, else 0
	UserData128     uint128.Uint128
	UserData64      uint64
	UserData32      uint32
	Timeout         uint32 // seconds after Timestamp; 0: never; only of pending transfers
	Ledger          uint32
	Code            uint16 // the kind of transfer, chosen by the user; not 0
	Flags           TransferFlags
	Timestamp       uint64 // nanoseconds since the Unix epoch, set by the ledger
}

// TransferFlags are the bits of [Transfer.Flags].
type TransferFlags uint16

// The transfer flags. Bits 9 to 15 must be zero.
const (
	// TransferLinked chains the event with the next event of the request: the ledger applies all
	// transfers of a chain or none. The flag is stored.
	TransferLinked TransferFlags = 1 << 0
	// TransferPending holds the amount on both accounts until a post, a void or the timeout.
	TransferPending TransferFlags = 1 << 1
	// TransferPostPending resolves the transfer PendingID: the amount is posted ([AmountMax]: the
	// whole held amount), and the rest of the held amount is released.
	TransferPostPending TransferFlags = 1 << 2
	// TransferVoidPending resolves the transfer PendingID: the held amount is released.
	TransferVoidPending TransferFlags = 1 << 3
	// TransferBalancingDebit cuts the amount to the balance of the debit account: posted credits
	// less posted and pending debits.
	TransferBalancingDebit TransferFlags = 1 << 4
	// TransferBalancingCredit cuts the amount to the balance of the credit account: posted debits
	// less posted and pending credits.
	TransferBalancingCredit TransferFlags = 1 << 5
	// TransferClosingDebit closes the debit account for as long as the transfer is pending.
	TransferClosingDebit TransferFlags = 1 << 6
	// TransferClosingCredit closes the credit account for as long as the transfer is pending.
	TransferClosingCredit TransferFlags = 1 << 7
	// TransferImported makes the ledger store the caller's timestamp. All events of a request are
	// imported, or none is.
	TransferImported TransferFlags = 1 << 8

	// TransferFlagsMask holds every bit that has a meaning.
	TransferFlagsMask TransferFlags = 1<<9 - 1
)

// Has reports whether every bit of flag is set.
func (f TransferFlags) Has(flag TransferFlags) bool { return f&flag == flag }

// Any reports whether at least one bit of flags is set.
func (f TransferFlags) Any(flags TransferFlags) bool { return f&flags != 0 }

// CreateTransferResult is the answer to one event of [Ledger.CreateTransfers], 16 bytes.
type CreateTransferResult struct {
	// Timestamp is the timestamp of the stored transfer if the status is [TransferCreated] or
	// [TransferExists], and the moment of the refusal otherwise; nanoseconds since the Unix epoch.
	Timestamp uint64
	Status    CreateTransferStatus
	Reserved  uint32
}
