package btp_test

import (
	"context"
	"crypto/rand"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/examples/internal/btp"
)

// logInRaw logs in by hand at a server.
func logInRaw(t *testing.T, address string) *websocket.Conn {
	t.Helper()
	socket, _, err := websocket.Dial(t.Context(), strings.Replace(address, "btp+ws://a:secret@", "ws://", 1), nil) //nolint:bodyclose // a websocket has none
	require.NoError(t, err)
	t.Cleanup(func() { _ = socket.CloseNow() })
	socket.SetReadLimit(btp.MaxFrame)
	require.NoError(t, writeFrame(t.Context(), socket, btp.Frame{Type: btp.TypeMessage, SubProtocols: []btp.SubProtocol{{Name: "auth"}, {Name: "auth_token", Data: []byte("secret")}}}))
	_, err = readFrame(t.Context(), socket)
	require.NoError(t, err)
	return socket
}

// Packets to a peer that takes no frames are bounded, however soon they expire.
func TestWritersAreBounded(t *testing.T) { //nolint:paralleltest // it counts all goroutines
	server := newServer(t, btp.Login{Account: "a", Token: "secret", Handler: echo("")})
	logInRaw(t, serve(t, server)("a", "secret")) // and never reads
	waitLinked(t, server.Peer("a"))
	before := runtime.NumGoroutine()
	most := 0
	packet := make([]byte, 32<<10)
	for range 12000 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Microsecond)
		_, err := server.Peer("a").Send(ctx, packet)
		cancel()
		require.Error(t, err)
		most = max(most, runtime.NumGoroutine()-before)
		if errors.Is(err, btp.ErrNotSent) {
			break
		}
	}
	t.Log(most)
	require.LessOrEqual(t, most, 4096+10)
}

// Noise and cut frames never end more than a link.
func TestNoiseAtAPeer(t *testing.T) {
	t.Parallel()
	server := newServer(t, btp.Login{Account: "a", Token: "secret", Handler: echo("")})
	address := serve(t, server)("a", "secret")
	good, err := (&btp.Frame{Type: btp.TypeMessage, RequestID: 9, SubProtocols: []btp.SubProtocol{{Name: "ilp", Data: []byte("packet")}}}).AppendBinary(nil)
	require.NoError(t, err)
	for i := range 150 {
		socket := logInRaw(t, address)
		b := append([]byte(nil), good...)
		switch i % 5 {
		case 0:
			_, _ = rand.Read(b)
		case 1:
			b = b[:i%len(b)]
		case 2:
			b = append(b, b...)
		case 3:
			var x [2]byte
			_, _ = rand.Read(x[:])
			b[int(x[0])%len(b)] = x[1]
		case 4:
			b = append(b[:5], 0xff, 0xff, 0xff, 0xff, 0xff)
		}
		_ = socket.Write(t.Context(), websocket.MessageBinary, b)
		_ = socket.CloseNow()
	}
	socket := logInRaw(t, address)
	for range 3 { // one id many times, as often answered
		require.NoError(t, socket.Write(t.Context(), websocket.MessageBinary, good))
	}
	for range 3 {
		f, err := readFrame(t.Context(), socket)
		require.NoError(t, err)
		require.Equal(t, uint32(9), f.RequestID)
	}
	// Answers without a request, and answers twice.
	for range 1000 {
		require.NoError(t, writeFrame(t.Context(), socket, btp.Frame{Type: btp.TypeResponse, RequestID: 77}))
	}
	require.NoError(t, socket.Write(t.Context(), websocket.MessageBinary, good))
	_, err = readFrame(t.Context(), socket)
	require.NoError(t, err)
}

// Of two log-ins the later one keeps the line, however their goroutines are scheduled.
func TestLaterLogInKeepsTheLine(t *testing.T) {
	t.Parallel()
	server := newServer(t, btp.Login{Account: "a", Token: "secret", Handler: echo("")})
	address := serve(t, server)("a", "secret")
	packet := btp.Frame{Type: btp.TypeMessage, RequestID: 9, SubProtocols: []btp.SubProtocol{{Name: "ilp", Data: []byte("packet")}}}
	for range 500 {
		logInRaw(t, address)
		socket := logInRaw(t, address)
		require.NoError(t, writeFrame(t.Context(), socket, packet))
		_, err := readFrame(t.Context(), socket)
		require.NoError(t, err)
	}
}
