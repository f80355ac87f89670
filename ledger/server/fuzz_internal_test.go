package server

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// memoryConn is a connection whose client has said everything already.
type memoryConn struct {
	net.Conn

	said     bytes.Reader
	answered bytes.Buffer
}

func (c *memoryConn) Read(b []byte) (int, error)       { return c.said.Read(b) }
func (c *memoryConn) Write(b []byte) (int, error)      { return c.answered.Write(b) }
func (c *memoryConn) Close() error                     { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
func (c *memoryConn) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr             { return &net.UnixAddr{} }

// How FuzzConnection prepares the fuzzed bytes.
const (
	fuzzSeal    = 1 << iota // the first 256 bytes are a header and the rest its body: seal them
	fuzzCurrent             // it is the next request of the session
)

// FuzzConnection sends a register and then anything. Whatever comes, the answers are well-formed
// messages, and the server does not panic.
func FuzzConnection(f *testing.F) {
	body := appendBatches(nil, batches{make([]byte, 2*rowSize), []int{2}}, rowSize)
	for operation := range 256 {
		h := vsr.Request{View: 1, Release: vsr.NewRelease(0, 17, 9), Client: uint128.From64(1), Operation: uint8(operation)}.Encode(uint128.Zero, body)
		f.Add(uint8(fuzzSeal|fuzzCurrent), append(h[:], body...))
	}
	ping := vsr.Ping{Release: vsr.NewRelease(0, 17, 9), Client: uint128.From64(1)}.Encode(uint128.Zero)
	f.Add(uint8(fuzzSeal), ping[:])
	f.Add(uint8(0), append(ping[:], ping[:]...))
	f.Fuzz(func(t *testing.T, how uint8, said []byte) {
		s, err := New(embedded.New(), Config{})
		if err != nil {
			t.Fatal(err)
		}
		register := vsr.Request{Release: s.cfg.release, Client: uint128.From64(1), Operation: uint8(Register)}
		registerBody := make([]byte, registerSize)
		h := register.Encode(uint128.Zero, registerBody)
		conn := &memoryConn{}
		c := s.newConnection(t.Context(), nil, conn)
		talk := func(b []byte) {
			conn.said.Reset(b)
			c.reader.Reset(conn)
			if err := c.handleMessages(t.Context(), t.Context()); err == nil {
				t.Fatal("the connection goes on after its end")
			}
		}
		talk(append(h[:], registerBody...))
		answer := conn.answered.Next(vsr.HeaderSize + registerReplySize)
		if how&fuzzSeal != 0 && len(said) >= vsr.HeaderSize {
			said = sealFuzzed(how, said, vsr.DecodeReply((*vsr.Header)(answer)))
		}
		talk(said)
		requireMessages(t, conn.answered.Bytes())
	})
}

// sealFuzzed makes a message with right checksums of the fuzzed bytes.
func sealFuzzed(how uint8, said []byte, registered vsr.Reply) []byte {
	said = bytes.Clone(said[:min(len(said), vsr.MessageMax)])
	h := (*vsr.Header)(said)
	clear(h[atHeaderCluster : atHeaderCluster+16])
	if how&fuzzCurrent != 0 {
		copy(h[128:], registered.Context[:])
		uint128.From64(1).PutBytes(h[160:])
		binary.LittleEndian.PutUint64(h[176:], registered.Op)
		binary.LittleEndian.PutUint32(h[192:], 1)
	}
	h.Seal(said[vsr.HeaderSize:])
	return said
}

const atHeaderCluster = 80

// requireMessages requires that the server's bytes are whole, sealed messages.
func requireMessages(t *testing.T, answered []byte) {
	t.Helper()
	for from := bytes.NewReader(answered); from.Len() > 0; {
		var h vsr.Header
		if _, err := io.ReadFull(from, h[:]); err != nil {
			t.Fatal(err)
		}
		body := make([]byte, h.Size()-vsr.HeaderSize)
		if _, err := io.ReadFull(from, body); err != nil {
			t.Fatal(err)
		}
		if !h.ChecksumHolds() || !h.BodyHolds(body) {
			t.Fatal("an answer with a wrong checksum")
		}
		rules, known := findRules(Operation(vsr.DecodeReply(&h).Operation))
		if h.Command() == vsr.CommandReply && known && rules.multiBatch {
			if _, valid := decodeBatches(body, rules.result); !valid {
				t.Fatalf("a reply to %s with a wrong body", rules.name)
			}
		}
	}
}
