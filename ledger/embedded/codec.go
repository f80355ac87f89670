package embedded

import (
	"encoding/binary"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// Accounts and transfers are kept in files as TigerBeetle keeps them: 128 bytes
// each, the fields in their order, little endian.
const rowBytes = 128

var order = binary.LittleEndian

const idBytes = 16

func append128(to []byte, n uint128.Uint128) []byte {
	return order.AppendUint64(order.AppendUint64(to, n.Lo), n.Hi)
}

func appendAccount(to []byte, a *ledger.Account) []byte {
	to = append128(to, uint128.Uint128(a.ID))
	to = append128(to, uint128.Uint128(a.DebitsPending))
	to = append128(to, uint128.Uint128(a.DebitsPosted))
	to = append128(to, uint128.Uint128(a.CreditsPending))
	to = append128(to, uint128.Uint128(a.CreditsPosted))
	to = append128(to, a.UserData128)
	to = order.AppendUint64(to, a.UserData64)
	to = order.AppendUint32(to, a.UserData32)
	to = order.AppendUint32(to, a.Reserved)
	to = order.AppendUint32(to, a.Ledger)
	to = order.AppendUint16(to, a.Code)
	to = order.AppendUint16(to, uint16(a.Flags))
	return order.AppendUint64(to, a.Timestamp)
}

func appendTransfer(to []byte, t *ledger.Transfer) []byte {
	to = append128(to, uint128.Uint128(t.ID))
	to = append128(to, uint128.Uint128(t.DebitAccountID))
	to = append128(to, uint128.Uint128(t.CreditAccountID))
	to = append128(to, uint128.Uint128(t.Amount))
	to = append128(to, uint128.Uint128(t.PendingID))
	to = append128(to, t.UserData128)
	to = order.AppendUint64(to, t.UserData64)
	to = order.AppendUint32(to, t.UserData32)
	to = order.AppendUint32(to, t.Timeout)
	to = order.AppendUint32(to, t.Ledger)
	to = order.AppendUint16(to, t.Code)
	to = order.AppendUint16(to, uint16(t.Flags))
	return order.AppendUint64(to, t.Timestamp)
}

// reader takes values off the front of a record. What is not there reads as zero
// and is noted.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if len(r.rest) < n {
		r.rest, r.short = make([]byte, n), true
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

// done reports whether the record held what was read, no less and no more.
func (r *reader) done() bool { return !r.short && len(r.rest) == 0 }

func (r *reader) uint16() uint16 { return order.Uint16(r.take(2)) }
func (r *reader) uint32() uint32 { return order.Uint32(r.take(4)) }
func (r *reader) uint64() uint64 { return order.Uint64(r.take(8)) }

func (r *reader) uint128() uint128.Uint128 {
	lo := r.uint64()
	return uint128.New(lo, r.uint64())
}

func (r *reader) id() ledger.ID         { return ledger.ID(r.uint128()) }
func (r *reader) amount() ledger.Amount { return ledger.Amount(r.uint128()) }

func (r *reader) account() ledger.Account {
	return ledger.Account{
		ID:             r.id(),
		DebitsPending:  r.amount(),
		DebitsPosted:   r.amount(),
		CreditsPending: r.amount(),
		CreditsPosted:  r.amount(),
		UserData128:    r.uint128(),
		UserData64:     r.uint64(),
		UserData32:     r.uint32(),
		Reserved:       r.uint32(),
		Ledger:         r.uint32(),
		Code:           r.uint16(),
		Flags:          ledger.AccountFlags(r.uint16()),
		Timestamp:      r.uint64(),
	}
}

func (r *reader) transfer() ledger.Transfer {
	return ledger.Transfer{
		ID:              r.id(),
		DebitAccountID:  r.id(),
		CreditAccountID: r.id(),
		Amount:          r.amount(),
		PendingID:       r.id(),
		UserData128:     r.uint128(),
		UserData64:      r.uint64(),
		UserData32:      r.uint32(),
		Timeout:         r.uint32(),
		Ledger:          r.uint32(),
		Code:            r.uint16(),
		Flags:           ledger.TransferFlags(r.uint16()),
		Timestamp:       r.uint64(),
	}
}

func (r *reader) expired() expired {
	return expired{timestamp: r.uint64(), hold: position(r.uint32()), next: position(r.uint32())}
}

// readRows reads the rest of the record as rows of the given length.
func readRows[T any](r *reader, bytes int, read func(*reader) T) []T {
	rows := make([]T, 0, len(r.rest)/bytes)
	for len(r.rest) >= bytes {
		rows = append(rows, read(r))
	}
	return rows
}
