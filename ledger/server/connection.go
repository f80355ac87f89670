package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
)

// connection is a connection with one client.
type connection struct {
	*Server

	conn   net.Conn
	reader *bufio.Reader
	body   []byte          // of the last message; its memory is used again
	client uint128.Uint128 // 0 until the first message
	stop   context.CancelCauseFunc

	// onRequest and onAnswer call the functions of the configuration, or are nil.
	onRequest func(Message) error
	onAnswer  func(Message, []byte) error

	writing sync.Mutex // onAnswer may send from another goroutine
}

// readBuffer is the size of a connection's buffer, in bytes: small messages come in one read, and
// large bodies go past it.
const readBuffer = 4 << 10

// serveConnection serves a connection until it ends or serving ends. Requests under way go on
// until working ends. stop ends the whole server.
func (s *Server) serveConnection(serving, working context.Context, stop context.CancelCauseFunc, conn net.Conn) {
	defer s.connections.Add(-1)
	c := s.newConnection(serving, stop, conn)
	interrupt := context.AfterFunc(serving, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer interrupt()
	abort := context.AfterFunc(working, func() { _ = conn.Close() })
	defer abort()
	err := c.handleMessages(serving, working)
	s.cfg.Log.Debug("a connection ends", "client", conn.RemoteAddr().String(), "cause", err)
	_ = conn.Close()
}

func (s *Server) newConnection(serving context.Context, stop context.CancelCauseFunc, conn net.Conn) *connection {
	c := &connection{Server: s, conn: conn, reader: bufio.NewReaderSize(conn, readBuffer), stop: stop}
	if s.cfg.OnRequest != nil {
		c.onRequest = func(m Message) error { return s.cfg.OnRequest(serving, m) }
	}
	if s.cfg.OnAnswer != nil {
		c.onAnswer = func(m Message, answer []byte) error { return s.cfg.OnAnswer(serving, m, answer, c.send) }
	}
	return c
}

// handleMessages reads and handles messages. It returns the reason for the end of the connection.
func (c *connection) handleMessages(serving, working context.Context) error {
	for {
		_ = c.conn.SetReadDeadline(time.Now().Add(c.cfg.IdleTimeout)) // fails on a closed connection only, like the next read
		if serving.Err() != nil {
			return serving.Err() // the deadline may have replaced that of the end
		}
		header, body, err := c.readMessage()
		if err != nil {
			return err
		}
		if err := c.handleMessage(working, header, body); err != nil {
			return err
		}
	}
}

// The reasons for the end of a connection, for the log.
var (
	errFraming = errors.New("server: a message with a wrong checksum or size")
	errCluster = errors.New("server: a message to another cluster")
	errCommand = errors.New("server: a message with an unknown command")
	errClient  = errors.New("server: a ping of a second client")
)

// readMessage reads one message. The body is valid until the next call.
func (c *connection) readMessage() (*vsr.Header, []byte, error) {
	header := new(vsr.Header)
	if _, err := io.ReadFull(c.reader, header[:]); err != nil {
		return nil, nil, err
	}
	size := header.Size()
	if !header.ChecksumHolds() || size < vsr.HeaderSize || size > vsr.MessageMax {
		return nil, nil, errFraming
	}
	if header.Cluster() != c.cfg.Cluster {
		c.warnOfCluster(header.Cluster())
		return nil, nil, errCluster
	}
	if err := c.readBody(int(size - vsr.HeaderSize)); err != nil {
		return nil, nil, err
	}
	if !header.BodyHolds(c.body) {
		return nil, nil, errFraming
	}
	return header, c.body, nil
}

// warnOfCluster logs that a client asks for another cluster. Such a client connects again for ever,
// while its caller hangs, so one warning has to do until a client asks for a third cluster.
func (c *connection) warnOfCluster(asked uint128.Uint128) {
	if before := c.askedCluster.Swap(&asked); before != nil && *before == asked {
		return
	}
	c.cfg.Log.Warn("a client asks for another cluster, and its calls hang",
		"client", c.conn.RemoteAddr().String(), "asked", asked.String(), "served", c.cfg.Cluster.String(),
		"remedy", fmt.Sprintf("give the client cluster id %v, or the server cluster id %v", c.cfg.Cluster, asked))
}

// bodyStep is the memory that a body gets before any of it has come, in bytes. A header can promise
// a body that never comes.
const bodyStep = 16 << 10

// readBody reads a body of this size. The memory grows as the body comes.
func (c *connection) readBody(size int) error {
	c.body = c.body[:0]
	for len(c.body) < size {
		if len(c.body) == cap(c.body) {
			grown := make([]byte, len(c.body), min(size, max(bodyStep, 4*cap(c.body))))
			copy(grown, c.body)
			c.body = grown
		}
		next := c.body[len(c.body):min(size, cap(c.body))]
		if _, err := io.ReadFull(c.reader, next); err != nil {
			return err
		}
		c.body = c.body[:len(c.body)+len(next)]
	}
	return nil
}

// handleMessage handles a message. A message with a field that no client sends, or with a command
// between replicas, is ignored. An error ends the connection.
func (c *connection) handleMessage(ctx context.Context, header *vsr.Header, body []byte) error {
	switch command := header.Command(); command { //nolint:exhaustive // replicas send the others
	case vsr.CommandPingClient:
		if ping, valid := vsr.DecodePing(header); valid {
			return c.handlePing(ping)
		}
	case vsr.CommandRequest:
		if request, valid := vsr.DecodeRequest(header); valid {
			return c.handleRequest(ctx, request, header.Checksum(), body)
		}
	default:
		if !command.Known() {
			return fmt.Errorf("%w: %d", errCommand, command)
		}
	}
	return nil
}

// handlePing answers a ping. A connection has one client.
func (c *connection) handlePing(ping vsr.Ping) error {
	if !c.claim(ping.Client) {
		return errClient
	}
	m := Message{Client: ping.Client}
	if done, err := c.interceptMessage(m); done {
		return err
	}
	switch {
	case ping.Release < c.cfg.oldest:
		return c.evict(m, vsr.EvictionReleaseTooLow)
	case ping.Release > c.cfg.release:
		return c.evict(m, vsr.EvictionReleaseTooHigh)
	case c.sessions.isGone(ping):
		return c.evict(m, vsr.EvictionNoSession)
	}
	pong := vsr.Pong{View: view, Release: c.cfg.release}.Encode(c.cfg.Cluster, ping.Timestamp)
	return c.answer(m, pong[:])
}

// view is the view in every answer. TigerBeetle's first view of a cluster that has started is 1.
const view = 1

// claim notes the client of the connection. It returns false for a second client.
func (c *connection) claim(client uint128.Uint128) bool {
	if c.client.IsZero() {
		c.client = client
	}
	return c.client == client
}

// interceptMessage calls [Config.OnRequest]. done means that the message needs no more work.
func (c *connection) interceptMessage(m Message) (done bool, err error) {
	if c.onRequest == nil {
		return false, nil
	}
	err = c.onRequest(m)
	var eviction *EvictError
	switch {
	case errors.Is(err, ErrIgnore):
		return true, nil
	case errors.As(err, &eviction):
		return true, c.evict(m, eviction.Reason)
	}
	return err != nil, err
}

// evict evicts a client. Its callers see at most that, so the log has the reason.
func (c *connection) evict(m Message, reason vsr.Eviction) error {
	c.cfg.Log.Warn("a client is evicted", "client", c.conn.RemoteAddr().String(), "reason", reason.String(), "operation", m.Operation.String())
	eviction := vsr.EncodeEviction(c.cfg.Cluster, view, c.cfg.release, m.Client, reason)
	return c.answer(m, eviction[:])
}

// answer sends an answer.
func (c *connection) answer(m Message, message []byte) error {
	if c.onAnswer != nil {
		return c.onAnswer(m, bytes.Clone(message)) // the session keeps the message for repeats
	}
	return c.send(message)
}

// send writes bytes whole, or ends the connection.
func (c *connection) send(message []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.cfg.WriteTimeout)) // fails on a closed connection only, like the write
	_, err := c.conn.Write(message)
	if err != nil {
		_ = c.conn.Close() // a part may have been written
	}
	return err
}
