package packetlog

import "github.com/peerledger/peerledger/ledger"

// Party is an account of a packet: a peer in an asset, or our own account in it.
type Party struct {
	Ledger uint32 // the asset's ledger number
	Peer   string // the peer's id, "" for our own account
}

// Packet is a packet that a recorder has resolved.
type Packet struct {
	Number     uint64 // of the fulfill, from 1 in its journal; 0: the packet was rejected
	ResolvedAt int64  // the recorder's wall clock, ns since the Unix epoch; never falls within a journal
	Expiry     int64  // ns since the Unix epoch
	ID         ledger.ID
	From, To   Party
	In, Out    uint64 // units of From's and of To's asset
	Dust       uint64 // units of From's asset
	Condition  [32]byte
}

// IsRejected reports whether the packet was rejected; else it was fulfilled.
func (p *Packet) IsRejected() bool { return p.Number == 0 }

// Round is a round that the ledger has. Its packets are the fulfills behind the round before, up to
// Through. Packets without amounts have numbers too, and are in no round.
type Round struct {
	Number  uint64 // from 1 in its journal
	Attempt uint32 // from 0: which attempt the ledger took
	Through uint64 // number of the last fulfill in it
	Packets uint64
	At      uint64 // the ledger's timestamp, ns since the Unix epoch; 0: unknown
}
