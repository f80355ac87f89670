package server_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/server"
)

// emptyLookup is the body of a look-up of no accounts.
func emptyLookup() []byte {
	return []byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 1, 0}
}

func serveCluster(tb testing.TB, cfg server.Config) (s *server.Server, address string) {
	tb.Helper()
	cfg.Cluster = cluster
	return start(tb, embedded.New(), cfg)
}

// Each row of the reference's table: a request with one thing changed is answered by this eviction,
// or by nothing.
func TestRequestsOfASession(t *testing.T) {
	t.Parallel()
	nothing := vsr.Eviction(0)
	for name, row := range map[string]struct {
		change func(*vsr.Request)
		body   []byte
		want   vsr.Eviction
	}{
		"view above the server's":    {change: func(r *vsr.Request) { r.View = 2 }},
		"release too low":            {change: func(r *vsr.Request) { r.Release = vsr.NewRelease(0, 16, 3) }, want: vsr.EvictionReleaseTooLow},
		"release too high":           {change: func(r *vsr.Request) { r.Release = vsr.NewRelease(0, 17, 10) }, want: vsr.EvictionReleaseTooHigh},
		"body above the limit":       {body: make([]byte, 32<<10), want: vsr.EvictionInvalidBodySize},
		"unknown operation":          {change: func(r *vsr.Request) { r.Operation = 200 }, want: vsr.EvictionInvalidOperation},
		"pulse":                      {change: func(r *vsr.Request) { r.Operation = 128 }, want: vsr.EvictionInvalidOperation},
		"operation of replicas":      {change: func(r *vsr.Request) { r.Operation = 3 }, want: vsr.EvictionInvalidOperation},
		"body of no batches":         {body: []byte{}, want: vsr.EvictionInvalidBody},
		"noop with a body":           {change: func(r *vsr.Request) { r.Operation = 6 }, want: vsr.EvictionInvalidBody},
		"session too low":            {change: func(r *vsr.Request) { r.Session-- }, want: vsr.EvictionSessionTooLow},
		"session too high":           {change: func(r *vsr.Request) { r.Session++ }},
		"another release":            {change: func(r *vsr.Request) { r.Release = vsr.NewRelease(0, 17, 8) }, want: vsr.EvictionSessionReleaseMismatch},
		"an answered number":         {change: func(r *vsr.Request) { r.Number-- }},
		"the number after next":      {change: func(r *vsr.Request) { r.Number++ }},
		"another parent":             {change: func(r *vsr.Request) { r.Parent[0]++ }},
		"an unknown client":          {change: func(r *vsr.Request) { r.Client = uint128.From64(99) }}, // on another client's connection
		"a timestamp":                {change: func(r *vsr.Request) { r.Timestamp = 1 }},
		"no client":                  {change: func(r *vsr.Request) { r.Client = uint128.Zero }},
		"a register after a request": {change: func(r *vsr.Request) { *r = vsr.Request{Release: release, Client: r.Client, Operation: 2} }, body: make([]byte, 256)},
		"a register without a body":  {change: func(r *vsr.Request) { *r = vsr.Request{Release: release, Client: r.Client, Operation: 2} }, body: []byte{}, want: vsr.EvictionInvalidBodySize},
		"a short register":           {change: func(r *vsr.Request) { *r = vsr.Request{Release: release, Client: r.Client, Operation: 2} }, body: make([]byte, 128)},
		"a register with a session":  {change: func(r *vsr.Request) { r.Operation, r.Number = 2, 0 }, body: make([]byte, 256)},
		"a request without session":  {change: func(r *vsr.Request) { r.Session = 0 }},
		"a request without number":   {change: func(r *vsr.Request) { r.Number = 0 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, address := serveCluster(t, server.Config{RequestMax: server.RequestMaxDevelopment})
			s := openSession(t, address, 5)
			s.RequireReply(emptyLookup())
			wrong := &vsrtest.Session{Client: s.Client, Next: s.Next}
			if row.change != nil {
				row.change(&wrong.Next)
			}
			body := row.body
			if body == nil {
				body = emptyLookup()
			}
			wrong.SendNext(body)
			if row.want != nothing {
				wrong.RequireEviction(row.want)
			}
			s.RequireSilence(s.Next.Client)
			s.RequireReply(emptyLookup()) // the session is as before
		})
	}
}

// A repeated request is answered with the same bytes, on any connection, and changes nothing.
func TestRepeatedRequest(t *testing.T) {
	t.Parallel()
	_, address := serveCluster(t, server.Config{})
	s := openSession(t, address, 5)
	s.Next.Operation = uint8(server.Noop)
	message := s.SendNext(nil)
	first, _ := s.Read()
	again := vsrtest.Dial(t, address)
	again.Write(message)
	second, _ := again.Read()
	require.Equal(t, first, second)

	changed := s.Next
	changed.Latency = 1 // the same number, and another checksum
	h := changed.Encode(cluster, nil)
	again.Write(h[:])
	again.RequireSilence(s.Next.Client)
}

// A repeated register opens one session.
func TestRepeatedRegister(t *testing.T) {
	t.Parallel()
	srv, address := serveCluster(t, server.Config{})
	c := vsrtest.Dial(t, address)
	h := vsr.Request{Release: release, Client: uint128.From64(5), Operation: vsr.OperationRegister}.Encode(cluster, make([]byte, 256))
	for range 2 {
		c.Write(h[:], make([]byte, 256))
	}
	first, body := c.Read()
	second, _ := c.Read()
	require.Equal(t, first, second)
	require.Equal(t, uint32(vsr.MessageMax-256), binary.LittleEndian.Uint32(body))
	require.Equal(t, uint64(2), vsr.DecodeReply(&first).Op, "the first session of a new cluster")
	require.Equal(t, 1, srv.Stats().Sessions)

	other := vsr.Request{Release: release, Client: uint128.From64(5), Operation: vsr.OperationRegister, Latency: 1}.Encode(cluster, make([]byte, 256))
	c.Write(other[:], make([]byte, 256))
	c.RequireSilence(uint128.From64(5))
}

// A new session pushes out the one that has executed nothing for longest, and repeats do not count.
func TestSessionsPushOut(t *testing.T) {
	t.Parallel()
	srv, address := serveCluster(t, server.Config{Sessions: 2})
	first, second := openSession(t, address, 1), openSession(t, address, 2)
	first.RequireReply(emptyLookup())
	third := openSession(t, address, 3)
	require.Equal(t, 2, srv.Stats().Sessions)
	first.RequireReply(emptyLookup())
	third.RequireReply(emptyLookup())
	second.SendNext(emptyLookup())
	second.RequireEviction(vsr.EvictionNoSession)
}

// A ping tells a client that its session is gone. Only its being known is checked.
func TestPings(t *testing.T) {
	t.Parallel()
	srv, address := serveCluster(t, server.Config{})
	s := openSession(t, address, 5)
	ping := func(change func(*vsr.Ping)) vsr.Header {
		p := vsr.Ping{Release: release, Client: s.Next.Client, Session: s.Next.Session, Timestamp: 77}
		change(&p)
		h := p.Encode(cluster)
		s.Write(h[:])
		answer, _ := s.Read()
		return answer
	}
	pong := ping(func(*vsr.Ping) {})
	require.Equal(t, vsr.CommandPongClient, pong.Command())
	require.Equal(t, release, pong.Release())
	require.Equal(t, uint64(77), binary.LittleEndian.Uint64(pong[128:]))
	tooOld := ping(func(p *vsr.Ping) { p.Release = vsr.NewRelease(0, 16, 3) })
	require.Equal(t, vsr.EvictionReleaseTooLow, tooOld.EvictionReason())
	require.Equal(t, vsr.CommandPongClient, commandOf(ping(func(p *vsr.Ping) { p.Release = vsr.NewRelease(0, 16, 4) })), "the oldest")
	tooNew := ping(func(p *vsr.Ping) { p.Release = vsr.NewRelease(0, 18, 0) })
	require.Equal(t, vsr.EvictionReleaseTooHigh, tooNew.EvictionReason())

	srv.ForgetSessions()
	gone := ping(func(*vsr.Ping) {})
	require.Equal(t, vsr.EvictionNoSession, gone.EvictionReason())
	require.Equal(t, vsr.CommandPongClient, commandOf(ping(func(p *vsr.Ping) { p.Session = 0 })))
	require.Equal(t, vsr.CommandPongClient, commandOf(ping(func(p *vsr.Ping) { p.Session += 100 })), "a session that never was, as on TigerBeetle")
	s.SendNext(emptyLookup())
	s.RequireEviction(vsr.EvictionNoSession)
}

func commandOf(h vsr.Header) vsr.Command { return h.Command() }

// A second client's ping ends the connection, and its requests are ignored.
func TestOneClientAConnection(t *testing.T) {
	t.Parallel()
	_, address := serveCluster(t, server.Config{})
	s := openSession(t, address, 5)
	register := vsr.Request{Release: release, Client: uint128.From64(6), Operation: vsr.OperationRegister}.Encode(cluster, make([]byte, 256))
	s.Write(register[:], make([]byte, 256))
	s.RequireSilence(s.Next.Client)
	ping := vsr.Ping{Release: release, Client: uint128.From64(6)}.Encode(cluster)
	s.Write(ping[:])
	s.RequireEnd()
}

// A filter may ask for more rows than a reply has room for, as those of clients before 0.17 do.
func TestFiltersBeyondTheLimit(t *testing.T) {
	t.Parallel()
	_, address := serveCluster(t, server.Config{})
	s := openSession(t, address, 5)
	for operation, at := range map[server.Operation]int{
		server.GetAccountTransfers: 120, server.GetAccountBalances: 120, server.QueryAccounts: 56, server.QueryTransfers: 56, server.GetChangeEvents: 16,
	} {
		body := make([]byte, 128)
		switch operation { //nolint:exhaustive // the others are queries
		case server.GetChangeEvents:
			body = body[:64]
		case server.GetAccountTransfers, server.GetAccountBalances:
			body = append(body, bytes.Repeat([]byte{0xFF}, 128)...)
			copy(body[252:], []byte{1, 0, 1, 0})
		default:
			copy(body[64:], bytes.Repeat([]byte{0xFF}, 64))
			copy(body[124:], []byte{1, 0, 1, 0})
		}
		binary.LittleEndian.PutUint32(body[at:], 1<<31)
		s.Next.Operation = uint8(operation)
		s.RequireReply(body)
	}
}
