package embedded

import (
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/segment"
	"github.com/peerledger/peerledger/ledger"
)

// storedTransfer is a transfer in the books. Most of their memory is for these, so it has the positions
// of its accounts in place of their ids (see wholeTransfer), and a position in 5 bytes.
type storedTransfer struct {
	ID, PendingID ledger.ID
	Amount        ledger.Amount
	UserData128   uint128.Uint128
	UserData64    uint64
	Timestamp     uint64
	UserData32    uint32
	Timeout       uint32
	Ledger        uint32
	Code          uint16
	Flags         ledger.TransferFlags

	debit, credit accountPosition
	hold          shortPosition // the hold that it posts or voids, else noPosition
	holdState     holdState     // of a pending transfer
}

func newStoredTransfer(t *ledger.Transfer, debit, credit accountPosition) storedTransfer {
	return storedTransfer{
		ID: t.ID, PendingID: t.PendingID, Amount: t.Amount,
		UserData128: t.UserData128, UserData64: t.UserData64, UserData32: t.UserData32,
		Timestamp: t.Timestamp, Timeout: t.Timeout, Ledger: t.Ledger, Code: t.Code, Flags: t.Flags,
		debit: debit, credit: credit, hold: shortenPosition(noPosition),
	}
}

// wholeTransfer returns the transfer with the ids of its accounts.
func (t *storedTransfer) wholeTransfer(accounts *rows[ledger.Account]) ledger.Transfer {
	return ledger.Transfer{
		ID: t.ID, PendingID: t.PendingID, Amount: t.Amount,
		DebitAccountID:  accounts.rowAt(place(t.debit)).ID,
		CreditAccountID: accounts.rowAt(place(t.credit)).ID,
		UserData128:     t.UserData128, UserData64: t.UserData64, UserData32: t.UserData32,
		Timestamp: t.Timestamp, Timeout: t.Timeout, Ledger: t.Ledger, Code: t.Code, Flags: t.Flags,
	}
}

func fromRow(r *segment.Row) storedTransfer {
	t := newStoredTransfer(&r.Transfer, accountPosition(r.Debit), accountPosition(r.Credit))
	t.hold, t.holdState = shortenPosition(position(r.Hold)), holdState(r.HoldState)
	return t
}

func toRow(t *storedTransfer, accounts *rows[ledger.Account]) segment.Row {
	return segment.Row{
		Transfer: t.wholeTransfer(accounts), Debit: uint32(t.debit), Credit: uint32(t.credit),
		Hold: uint64(t.hold.position()), HoldState: uint8(t.holdState),
	}
}

func (t *storedTransfer) fields() queryFields {
	return queryFields{t.UserData128, t.UserData64, t.UserData32, t.Ledger, t.Code}
}

// expiry returns the moment from which on a hold with a timeout cannot be resolved.
func (t *storedTransfer) expiry() uint64 { return t.Timestamp + toNanoseconds(t.Timeout) }

func (t *storedTransfer) effect() effect { return effect{t.Amount, t.Flags} }

// effect is the part of a stored transfer that says how it changes its accounts.
type effect struct {
	amount ledger.Amount
	flags  ledger.TransferFlags
}

func effectOf(t *ledger.Transfer) effect { return effect{t.Amount, t.Flags} }

// shortPosition is a position in 5 bytes.
type shortPosition [5]byte

func shortenPosition(pos position) (s shortPosition) {
	byteOrder.PutUint32(s[:], uint32(pos))
	s[4] = byte(pos >> 32)
	return s
}

func (s *shortPosition) position() position {
	return position(byteOrder.Uint32(s[:])) | position(s[4])<<32
}

// holdState is the state of a pending transfer. Every other transfer has the state notHold. The
// numbers are in files.
type holdState uint8

const (
	notHold holdState = iota
	holdPending
	holdPosted
	holdVoided
	holdExpired
)
