package chart

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// version is hashed into every id. Changing it, or anything about Derive, moves
// every account of every deployment: it never changes.
const version = 1

// Namespace keeps deployments that share a cluster apart: it is part of every
// derived id.
type Namespace string

// Derive is the id of the thing of this kind with these fields: the first 16
// bytes of SHA-256 over the version, the namespace, the kind and the fields,
// each with its length in front so that no two lists of fields meet. It is
// never 0 or ledger.IDMax, which no ledger accepts.
func (ns Namespace) Derive(kind string, fields ...[]byte) ledger.ID {
	buf := append(make([]byte, 0, 128), version)
	buf = appendField(buf, []byte(ns))
	buf = appendField(buf, []byte(kind))
	for _, f := range fields {
		buf = appendField(buf, f)
	}
	for {
		sum := sha256.Sum256(buf)
		id := ledger.IDFromBytes([16]byte(sum[:16]))
		if !id.IsZero() && id != ledger.IDMax {
			return id
		}
		buf = append(buf, 0)
	}
}

func appendField(buf, field []byte) []byte {
	buf = binary.BigEndian.AppendUint64(buf, uint64(len(field)))
	return append(buf, field...)
}

// TimedID draws an id that no other call draws, with 48 bits of milliseconds at the top: ids
// in order of time keep TigerBeetle's indexes fast.
func TimedID(now time.Time) ledger.ID {
	var b [18]byte // the first 2 of the 8 bytes of milliseconds are 0, and are left out
	rand.Read(b[8:])
	binary.BigEndian.PutUint64(b[:], uint64(max(now.UnixMilli(), 1)))
	return ledger.IDFromBytes([16]byte(b[2:]))
}

// U32 is n as a field of Derive.
func U32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// U64 is n as a field of Derive.
func U64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// ID is id as a field of Derive.
func ID(id ledger.ID) []byte {
	b := id.Bytes()
	return b[:]
}

// PeerAccount is the id of one of a peer's four accounts in the asset with this
// ledger number; code is CodePeer, CodeLine, CodeSettlement or CodeArrears.
func (ns Namespace) PeerAccount(code uint16, peer string, ledgerNumber uint32) ledger.ID {
	return ns.Derive("account", U32(uint32(code)), U32(ledgerNumber), []byte(peer))
}

// AssetAccount is the id of one of our own accounts in the asset with this
// ledger number; code is CodeLiquidity to CodeControl.
func (ns Namespace) AssetAccount(code uint16, ledgerNumber uint32) ledger.ID {
	return ns.Derive("account", U32(uint32(code)), U32(ledgerNumber))
}

// PeerTag is what the accounts of a peer carry in user_data_128, so that they
// can be found in the ledger by the peer's id.
func (ns Namespace) PeerTag(peer string) uint128.Uint128 {
	return uint128.Uint128(ns.Derive("peer", []byte(peer)))
}

// AssetTag is what the accounts of an asset carry in user_data_64, so that a
// ledger number given to another asset is noticed.
func (ns Namespace) AssetTag(code string) uint64 {
	return ns.Derive("asset", []byte(code)).Hi
}

// The phases, in the low 4 bits of the ids of a packet's transfers (package transfers), under
// which suspense is credited with what a late packet has earned a receiver that was closed.
// The hold of the packet has 0 there, and names the receiver.
const (
	PhaseWithoutReceiver = 14
	PhaseWithoutBoth     = 15 // the sender was closed as well
)

// HoldOfLate reports whether a row in suspense is what a late packet has earned a closed
// receiver, and which transfer held it.
func HoldOfLate(row *ledger.Transfer) (hold ledger.ID, late bool) {
	const phaseMask = 0xf
	phase := row.ID.Lo & phaseMask
	hold = row.ID
	hold.Lo &^= phaseMask
	return hold, row.Code == CodeCorrection && (phase == PhaseWithoutReceiver || phase == PhaseWithoutBoth)
}
