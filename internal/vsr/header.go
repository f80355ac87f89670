package vsr

import (
	"encoding/binary"
	"strconv"

	"lukechampine.com/uint128"
)

// Sizes of a message, in bytes.
const (
	HeaderSize = 256     // of the header, and so of the smallest message
	MessageMax = 1 << 20 // of the largest message, header included
)

// Command is the kind of a message.
type Command uint8

// The commands between clients and replicas.
const (
	CommandPingClient Command = 3
	CommandPongClient Command = 4
	CommandRequest    Command = 5
	CommandReply      Command = 8
	CommandEviction   Command = 18
)

// Known reports whether replicas or clients of release 0.17.9 send the command.
func (c Command) Known() bool {
	return c >= 1 && c <= 24 && c != 12 && (c < 21 || c > 23)
}

// Eviction is the reason for which a replica ends a session, with TigerBeetle's numbers.
type Eviction uint8

// The reasons.
const (
	EvictionNoSession              Eviction = 1 // the session is unknown
	EvictionReleaseTooLow          Eviction = 2 // the client's release is below the oldest served
	EvictionReleaseTooHigh         Eviction = 3 // the client's release is above the server's
	EvictionInvalidOperation       Eviction = 4 // the operation is unknown
	EvictionInvalidBody            Eviction = 5 // the operation does not take such a body
	EvictionInvalidBodySize        Eviction = 6 // the body is too large, or missing
	EvictionSessionTooLow          Eviction = 7 // the client has a newer session
	EvictionSessionReleaseMismatch Eviction = 8 // the client changed its release
)

// String returns TigerBeetle's name of the reason, for example "no_session".
func (e Eviction) String() string {
	names := [...]string{
		EvictionNoSession: "no_session", EvictionReleaseTooLow: "client_release_too_low", EvictionReleaseTooHigh: "client_release_too_high",
		EvictionInvalidOperation: "invalid_request_operation", EvictionInvalidBody: "invalid_request_body",
		EvictionInvalidBodySize: "invalid_request_body_size", EvictionSessionTooLow: "session_too_low",
		EvictionSessionReleaseMismatch: "session_release_mismatch",
	}
	if int(e) < len(names) && e != 0 {
		return names[e]
	}
	return "eviction(" + strconv.Itoa(int(e)) + ")"
}

// Offsets in the header of every message.
const (
	atHeaderChecksumBody = 32
	atHeaderCluster      = 80
	atHeaderSize         = 96
	atHeaderEpoch        = 100
	atHeaderView         = 104
	atHeaderRelease      = 108
	atHeaderProtocol     = 112
	atHeaderCommand      = 114
	atHeaderReplica      = 115
)

// Header is the header of a message, as on the wire. The names of the fields are TigerBeetle's.
type Header [HeaderSize]byte

// Checksum is the checksum of the header, which covers the checksum of the body.
func (h *Header) Checksum() [checksumSize]byte { return [checksumSize]byte(h[:]) }

// Cluster is the id of the cluster.
func (h *Header) Cluster() uint128.Uint128 { return uint128.FromBytes(h[atHeaderCluster:]) }

// Size is the size of header and body in bytes.
func (h *Header) Size() uint32 { return h.u32(atHeaderSize) }

// View is the view of the sender.
func (h *Header) View() uint32 { return h.u32(atHeaderView) }

// Release is the release of the sender. A reply has the release of its request.
func (h *Header) Release() Release { return Release(h.u32(atHeaderRelease)) }

// Command is the kind of the message.
func (h *Header) Command() Command { return Command(h[atHeaderCommand]) }

// Replica is the index of the sending replica. A reply has that of the replica that ordered it.
func (h *Header) Replica() int { return int(h[atHeaderReplica]) }

// ChecksumHolds reports whether the header is unchanged since it was sealed.
func (h *Header) ChecksumHolds() bool { return Checksum(h[checksumSize:]) == h.Checksum() }

// BodyHolds reports whether the body is the one that the header was sealed with.
func (h *Header) BodyHolds(body []byte) bool {
	return Checksum(body) == [checksumSize]byte(h[atHeaderChecksumBody:])
}

// Seal writes the size and the checksums. Every other field is complete.
func (h *Header) Seal(body []byte) {
	binary.LittleEndian.PutUint32(h[atHeaderSize:], uint32(HeaderSize+len(body)))
	sum := Checksum(body)
	copy(h[atHeaderChecksumBody:], sum[:])
	sum = Checksum(h[checksumSize:])
	copy(h[:], sum[:])
}

// newHeader returns a header with the fields of every message.
func newHeader(command Command, cluster uint128.Uint128, view uint32, release Release) (h Header) {
	cluster.PutBytes(h[atHeaderCluster:])
	h.setU32(atHeaderView, view)
	h.setU32(atHeaderRelease, uint32(release))
	h[atHeaderCommand] = byte(command)
	return h
}

func (h *Header) u32(at int) uint32       { return binary.LittleEndian.Uint32(h[at:]) }
func (h *Header) u64(at int) uint64       { return binary.LittleEndian.Uint64(h[at:]) }
func (h *Header) setU32(at int, n uint32) { binary.LittleEndian.PutUint32(h[at:], n) }
func (h *Header) setU64(at int, n uint64) { binary.LittleEndian.PutUint64(h[at:], n) }

// allZero reports whether the bytes from one offset to before another are 0.
func (h *Header) allZero(from, to int) bool {
	for _, b := range h[from:to] {
		if b != 0 {
			return false
		}
	}
	return true
}

// frameHolds reports whether the fields that every message of a client must leave 0 are 0.
func (h *Header) frameHolds() bool {
	return h.allZero(checksumSize, atHeaderChecksumBody) && h.allZero(atHeaderChecksumBody+checksumSize, atHeaderCluster) &&
		h.u32(atHeaderEpoch) == 0 && h.allZero(atHeaderProtocol, atHeaderCommand) && h.allZero(atHeaderReplica, 128)
}
