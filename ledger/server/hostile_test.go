package server_test

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/server"
)

// Offsets in a header.
const (
	atCluster, atSize, atCommand, atEpoch = 80, 96, 114, 100
)

// A message that breaks the framing ends its connection.
func TestFraming(t *testing.T) {
	t.Parallel()
	reseal := func(h *vsr.Header) {
		sum := vsr.Checksum(h[16:])
		copy(h[:], sum[:])
	}
	for name, damage := range map[string]func(h *vsr.Header, body []byte){
		"checksum":        func(h *vsr.Header, _ []byte) { h[200]++ },
		"body":            func(_ *vsr.Header, body []byte) { body[3]++ },
		"another cluster": func(h *vsr.Header, _ []byte) { h[atCluster]++; reseal(h) },
		"size below":      func(h *vsr.Header, _ []byte) { binary.LittleEndian.PutUint32(h[atSize:], 255); reseal(h) },
		"size above":      func(h *vsr.Header, _ []byte) { binary.LittleEndian.PutUint32(h[atSize:], 1<<20+1); reseal(h) },
		"huge size":       func(h *vsr.Header, _ []byte) { binary.LittleEndian.PutUint32(h[atSize:], 1<<32-1); reseal(h) },
		"unknown command": func(h *vsr.Header, _ []byte) { h[atCommand] = 99; reseal(h) },
		"retired command": func(h *vsr.Header, _ []byte) { h[atCommand] = 12; reseal(h) },
		"command 0":       func(h *vsr.Header, _ []byte) { h[atCommand] = 0; reseal(h) },
		"all zero":        func(h *vsr.Header, _ []byte) { *h = vsr.Header{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, address := serveCluster(t, server.Config{})
			good, s := openSession(t, address, 1), openSession(t, address, 2)
			body := emptyLookup()
			h := s.Next.Encode(cluster, body)
			damage(&h, body)
			s.Write(h[:], body)
			s.RequireEnd()
			good.RequireReply(emptyLookup()) // others go on
		})
	}
}

// A message with a field that no client sends, or between replicas, is ignored.
func TestIgnoredMessages(t *testing.T) {
	t.Parallel()
	_, address := serveCluster(t, server.Config{})
	s := openSession(t, address, 1)
	ignored := map[string]func(*vsr.Header){
		"command of replicas": func(h *vsr.Header) { h[atCommand] = 7 },
		"a reply":             func(h *vsr.Header) { h[atCommand] = byte(vsr.CommandReply) },
		"epoch":               func(h *vsr.Header) { h[atEpoch] = 1 },
		"protocol":            func(h *vsr.Header) { h[112] = 1 },
		"replica":             func(h *vsr.Header) { h[115] = 1 },
		"release 0":           func(h *vsr.Header) { binary.LittleEndian.PutUint32(h[108:], 0) },
	}
	for _, at := range []int{16, 31, 48, 63, 64, 79, 116, 127, 144, 159, 197, 199, 204, 255} {
		ignored["byte "+string(rune('0'+at/100))+string(rune('0'+at/10%10))+string(rune('0'+at%10))] = func(h *vsr.Header) { h[at] = 1 }
	}
	for name, change := range ignored {
		h := s.Next.Encode(cluster, emptyLookup())
		change(&h)
		h.Seal(emptyLookup())
		s.Write(h[:], emptyLookup())
		t.Log(name) // the last one is the cause of a failure
		s.RequireSilence(s.Next.Client)
	}
	s.RequireReply(emptyLookup())
}

// The log names what a client does not: its wrong cluster, and the reason of its eviction.
func TestLog(t *testing.T) {
	t.Parallel()
	var log strings.Builder // complete when the server has ended
	ctx, stop := context.WithCancel(t.Context())
	listener := listen(t)
	done := make(chan error, 1)
	go func() {
		done <- server.Serve(ctx, listener, embedded.New(), server.Config{Cluster: cluster, Log: slog.New(slog.NewTextHandler(&log, nil))})
	}()
	s := openSession(t, listener.Addr().String(), 1)
	s.Next.Operation = 200
	s.SendNext(emptyLookup())
	s.RequireEviction(vsr.EvictionInvalidOperation)
	h := s.Next.Encode(cluster.Add64(1), nil)
	s.Write(h[:])
	s.RequireEnd()
	again := vsrtest.Dial(t, listener.Addr().String()) // as the client does, for ever
	again.Write(h[:])
	again.RequireEnd()
	stop()
	require.NoError(t, <-done)
	require.Equal(t, 1, strings.Count(log.String(), "another cluster"))
	require.Regexp(t, `level=WARN msg="a client is evicted" client=127.0.0.1:\d+ reason=invalid_request_operation operation=operation\(200\)\n`, log.String())
	require.Regexp(t, `level=WARN msg="a client asks for another cluster, and its calls hang" client=127.0.0.1:\d+ asked=8 served=7 remedy="give the client cluster id 7, or the server cluster id 8"\n`, log.String())
}

// Messages may come in pieces of any length, and several at once.
func TestPieces(t *testing.T) {
	t.Parallel()
	_, address := serveCluster(t, server.Config{})
	s := openSession(t, address, 1)
	h := s.Next.Encode(cluster, emptyLookup())
	ping := vsr.Ping{Release: release, Client: s.Next.Client}.Encode(cluster)
	message := append(append(h[:], emptyLookup()...), ping[:]...)
	for i := range message {
		s.Write(message[i : i+1])
	}
	reply, _ := s.Read()
	require.Equal(t, vsr.CommandReply, reply.Command())
	pong, _ := s.Read()
	require.Equal(t, vsr.CommandPongClient, pong.Command())
}

// pipes is a listener without a network, for tests in which time is virtual.
type pipes struct {
	conns   chan net.Conn
	closing sync.Once
	done    chan struct{}
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.closing.Do(func() { close(p.done) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (p *pipes) dial(tb testing.TB) *vsrtest.Client {
	tb.Helper()
	ours, theirs := net.Pipe()
	p.conns <- theirs
	tb.Cleanup(func() { _ = ours.Close() })
	return vsrtest.NewClient(tb, ours)
}

// servePipes serves a ledger in a test with virtual time.
func servePipes(tb testing.TB, cfg server.Config) (*server.Server, *pipes) {
	tb.Helper()
	cfg.Cluster = cluster
	s, err := server.New(embedded.New(), cfg)
	require.NoError(tb, err)
	p := newPipes()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, p) }()
	tb.Cleanup(func() {
		stop()
		require.NoError(tb, <-done)
	})
	return s, p
}

// A header that promises a body which never comes, and a silent client, hold their connections for
// the idle time alone.
func TestSilentClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := servePipes(t, server.Config{})
		silent, promised := p.dial(t), p.dial(t)
		request := vsr.Request{Release: release, Client: uint128.From64(1), Operation: vsr.OperationRegister}.Encode(cluster, make([]byte, 1<<20-256))
		began := time.Now()
		promised.Write(request[:])
		for _, c := range []*vsrtest.Client{silent, promised} {
			_, err := c.Conn.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
			require.Equal(t, 2*time.Minute, time.Since(began))
		}
		synctest.Wait()
		require.Zero(t, s.Stats().Connections)
	})
}

// A client that does not read its answer loses its connection.
func TestClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := servePipes(t, server.Config{})
		c := p.dial(t)
		ping := vsr.Ping{Release: release, Client: uint128.From64(1)}.Encode(cluster)
		c.Write(ping[:])
		time.Sleep(17*time.Second - 1) //nolint:forbidigo // virtual time
		synctest.Wait()
		require.Equal(t, 1, s.Stats().Connections)
		time.Sleep(time.Nanosecond) //nolint:forbidigo // virtual time
		synctest.Wait()
		require.Zero(t, s.Stats().Connections)
	})
}

// Ten thousand connections: the first 128 are served, the others are ended at once. A place that
// becomes free is used again.
func TestTenThousandConnections(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := servePipes(t, server.Config{})
		var open []*vsrtest.Client
		for range 128 {
			open = append(open, p.dial(t))
		}
		for range 10_000 - 128 {
			_, err := p.dial(t).Conn.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF)
		}
		require.Equal(t, 128, s.Stats().Connections)
		ping := vsr.Ping{Release: release, Client: uint128.From64(1)}.Encode(cluster)
		open[127].Write(ping[:])
		pong, _ := open[127].Read()
		require.Equal(t, vsr.CommandPongClient, pong.Command())

		require.NoError(t, open[0].Conn.Close())
		synctest.Wait()
		again := p.dial(t)
		again.Write(ping[:])
		_, _ = again.Read()
	})
}

// The memory of a body grows as the body comes.
//
//nolint:paralleltest // it measures the memory of the process
func TestMemoryOfPromisedBodies(t *testing.T) {
	s, p := servePipes(t, server.Config{})
	h := vsr.Request{Release: release, Client: uint128.From64(1), Operation: vsr.OperationRegister}.Encode(cluster, make([]byte, 1<<20-256))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 128 {
		c := p.dial(t)
		c.Write(h[:])
		c.Write([]byte{1}) // the server has the header when this is read
	}
	require.Equal(t, 128, s.Stats().Connections)
	runtime.ReadMemStats(&after)
	t.Logf("%d bytes for each connection", (after.HeapAlloc-before.HeapAlloc)/128)
	require.Less(t, after.HeapAlloc-before.HeapAlloc, uint64(128*64<<10))
}

// remotePipes is a listener at an address beyond loopback.
type remotePipes struct{ *pipes }

func (remotePipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 3000} }

// The server takes no listener beyond loopback unless it is told to, and then warns.
func TestRemoteListener(t *testing.T) {
	t.Parallel()
	remote := remotePipes{newPipes()}
	require.ErrorIs(t, server.Serve(t.Context(), remote, embedded.New(), server.Config{}), server.ErrRemote)
	<-remote.done // it is closed
	for listener, warning := range map[net.Listener]string{remotePipes{newPipes()}: "has no authentication", newPipes(): ""} {
		var log strings.Builder // complete when the server has ended
		ctx, stop := context.WithCancel(t.Context())
		stop()
		require.NoError(t, server.Serve(ctx, listener, embedded.New(), server.Config{AllowRemote: true, Log: slog.New(slog.NewTextHandler(&log, nil))}))
		require.Contains(t, log.String(), warning)
		require.Equal(t, warning == "", log.Len() == 0)
	}
}

func TestWrongConfigs(t *testing.T) {
	t.Parallel()
	for field, cfg := range map[string]server.Config{
		"Release": {Release: "new"}, "OldestClient": {OldestClient: "0.16"}, "Sessions": {Sessions: -1},
		"RequestMax": {RequestMax: 1 << 21}, "MaxConnections": {MaxConnections: -1}, "IdleTimeout": {IdleTimeout: -1},
		"WriteTimeout": {WriteTimeout: -1}, "CloseTimeout": {CloseTimeout: -1},
	} {
		require.ErrorIs(t, cfg.Validate(), server.ErrConfig)
		require.ErrorContains(t, cfg.Validate(), field)
		listener := listen(t)
		require.ErrorIs(t, server.Serve(t.Context(), listener, embedded.New(), cfg), server.ErrConfig)
	}
	require.NoError(t, server.Config{}.Validate())
	require.NoError(t, server.Config{Sessions: 1, MaxConnections: 1, IdleTimeout: 1, WriteTimeout: 1, CloseTimeout: 1}.Validate())
	for _, size := range []int{4095, 4096 - 128, 4096 + 64} {
		require.Error(t, server.Config{RequestMax: size}.Validate(), size)
	}
	require.NoError(t, server.Config{RequestMax: 4096}.Validate())
}
