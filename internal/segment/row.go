package segment

import (
	"encoding/binary"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

const (
	rowBytes   = 142
	rowStride  = rowBytes + sealed.SumBytes
	timestamps = 120 // where a row has its timestamp
)

func putUint128(b []byte, n uint128.Uint128) {
	binary.LittleEndian.PutUint64(b, n.Lo)
	binary.LittleEndian.PutUint64(b[8:], n.Hi)
}

func getUint128(b []byte) uint128.Uint128 {
	return uint128.New(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]))
}

// positionBytes is the size of a transfer's position.
const positionBytes = 5

func putPosition(b []byte, pos uint64) {
	binary.LittleEndian.PutUint32(b, uint32(pos))
	b[4] = byte(pos >> 32)
}

func getPosition(b []byte) uint64 {
	return uint64(binary.LittleEndian.Uint32(b)) | uint64(b[4])<<32
}

func putRow(b []byte, r *Row) {
	_ = b[rowBytes-1]
	putUint128(b, uint128.Uint128(r.ID))
	putUint128(b[16:], uint128.Uint128(r.DebitAccountID))
	putUint128(b[32:], uint128.Uint128(r.CreditAccountID))
	putUint128(b[48:], uint128.Uint128(r.Amount))
	putUint128(b[64:], uint128.Uint128(r.PendingID))
	putUint128(b[80:], r.UserData128)
	binary.LittleEndian.PutUint64(b[96:], r.UserData64)
	binary.LittleEndian.PutUint32(b[104:], r.UserData32)
	binary.LittleEndian.PutUint32(b[108:], r.Timeout)
	binary.LittleEndian.PutUint32(b[112:], r.Ledger)
	binary.LittleEndian.PutUint16(b[116:], r.Code)
	binary.LittleEndian.PutUint16(b[118:], uint16(r.Flags))
	binary.LittleEndian.PutUint64(b[timestamps:], r.Timestamp)
	binary.LittleEndian.PutUint32(b[128:], r.Debit)
	binary.LittleEndian.PutUint32(b[132:], r.Credit)
	putPosition(b[136:], r.Hold)
	b[141] = r.HoldState
}

func getRow(b []byte, r *Row) {
	_ = b[rowBytes-1]
	r.ID = ledger.ID(getUint128(b))
	r.DebitAccountID = ledger.ID(getUint128(b[16:]))
	r.CreditAccountID = ledger.ID(getUint128(b[32:]))
	r.Amount = ledger.Amount(getUint128(b[48:]))
	r.PendingID = ledger.ID(getUint128(b[64:]))
	r.UserData128 = getUint128(b[80:])
	r.UserData64 = binary.LittleEndian.Uint64(b[96:])
	r.UserData32 = binary.LittleEndian.Uint32(b[104:])
	r.Timeout = binary.LittleEndian.Uint32(b[108:])
	r.Ledger = binary.LittleEndian.Uint32(b[112:])
	r.Code = binary.LittleEndian.Uint16(b[116:])
	r.Flags = ledger.TransferFlags(binary.LittleEndian.Uint16(b[118:]))
	r.Timestamp = binary.LittleEndian.Uint64(b[timestamps:])
	r.Debit = binary.LittleEndian.Uint32(b[128:])
	r.Credit = binary.LittleEndian.Uint32(b[132:])
	r.Hold = getPosition(b[136:])
	r.HoldState = b[141]
}
