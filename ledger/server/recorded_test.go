package server_test

import (
	"encoding/binary"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/server"
)

// exceptions are the recordings that one server cannot repeat.
var exceptions = map[string]string{
	"go-view-change": "three replicas on a ledger with accounts: copies of each reply, and views that change",
}

// TestRecorded plays the client of each recording. The answers must be those of the TigerBeetle that
// was recorded, byte for byte, but for checksums, contexts, ops, views and timestamps: these are the
// server's own. Timestamps must come in the recorded order.
func TestRecorded(t *testing.T) {
	t.Parallel()
	for name, lines := range readRecordings(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if reason, excepted := exceptions[name]; excepted {
				t.Logf("not played: %s", reason)
				return
			}
			play(t, lines)
		})
	}
}

// player plays a recording. The maps lead from recorded values to the values of this server.
type player struct {
	t       *testing.T
	lines   []*line
	cluster uint128.Uint128
	address string
	clients map[int]*vsrtest.Client // by number of the connection

	contexts   map[[16]byte][16]byte
	requests   map[[16]byte][16]byte // their checksums
	sessions   map[uint64]uint64
	timestamps map[uint64]uint64
	views      uint32 // the highest view recorded so far
	opened     map[uint128.Uint128]bool
}

func play(t *testing.T, lines []*line) {
	t.Helper()
	p := &player{
		t: t, lines: lines, clients: map[int]*vsrtest.Client{},
		contexts: map[[16]byte][16]byte{}, requests: map[[16]byte][16]byte{},
		sessions: map[uint64]uint64{}, timestamps: map[uint64]uint64{}, opened: map[uint128.Uint128]bool{},
	}
	cfg := p.serverConfig()
	p.cluster = cfg.Cluster
	began := time.Now().Add(time.Hour) // ahead of the clock for answers without a timestamp of the ledger
	var now atomic.Int64
	now.Store(began.UnixNano())
	clock := func() time.Time { return time.Unix(0, now.Load()) }
	l := embedded.New(embedded.WithClock(clock), embedded.WithBatchMax((cfg.RequestMax-vsr.HeaderSize)/128-1))
	_, p.address = start(t, l, cfg)
	for i, line := range lines {
		now.Store(began.Add(time.Duration(line.Millis * 1e6)).UnixNano())
		p.playLine(i, line)
	}
	for _, c := range p.clients {
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		c.RequireEnd()
	}
	p.requireSameOrder()
}

// serverConfig configures the server as the recorded one was.
func (p *player) serverConfig() server.Config {
	cfg := server.Config{RequestMax: server.RequestMaxDevelopment}
	refusing := true
	for _, l := range p.lines {
		switch {
		case l.fromServer():
			cfg.Cluster, refusing = l.header.Cluster(), false
			if l.header.Command() != vsr.CommandReply {
				cfg.Release = l.header.Release().String()
			} else if server.Operation(vsr.DecodeReply(&l.header).Operation) == server.Register {
				cfg.RequestMax = vsr.HeaderSize + int(binary.LittleEndian.Uint32(l.body))
			}
		case l.fromClient() && refusing:
			cfg.Cluster = l.header.Cluster().Sub64(1) // the server was of another cluster
		}
	}
	return cfg
}

func (p *player) playLine(i int, l *line) {
	switch {
	case l.Event == "connect":
		p.clients[l.Conn] = vsrtest.Dial(p.t, p.address)
	case l.Event == "close" && l.By == "server" && p.serverRefused(l.Conn):
		p.clients[l.Conn].RequireEnd()
		delete(p.clients, l.Conn)
	case l.Event == "close":
		_ = p.clients[l.Conn].Conn.Close()
		delete(p.clients, l.Conn)
	case l.fromClient() && p.wasLost(i, l):
		p.t.Logf("line %d is not sent: the recorded server was starting and did not answer it", l.Number)
	case l.fromClient():
		p.send(i, l)
	case l.fromServer() && p.isUnasked(i, l):
		p.t.Logf("line %d is not awaited: the recorded server repeated its log after a restart", l.Number)
	case l.fromServer():
		p.receive(l)
	}
}

// serverRefused reports whether the server said nothing on a connection but ended it.
func (p *player) serverRefused(conn int) bool {
	return !slices.ContainsFunc(p.lines, func(l *line) bool { return l.Conn == conn && l.fromServer() })
}

// isUnasked reports whether a message of the server is one that a server sends when it repeats its
// log after a restart. The client ignores them, and this server has no log of requests.
func (p *player) isUnasked(i int, l *line) bool {
	if l.header.Command() != vsr.CommandReply {
		return false
	}
	for j := i - 1; j >= 0; j-- {
		if before := p.lines[j]; before.Conn == l.Conn && before.fromClient() {
			return before.header.Checksum() != vsr.DecodeReply(&l.header).RequestChecksum
		}
	}
	return true
}

// wasLost reports whether the recorded server did not answer a request, because it was starting: the
// client repeats it, or the next message of the connection is one that the client did not ask for.
func (p *player) wasLost(i int, l *line) bool {
	for j := i + 1; j < len(p.lines); j++ {
		next := p.lines[j]
		switch {
		case next.Conn != l.Conn:
		case next.fromClient() && next.header == l.header:
			return true
		default:
			return next.fromServer() && p.isUnasked(j, next)
		}
	}
	return false
}

// send sends a recorded message with the values of this server.
func (p *player) send(i int, l *line) {
	if l.Action == "drop" || l.Action == "cut" {
		return
	}
	h, body := l.header, slices.Clone(l.body)
	if !l.header.ChecksumHolds() || !l.header.BodyHolds(body) {
		p.clients[l.Conn].Write(h[:], body)
		return
	}
	if next := i + 1; next < len(p.lines) && p.lines[next].fromServer() && p.opened[clientOf(&h)] &&
		p.lines[next].header.Command() == vsr.CommandEviction && p.lines[next].header.EvictionReason() == vsr.EvictionNoSession {
		p.openOtherSessions()
	}
	p.carryOver(&h, body)
	h.Seal(body)
	p.requests[l.header.Checksum()] = h.Checksum()
	p.clients[l.Conn].Write(h[:], body)
}

// Offsets of fields that depend on the server, by command.
const (
	atView, atParent, atSession, atPingSession  = 104, 128, 176, 152
	atReplyChecksum, atReplyClient, atReplyTime = 128, 192, 224
)

func clientOf(h *vsr.Header) uint128.Uint128 {
	switch h.Command() { //nolint:exhaustive // the others come from servers
	case vsr.CommandPingClient:
		return uint128.FromBytes(h[128:])
	default:
		return uint128.FromBytes(h[160:])
	}
}

// carryOver replaces the recorded server's values in a request or ping.
func (p *player) carryOver(h *vsr.Header, body []byte) {
	replace := func(at int, values map[uint64]uint64) {
		if ours, known := values[binary.LittleEndian.Uint64(h[at:])]; known {
			binary.LittleEndian.PutUint64(h[at:], ours)
		}
	}
	if h.View() > 0 && h.View() <= p.views {
		binary.LittleEndian.PutUint32(h[atView:], 1)
	}
	if h.Command() == vsr.CommandPingClient {
		replace(atPingSession, p.sessions)
		return
	}
	replace(atSession, p.sessions)
	if ours, known := p.contexts[[16]byte(h[atParent:])]; known {
		copy(h[atParent:], ours[:])
	}
	for at := 0; at+8 <= len(body); at += 8 { // filters with timestamps of rows
		recorded := binary.LittleEndian.Uint64(body[at:])
		for _, step := range []uint64{0, 1, ^uint64(0)} {
			if ours, known := p.timestamps[recorded+step]; known {
				binary.LittleEndian.PutUint64(body[at:], ours-step)
				break
			}
		}
	}
}

// openOtherSessions opens as many sessions as push out all others.
func (p *player) openOtherSessions() {
	for i := range uint64(64) {
		other := vsrtest.Dial(p.t, p.address)
		h := vsr.Request{Release: release, Client: uint128.New(i, 99), Operation: vsr.OperationRegister}.Encode(p.cluster, make([]byte, 256))
		other.Write(h[:], make([]byte, 256))
		other.Read()
		_ = other.Conn.Close()
	}
}

// receive reads the server's message and compares it with the recorded one.
func (p *player) receive(l *line) {
	h, body, err := p.clients[l.Conn].TryRead(vsrtest.Patience)
	require.NoError(p.t, err, "line %d", l.Number)
	p.views = max(p.views, l.header.View())
	wantHeader, wantBody := l.header, slices.Clone(l.body)
	if h.Command() == vsr.CommandReply && l.header.Command() == vsr.CommandReply {
		p.learn(l, &h, body)
		for _, at := range timestampsOf(server.Operation(vsr.DecodeReply(&h).Operation), len(wantBody)) {
			if at+8 <= len(body) {
				copy(wantBody[at:at+8], body[at:])
			}
		}
		sum := p.requests[vsr.DecodeReply(&l.header).RequestChecksum]
		copy(wantHeader[atReplyChecksum:], sum[:])
		copy(wantHeader[160:176], h[160:]) // context
		copy(wantHeader[208:232], h[208:]) // op, commit, timestamp
		require.Equal(p.t, h[208:216], h[216:224], "op and commit, line %d", l.Number)
	}
	require.Equal(p.t, wantBody, body, "the body, line %d", l.Number)
	copy(wantHeader[:48], h[:]) // checksums
	require.Equal(p.t, uint32(1), h.View(), "the view, line %d", l.Number)
	copy(wantHeader[atView:atView+4], h[atView:])
	require.Equal(p.t, wantHeader, h, "the header, line %d", l.Number)
}

// learn notes the values of this server in place of the recorded ones.
func (p *player) learn(l *line, h *vsr.Header, body []byte) {
	recorded, ours := vsr.DecodeReply(&l.header), vsr.DecodeReply(h)
	p.contexts[recorded.Context] = ours.Context
	if ours.Operation == vsr.OperationRegister {
		p.sessions[recorded.Op] = ours.Op
		p.opened[ours.Client] = true
	}
	p.learnTimestamp(recorded.Timestamp, ours.Timestamp)
	for _, at := range timestampsOf(server.Operation(recorded.Operation), len(l.body)) {
		if at+8 <= len(body) {
			p.learnTimestamp(binary.LittleEndian.Uint64(l.body[at:]), binary.LittleEndian.Uint64(body[at:]))
		}
	}
}

func (p *player) learnTimestamp(recorded, ours uint64) {
	if before, known := p.timestamps[recorded]; known {
		require.Equal(p.t, before, ours, "two timestamps for the recorded %d", recorded)
	}
	p.timestamps[recorded] = ours
}

// requireSameOrder requires that the timestamps of this server are in the recorded order.
func (p *player) requireSameOrder() {
	var recorded []uint64
	for at := range p.timestamps {
		recorded = append(recorded, at)
	}
	slices.Sort(recorded)
	for i := 1; i < len(recorded); i++ {
		require.Less(p.t, p.timestamps[recorded[i-1]], p.timestamps[recorded[i]], "the order of recorded %d and %d", recorded[i-1], recorded[i])
	}
}
