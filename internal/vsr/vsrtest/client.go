package vsrtest

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
)

// The release and the cluster of clients made by hand.
var (
	Release = vsr.NewRelease(0, 17, 9)
	Cluster = uint128.From64(7)
)

// Patience bounds every wait for an answer.
const Patience = 20 * time.Second

// Client is a client made by hand: it sends any bytes.
type Client struct {
	t    testing.TB
	Conn net.Conn
}

// Dial connects to a server. The connection ends with the test.
func Dial(tb testing.TB, address string) *Client {
	tb.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	return &Client{tb, conn}
}

// NewClient returns a client on a connection.
func NewClient(tb testing.TB, conn net.Conn) *Client {
	tb.Helper()
	return &Client{tb, conn}
}

// Write sends bytes as they are. An error shows at the next read.
func (c *Client) Write(parts ...[]byte) {
	for _, part := range parts {
		_, _ = c.Conn.Write(part)
	}
}

// Read reads a message and checks its checksums.
func (c *Client) Read() (h vsr.Header, body []byte) {
	c.t.Helper()
	h, body, err := c.TryRead(Patience)
	require.NoError(c.t, err)
	return h, body
}

// TryRead reads a message for so long. Its checksums must hold.
func (c *Client) TryRead(wait time.Duration) (h vsr.Header, body []byte, err error) {
	c.t.Helper()
	_ = c.Conn.SetReadDeadline(time.Now().Add(wait))
	if _, err := io.ReadFull(c.Conn, h[:]); err != nil {
		return h, nil, err
	}
	require.True(c.t, h.ChecksumHolds())
	body = make([]byte, h.Size()-vsr.HeaderSize)
	_, err = io.ReadFull(c.Conn, body)
	require.True(c.t, err != nil || h.BodyHolds(body))
	return h, body, err
}

// RequireEnd requires that the server ends the connection without another message.
func (c *Client) RequireEnd() {
	c.t.Helper()
	_, _, err := c.TryRead(Patience)
	require.Error(c.t, err)
	var timeout net.Error
	require.False(c.t, errors.As(err, &timeout) && timeout.Timeout(), "the connection is open")
}

// RequireSilence requires that the server has not answered: its next message answers a ping.
func (c *Client) RequireSilence(client uint128.Uint128) {
	c.t.Helper()
	ping := vsr.Ping{Release: Release, Client: client}.Encode(Cluster)
	c.Write(ping[:])
	h, _ := c.Read()
	require.Equal(c.t, vsr.CommandPongClient, h.Command())
}

// Session is the state of a raw client with a session.
type Session struct {
	*Client

	Next vsr.Request // the next request; a test may change it
}

// OpenSession registers a client on a new connection. Its requests are of one operation.
func OpenSession(tb testing.TB, address string, client uint64, operation uint8) *Session {
	tb.Helper()
	return Register(Dial(tb, address), client, operation)
}

// Register registers a client on a connection. Its requests are of one operation.
func Register(c *Client, client uint64, operation uint8) *Session {
	tb := c.t
	tb.Helper()
	s := &Session{c, vsr.Request{Release: Release, Client: uint128.From64(client), Operation: vsr.OperationRegister}}
	h, body := s.Ask(make([]byte, 256))
	reply := vsr.DecodeReply(&h)
	require.Equal(tb, vsr.CommandReply, h.Command())
	require.Len(tb, body, 64)
	s.Next = vsr.Request{
		View: h.View(), Release: Release, Client: s.Next.Client, Session: reply.Op, Parent: reply.Context,
		Number: 1, Operation: operation,
	}
	return s
}

// SendNext sends the next request with a body. It returns the message.
func (s *Session) SendNext(body []byte) []byte {
	h := s.Next.Encode(Cluster, body)
	message := append(h[:], body...)
	s.Write(message)
	return message
}

// Ask sends the next request and reads the answer.
func (s *Session) Ask(body []byte) (vsr.Header, []byte) {
	s.t.Helper()
	s.SendNext(body)
	return s.Read()
}

// RequireReply asks the next request and requires a reply to it.
func (s *Session) RequireReply(body []byte) []byte {
	s.t.Helper()
	message := s.SendNext(body)
	h, answer := s.Read()
	reply := vsr.DecodeReply(&h)
	require.Equal(s.t, vsr.CommandReply, h.Command())
	require.Equal(s.t, [16]byte(message[:16]), reply.RequestChecksum)
	s.Next.Number++
	s.Next.Parent = reply.Context
	return answer
}

// RequireEviction requires that the server has evicted the client.
func (s *Session) RequireEviction(reason vsr.Eviction) {
	s.t.Helper()
	h, _ := s.Read()
	require.Equal(s.t, vsr.CommandEviction, h.Command())
	require.Equal(s.t, reason, h.EvictionReason())
	require.Equal(s.t, s.Next.Client, uint128.FromBytes(h[128:]))
}
