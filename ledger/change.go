package ledger

import (
	"fmt"

	"lukechampine.com/uint128"
)

// ChangeEvent is one change of the books: a transfer was stored, or a pending transfer expired.
// It has the transfer, and both accounts as they were right after the event. 384 bytes.
// (https://docs.tigerbeetle.com/reference/change-event/)
type ChangeEvent struct {
	TransferID          ID
	TransferAmount      Amount
	TransferPendingID   ID
	TransferUserData128 uint128.Uint128
	TransferUserData64  uint64
	TransferUserData32  uint32
	TransferTimeout     uint32 // seconds
	TransferCode        uint16
	TransferFlags       TransferFlags

	Ledger uint32
	Type   ChangeEventType

	Reserved [39]uint8

	DebitAccountID             ID
	DebitAccountDebitsPending  Amount
	DebitAccountDebitsPosted   Amount
	DebitAccountCreditsPending Amount
	DebitAccountCreditsPosted  Amount
	DebitAccountUserData128    uint128.Uint128
	DebitAccountUserData64     uint64
	DebitAccountUserData32     uint32
	DebitAccountCode           uint16
	DebitAccountFlags          AccountFlags

	CreditAccountID             ID
	CreditAccountDebitsPending  Amount
	CreditAccountDebitsPosted   Amount
	CreditAccountCreditsPending Amount
	CreditAccountCreditsPosted  Amount
	CreditAccountUserData128    uint128.Uint128
	CreditAccountUserData64     uint64
	CreditAccountUserData32     uint32
	CreditAccountCode           uint16
	CreditAccountFlags          AccountFlags

	Timestamp              uint64 // of the event; nanoseconds since the Unix epoch
	TransferTimestamp      uint64 // of the transfer
	DebitAccountTimestamp  uint64
	CreditAccountTimestamp uint64
}

// ChangeEventType is the kind of a [ChangeEvent].
type ChangeEventType uint8

// The kinds of change events, with TigerBeetle's numbers.
const (
	ChangeEventSinglePhase     ChangeEventType = 0 // a transfer without pending, post or void flag
	ChangeEventTwoPhasePending ChangeEventType = 1 // a pending transfer
	ChangeEventTwoPhasePosted  ChangeEventType = 2 // the post of a pending transfer
	ChangeEventTwoPhaseVoided  ChangeEventType = 3 // the void of a pending transfer
	ChangeEventTwoPhaseExpired ChangeEventType = 4 // a pending transfer was released by its timeout
)

// String returns TigerBeetle's name of the kind, for example "two_phase_posted".
func (t ChangeEventType) String() string {
	names := [...]string{
		"single_phase", "two_phase_pending", "two_phase_posted", "two_phase_voided", "two_phase_expired",
	}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("ChangeEventType(%d)", uint8(t))
}
