package vsr

import "lukechampine.com/uint128"

// Offsets in the header of a ping, a pong, a request, a reply and an eviction.
const (
	atPingClient  = 128
	atPingTime    = 144
	atPingSession = 152

	atPongTime = 128

	atRequestParent    = 128
	atRequestClient    = 160
	atRequestSession   = 176
	atRequestTimestamp = 184
	atRequestNumber    = 192
	atRequestOperation = 196
	atRequestLatency   = 200
	atRequestEnd       = 204

	atReplyRequestChecksum = 128
	atReplyContext         = 160
	atReplyClient          = 192
	atReplyOp              = 208
	atReplyCommit          = 216
	atReplyTimestamp       = 224
	atReplyRequest         = 232
	atReplyOperation       = 236

	atEvictionClient = 128
	atEvictionReason = 255
)

// Ping is the header of a client's ping.
type Ping struct {
	View      uint32
	Release   Release
	Client    uint128.Uint128 // the id of the client, not 0
	Timestamp uint64          // the client's clock in nanoseconds; the pong repeats it
	Session   uint64          // 0 while the client is not registered
}

// Encode returns the sealed message.
func (p Ping) Encode(cluster uint128.Uint128) Header {
	h := newHeader(CommandPingClient, cluster, p.View, p.Release)
	p.Client.PutBytes(h[atPingClient:])
	h.setU64(atPingTime, p.Timestamp)
	h.setU64(atPingSession, p.Session)
	h.Seal(nil)
	return h
}

// DecodePing reads the header of a ping. It returns false if a field has a value that no client
// sends.
func DecodePing(h *Header) (Ping, bool) {
	p := Ping{
		View: h.View(), Release: h.Release(), Client: uint128.FromBytes(h[atPingClient:]),
		Timestamp: h.u64(atPingTime), Session: h.u64(atPingSession),
	}
	valid := h.frameHolds() && h.Size() == HeaderSize && p.View == 0 && p.Release != 0 && !p.Client.IsZero() &&
		h.allZero(atPingSession+8, HeaderSize)
	return p, valid
}

// Pong is a replica's answer to a ping.
type Pong struct {
	Replica int     // its index in the cluster
	View    uint32  // the primary is the replica View modulo the number of replicas
	Release Release // of the server
}

// Encode returns the sealed message in answer to the ping with this timestamp.
func (p Pong) Encode(cluster uint128.Uint128, timestamp uint64) Header {
	h := newHeader(CommandPongClient, cluster, p.View, p.Release)
	h[atHeaderReplica] = byte(p.Replica)
	h.setU64(atPongTime, timestamp)
	h.Seal(nil)
	return h
}

// OperationRegister is the operation of a client's first request.
const OperationRegister = 2

// Request is the header of a request.
type Request struct {
	View      uint32
	Release   Release
	Parent    [checksumSize]byte // the context of the last reply; 0 for a register
	Client    uint128.Uint128    // not 0
	Session   uint64             // 0 for a register
	Timestamp uint64             // 0
	Number    uint32             // 0 for a register, then 1, 2, 3, ...
	Operation uint8
	Latency   uint32 // of the previous request, for statistics
}

// Encode returns the header of the request, sealed with its body.
func (r Request) Encode(cluster uint128.Uint128, body []byte) Header {
	h := newHeader(CommandRequest, cluster, r.View, r.Release)
	copy(h[atRequestParent:], r.Parent[:])
	r.Client.PutBytes(h[atRequestClient:])
	h.setU64(atRequestSession, r.Session)
	h.setU64(atRequestTimestamp, r.Timestamp)
	h.setU32(atRequestNumber, r.Number)
	h[atRequestOperation] = r.Operation
	h.setU32(atRequestLatency, r.Latency)
	h.Seal(body)
	return h
}

// DecodeRequest reads the header of a request. It returns false if a field has a value that no
// client sends.
func DecodeRequest(h *Header) (r Request, valid bool) {
	r = Request{
		View: h.View(), Release: h.Release(),
		Parent: [checksumSize]byte(h[atRequestParent:]), Client: uint128.FromBytes(h[atRequestClient:]),
		Session: h.u64(atRequestSession), Timestamp: h.u64(atRequestTimestamp),
		Number: h.u32(atRequestNumber), Operation: h[atRequestOperation], Latency: h.u32(atRequestLatency),
	}
	if r.Operation == OperationRegister {
		valid = r.Session == 0 && r.Number == 0 && r.Parent == [checksumSize]byte{}
	} else {
		valid = r.Session != 0 && r.Number != 0 && r.Operation != 0
	}
	return r, valid && h.frameHolds() && r.Release != 0 && !r.Client.IsZero() && r.Timestamp == 0 &&
		h.allZero(atRequestParent+checksumSize, atRequestClient) &&
		h.allZero(atRequestOperation+1, atRequestLatency) && h.allZero(atRequestEnd, HeaderSize)
}

// Reply is the header of a reply.
type Reply struct {
	View            uint32
	Release         Release // of the request
	Replica         int
	RequestChecksum [checksumSize]byte
	Context         [checksumSize]byte // the next request has it as its parent
	Client          uint128.Uint128
	Op              uint64 // the number of the request in the log of the cluster, not 0
	Timestamp       uint64 // nanoseconds since the Unix epoch, not 0
	Request         uint32 // the number of the request
	Operation       uint8
}

// Encode returns the header of the reply, sealed with its body. The context, whatever its value in
// r, becomes the checksum of the header with a context of 0.
func (r Reply) Encode(cluster uint128.Uint128, body []byte) Header {
	h := newHeader(CommandReply, cluster, r.View, r.Release)
	h[atHeaderReplica] = byte(r.Replica)
	copy(h[atReplyRequestChecksum:], r.RequestChecksum[:])
	r.Client.PutBytes(h[atReplyClient:])
	h.setU64(atReplyOp, r.Op)
	h.setU64(atReplyCommit, r.Op)
	h.setU64(atReplyTimestamp, r.Timestamp)
	h.setU32(atReplyRequest, r.Request)
	h[atReplyOperation] = r.Operation
	h.Seal(body)
	context := h.Checksum()
	copy(h[atReplyContext:], context[:])
	sum := Checksum(h[checksumSize:])
	copy(h[:], sum[:])
	return h
}

// DecodeReply reads the header of a reply.
func DecodeReply(h *Header) Reply {
	return Reply{
		View: h.View(), Release: h.Release(), Replica: h.Replica(),
		RequestChecksum: [checksumSize]byte(h[atReplyRequestChecksum:]), Context: [checksumSize]byte(h[atReplyContext:]),
		Client: uint128.FromBytes(h[atReplyClient:]), Op: h.u64(atReplyOp), Timestamp: h.u64(atReplyTimestamp),
		Request: h.u32(atReplyRequest), Operation: h[atReplyOperation],
	}
}

// EncodeEviction returns the sealed message that ends the session of a client.
func EncodeEviction(cluster uint128.Uint128, view uint32, server Release, client uint128.Uint128, reason Eviction) Header {
	h := newHeader(CommandEviction, cluster, view, server)
	client.PutBytes(h[atEvictionClient:])
	h[atEvictionReason] = byte(reason)
	h.Seal(nil)
	return h
}

// EvictionReason is the reason of an eviction.
func (h *Header) EvictionReason() Eviction { return Eviction(h[atEvictionReason]) }
