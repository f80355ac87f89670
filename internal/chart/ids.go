package chart

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// version is hashed into every id. A change of version, or of [Namespace.Derive], would move every
// account of every deployment: neither ever changes.
const version = 1

// Namespace keeps deployments in one cluster apart: it is part of every derived id.
type Namespace string

// Derive returns the id of a kind of thing with these fields: the first 16 bytes of SHA-256 over
// the version, and the namespace, kind and fields with their lengths in front. So no two lists of
// fields give the same bytes. The id is never 0 or [ledger.IDMax], which no ledger accepts.
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

// TimedID returns a random id, never returned twice, with 48 bits of milliseconds at the top. Ids
// in order of time keep TigerBeetle's indexes fast.
func TimedID(now time.Time) ledger.ID {
	var b [18]byte // without the first 2 of the 8 bytes of milliseconds, which are 0
	rand.Read(b[8:])
	binary.BigEndian.PutUint64(b[:], uint64(max(now.UnixMilli(), 1)))
	return ledger.IDFromBytes([16]byte(b[2:]))
}

// U32 encodes n as a field of [Namespace.Derive].
func U32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// U64 encodes n as a field of [Namespace.Derive].
func U64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// ID encodes id as a field of [Namespace.Derive].
func ID(id ledger.ID) []byte {
	b := id.Bytes()
	return b[:]
}

// PeerAccount returns the id of an account of a peer in the asset with this ledger number; code is
// [CodePeer], [CodeLine], [CodeSettlement] or [CodeArrears].
func (ns Namespace) PeerAccount(code uint16, peer string, ledgerNumber uint32) ledger.ID {
	return ns.Derive("account", U32(uint32(code)), U32(ledgerNumber), []byte(peer))
}

// AssetAccount returns the id of an account of our own in the asset with this ledger number; code
// is [CodeLiquidity] to [CodeTransit].
func (ns Namespace) AssetAccount(code uint16, ledgerNumber uint32) ledger.ID {
	return ns.Derive("account", U32(uint32(code)), U32(ledgerNumber))
}

// PeerTag is stored in user_data_128 of a peer's accounts, to find them in the ledger by the peer's
// id.
func (ns Namespace) PeerTag(peer string) uint128.Uint128 {
	return uint128.Uint128(ns.Derive("peer", []byte(peer)))
}

// AssetTag is stored in user_data_64 of an asset's accounts, to notice a ledger number given to
// another asset.
func (ns Namespace) AssetTag(code string) uint64 {
	return ns.Derive("asset", []byte(code)).Hi
}

// The phases of a late fulfill for a closed receiver, in which suspense is credited with the
// receiver's earnings. A phase is the low 4 bits of the ids of a packet's transfers (package
// transfers). The packet's hold has phase 0 and names the receiver.
const (
	PhaseWithoutReceiver = 14
	PhaseWithoutBoth     = 15 // the sender was closed as well
)

// ReceiverOfRound reports whether a row in suspense credits what a closed receiver earned in a round
// (package transfers/aggregate), and returns the receiver's peer account. Only rounds debit transit.
func ReceiverOfRound(row *ledger.Transfer, transit ledger.ID) (peer ledger.ID, earned bool) {
	return ledger.ID(row.UserData128), row.Code == CodeCorrection && row.DebitAccountID == transit
}

// HoldOfLate reports whether a row in suspense credits a late packet's amount in place of a closed
// receiver, and returns the id of the packet's hold.
func HoldOfLate(row *ledger.Transfer) (hold ledger.ID, late bool) {
	const phaseMask = 0xf
	phase := row.ID.Lo & phaseMask
	hold = row.ID
	hold.Lo &^= phaseMask
	return hold, row.Code == CodeCorrection && (phase == PhaseWithoutReceiver || phase == PhaseWithoutBoth)
}
