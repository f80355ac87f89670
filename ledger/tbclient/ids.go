//go:build cgo

package tbclient

import (
	"encoding/binary"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/ledger"
)

// copyIDs copies, because TigerBeetle's id is an array of bytes and may be at an unaligned address.
func copyIDs(from []tb.Uint128) []ledger.ID {
	ids := make([]ledger.ID, len(from))
	for i := range from {
		b := from[i].Bytes()
		ids[i] = ledger.NewID(binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:]))
	}
	return ids
}
