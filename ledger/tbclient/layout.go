//go:build cgo

package tbclient

import (
	"encoding/binary"
	"unsafe"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
)

// rows is the slice read as the other package's type, without a copy, so that the
// same memory has two types. This is sound for the records, which have one layout
// without pointers in both packages: ledger/layout_test.go asserts it.
func rows[To, From any](from []From) []To {
	return unsafe.Slice((*To)(unsafe.Pointer(unsafe.SliceData(from))), len(from))
}

// row is a copy of the record as the other package's type, of the same layout.
func row[To, From any](from From) To { return *(*To)(unsafe.Pointer(&from)) }

// idsOf copies, as an id of TigerBeetle's is an array of bytes and may lie at an odd
// address.
func idsOf(from []tb.Uint128) []ledger.ID {
	ids := make([]ledger.ID, len(from))
	for i := range from {
		b := from[i].Bytes()
		ids[i] = ledger.NewID(binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:]))
	}
	return ids
}
