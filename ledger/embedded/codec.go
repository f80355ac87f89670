package embedded

import (
	"encoding/binary"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// rowBytes is the size of an account or transfer in files, in TigerBeetle's format: the fields in
// their order, little endian.
const rowBytes = 128

var byteOrder = binary.LittleEndian

const idBytes = 16

func appendUint128(to []byte, n uint128.Uint128) []byte {
	return byteOrder.AppendUint64(byteOrder.AppendUint64(to, n.Lo), n.Hi)
}

func appendAccount(to []byte, a *ledger.Account) []byte {
	to = appendUint128(to, uint128.Uint128(a.ID))
	to = appendUint128(to, uint128.Uint128(a.DebitsPending))
	to = appendUint128(to, uint128.Uint128(a.DebitsPosted))
	to = appendUint128(to, uint128.Uint128(a.CreditsPending))
	to = appendUint128(to, uint128.Uint128(a.CreditsPosted))
	to = appendUint128(to, a.UserData128)
	to = byteOrder.AppendUint64(to, a.UserData64)
	to = byteOrder.AppendUint32(to, a.UserData32)
	to = byteOrder.AppendUint32(to, a.Reserved)
	to = byteOrder.AppendUint32(to, a.Ledger)
	to = byteOrder.AppendUint16(to, a.Code)
	to = byteOrder.AppendUint16(to, uint16(a.Flags))
	return byteOrder.AppendUint64(to, a.Timestamp)
}

func appendTransfer(to []byte, t *ledger.Transfer) []byte {
	to = appendUint128(to, uint128.Uint128(t.ID))
	to = appendUint128(to, uint128.Uint128(t.DebitAccountID))
	to = appendUint128(to, uint128.Uint128(t.CreditAccountID))
	to = appendUint128(to, uint128.Uint128(t.Amount))
	to = appendUint128(to, uint128.Uint128(t.PendingID))
	to = appendUint128(to, t.UserData128)
	to = byteOrder.AppendUint64(to, t.UserData64)
	to = byteOrder.AppendUint32(to, t.UserData32)
	to = byteOrder.AppendUint32(to, t.Timeout)
	to = byteOrder.AppendUint32(to, t.Ledger)
	to = byteOrder.AppendUint16(to, t.Code)
	to = byteOrder.AppendUint16(to, uint16(t.Flags))
	return byteOrder.AppendUint64(to, t.Timestamp)
}

// recordReader reads values from the front of a record. A missing value reads as zero and sets
// short.
type recordReader struct {
	unread []byte
	short  bool
}

func (r *recordReader) takeBytes(n int) []byte {
	if len(r.unread) < n {
		r.unread, r.short = make([]byte, n), true
	}
	bytes := r.unread[:n]
	r.unread = r.unread[n:]
	return bytes
}

func (r *recordReader) readUint16() uint16 { return byteOrder.Uint16(r.takeBytes(2)) }
func (r *recordReader) readUint32() uint32 { return byteOrder.Uint32(r.takeBytes(4)) }
func (r *recordReader) readUint64() uint64 { return byteOrder.Uint64(r.takeBytes(8)) }

func (r *recordReader) readUint128() uint128.Uint128 {
	lo := r.readUint64()
	return uint128.New(lo, r.readUint64())
}

func (r *recordReader) readID() ledger.ID         { return ledger.ID(r.readUint128()) }
func (r *recordReader) readAmount() ledger.Amount { return ledger.Amount(r.readUint128()) }

func (r *recordReader) readAccount() ledger.Account {
	return ledger.Account{
		ID:             r.readID(),
		DebitsPending:  r.readAmount(),
		DebitsPosted:   r.readAmount(),
		CreditsPending: r.readAmount(),
		CreditsPosted:  r.readAmount(),
		UserData128:    r.readUint128(),
		UserData64:     r.readUint64(),
		UserData32:     r.readUint32(),
		Reserved:       r.readUint32(),
		Ledger:         r.readUint32(),
		Code:           r.readUint16(),
		Flags:          ledger.AccountFlags(r.readUint16()),
		Timestamp:      r.readUint64(),
	}
}

func (r *recordReader) readTransfer() ledger.Transfer {
	return ledger.Transfer{
		ID:              r.readID(),
		DebitAccountID:  r.readID(),
		CreditAccountID: r.readID(),
		Amount:          r.readAmount(),
		PendingID:       r.readID(),
		UserData128:     r.readUint128(),
		UserData64:      r.readUint64(),
		UserData32:      r.readUint32(),
		Timeout:         r.readUint32(),
		Ledger:          r.readUint32(),
		Code:            r.readUint16(),
		Flags:           ledger.TransferFlags(r.readUint16()),
		Timestamp:       r.readUint64(),
	}
}

func (r *recordReader) readHold() lateHold {
	pos := position(r.readUint64())
	debit, credit := accountPosition(r.readUint32()), accountPosition(r.readUint32())
	t := r.readTransfer()
	stored := newStoredTransfer(&t, debit, credit)
	stored.holdState = holdPending
	return lateHold{stored, pos}
}

// readRows reads the rest of the record as rows of the given length.
func readRows[T any](r *recordReader, bytes int, read func(*recordReader) T) []T {
	rows := make([]T, 0, len(r.unread)/bytes)
	for len(r.unread) >= bytes {
		rows = append(rows, read(r))
	}
	return rows
}
