package ledger

import "lukechampine.com/uint128"

// Transfer is TigerBeetle's transfer record, 128 bytes. A stored transfer never
// changes; the ledger fills in Timestamp, the Amount of a balancing transfer,
// and what a post or a void inherits from its pending transfer.
// (https://docs.tigerbeetle.com/reference/transfer/)
type Transfer struct {
	ID              ID
	DebitAccountID  ID
	CreditAccountID ID
	Amount          Amount // units of the ledger's asset
	PendingID       ID     // the pending transfer that a post or a void resolves
	UserData128     uint128.Uint128
	UserData64      uint64
	UserData32      uint32
	Timeout         uint32 // seconds from Timestamp; 0 is never; pending transfers only
	Ledger          uint32
	Code            uint16 // the kind of transfer, the user's choice; not 0
	Flags           TransferFlags
	Timestamp       uint64 // nanoseconds since the Unix epoch, set by the ledger
}

// TransferFlags are the bits of Transfer.Flags.
type TransferFlags uint16

// The transfer flags. Bits 9 to 15 must be zero.
const (
	// TransferLinked chains the event with the next one of the request: both
	// are applied or neither is. It is stored.
	TransferLinked TransferFlags = 1 << 0
	// TransferPending reserves the amount on both accounts until it is
	// posted, voided or expired.
	TransferPending TransferFlags = 1 << 1
	// TransferPostPending resolves PendingID: the amount (AmountMax: all of
	// it) is posted, the rest of what was held is released.
	TransferPostPending TransferFlags = 1 << 2
	// TransferVoidPending resolves PendingID: all that was held is released.
	TransferVoidPending TransferFlags = 1 << 3
	// TransferBalancingDebit moves at most what the debit account has: its
	// posted credits less its posted and pending debits.
	TransferBalancingDebit TransferFlags = 1 << 4
	// TransferBalancingCredit moves at most what the credit account lacks:
	// its posted debits less its posted and pending credits.
	TransferBalancingCredit TransferFlags = 1 << 5
	// TransferClosingDebit closes the debit account while pending.
	TransferClosingDebit TransferFlags = 1 << 6
	// TransferClosingCredit closes the credit account while pending.
	TransferClosingCredit TransferFlags = 1 << 7
	// TransferImported says that the caller supplies the timestamp.
	TransferImported TransferFlags = 1 << 8

	// TransferFlagsMask holds every bit that has a meaning.
	TransferFlagsMask TransferFlags = 1<<9 - 1
)

// Has reports whether every bit of flag is set.
func (f TransferFlags) Has(flag TransferFlags) bool { return f&flag == flag }

// Any reports whether at least one bit of flags is set.
func (f TransferFlags) Any(flags TransferFlags) bool { return f&flags != 0 }

// CreateTransferResult is the answer to one event of CreateTransfers, 16 bytes.
type CreateTransferResult struct {
	// Timestamp is the stored one for a created and for an existing transfer
	// (nanoseconds since the Unix epoch), else the moment of the refusal.
	Timestamp uint64
	Status    CreateTransferStatus
	Reserved  uint32
}
