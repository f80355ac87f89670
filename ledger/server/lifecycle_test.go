package server_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/server"
)

// At the end of the context a request under way is answered, up to the close time.
func TestEndOfServing(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		work     time.Duration
		answered bool
	}{"in time": {4 * time.Second, true}, "too late": {time.Hour, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				s, err := server.New(&slowLedger{embedded.New(), row.work}, server.Config{Cluster: cluster})
				require.NoError(t, err)
				p := newPipes()
				done := make(chan error, 1)
				go func() { done <- s.Serve(ctx, p) }()
				c := &vsrtest.Session{Client: p.dial(t), Next: vsr.Request{Release: release, Client: uint128.From64(1), Operation: vsr.OperationRegister}}
				h, _ := c.Ask(make([]byte, 256))
				c.Next = vsr.Request{Release: release, Client: c.Next.Client, Session: 2, Number: 1, Operation: uint8(server.LookupAccounts), Parent: vsr.DecodeReply(&h).Context}
				c.SendNext(emptyLookup())
				synctest.Wait()
				stop()
				_, _, err = c.TryRead(time.Minute)
				require.Equal(t, row.answered, err == nil)
				require.NoError(t, <-done)
			})
		})
	}
}

// Serve returns after the listener's Close has: the address is free for the next listener.
func TestEndOfTheListener(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		listener := &slowListener{pipes: newPipes()}
		time.AfterFunc(time.Second, stop)
		require.NoError(t, server.Serve(ctx, listener, embedded.New(), server.Config{}))
		require.True(t, listener.free.Load())
	})
}

// slowListener ends Accept at the beginning of Close, and frees its address at the end, as the
// network may.
type slowListener struct {
	*pipes

	free atomic.Bool
}

func (l *slowListener) Close() error {
	_ = l.pipes.Close()
	time.Sleep(time.Second) //nolint:forbidigo // virtual time
	l.free.Store(true)
	return nil
}

// slowLedger takes its time for a look-up.
type slowLedger struct {
	*embedded.Ledger

	work time.Duration
}

func (l *slowLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	select {
	case <-time.After(l.work):
		return l.Ledger.LookupAccounts(ctx, ids)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A ledger that has ended ends the server with the cause.
func TestEndOfTheLedger(t *testing.T) {
	t.Parallel()
	account, filter := make([]byte, 256), make([]byte, 128)
	copy(account[128:], bytes.Repeat([]byte{0xFF}, 128))
	copy(account[252:], []byte{1, 0, 1, 0})
	copy(filter[64:], bytes.Repeat([]byte{0xFF}, 64))
	copy(filter[124:], []byte{1, 0, 1, 0})
	for operation, body := range map[server.Operation][]byte{
		server.LookupAccounts: emptyLookup(), server.CreateAccounts: account, server.CreateTransfers: account, server.QueryAccounts: filter,
		138: account, // create_accounts of release 0.16
	} {
		l := embedded.New()
		listener := listen(t)
		done := make(chan error, 1)
		go func() { done <- server.Serve(t.Context(), listener, l, server.Config{Cluster: cluster}) }()
		s := openSession(t, listener.Addr().String(), 1)
		require.NoError(t, l.Close())
		s.Next.Operation = uint8(operation)
		s.SendNext(body)
		s.RequireEnd()
		require.ErrorIs(t, <-done, ledger.ErrClosed, "%v", operation)
	}
}

// A listener that fails ends the server with its error.
func TestListenerThatFails(t *testing.T) {
	t.Parallel()
	p := newPipes()
	require.NoError(t, p.Close())
	require.ErrorIs(t, server.Serve(t.Context(), p, embedded.New(), server.Config{}), net.ErrClosed)
}

// crowdedListener has no file for its first connection.
type crowdedListener struct {
	*pipes

	refused atomic.Bool
}

func (l *crowdedListener) Accept() (net.Conn, error) {
	if l.refused.CompareAndSwap(false, true) {
		return nil, syscall.EMFILE
	}
	return l.pipes.Accept()
}

// A process without free files accepts connections again when it has some.
func TestNoFreeFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder // complete when the server has ended
		listener := &crowdedListener{pipes: newPipes()}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			done <- server.Serve(ctx, listener, embedded.New(), server.Config{Cluster: cluster, Log: slog.New(slog.NewTextHandler(&log, nil))})
		}()
		began := time.Now()
		listener.dial(t).RequireSilence(uint128.From64(1))
		require.Equal(t, 50*time.Millisecond, time.Since(began))
		stop()
		require.NoError(t, <-done)
		require.Contains(t, log.String(), "too many open files")
	})
}

// A ledger without change events does not have their operation.
func TestLedgerWithoutChangeEvents(t *testing.T) {
	t.Parallel()
	_, address := start(t, struct{ ledger.Ledger }{embedded.New()}, server.Config{Cluster: cluster})
	s := openSession(t, address, 1)
	s.Next.Operation = uint8(server.GetChangeEvents)
	s.SendNext(make([]byte, 64))
	s.RequireEviction(vsr.EvictionInvalidOperation)
}

// A copy of a request that is being executed is ignored, whichever connection brings it, and a
// session that is pushed out meanwhile still gets its answer.
func TestRequestUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		s, err := server.New(&slowLedger{embedded.New(), time.Minute}, server.Config{Cluster: cluster, Sessions: 1})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, p) }()
		c := vsrtest.Register(p.dial(t), 1, uint8(server.LookupAccounts))
		message := c.SendNext(emptyLookup())
		synctest.Wait()
		copies := p.dial(t)
		copies.Write(message)
		copies.RequireSilence(c.Next.Client)
		vsrtest.Register(p.dial(t), 2, uint8(server.LookupAccounts))
		h, _, err := c.TryRead(time.Hour)
		require.NoError(t, err)
		require.Equal(t, [16]byte(message[:16]), vsr.DecodeReply(&h).RequestChecksum)
		copies.Write(message)
		evicted, _ := copies.Read()
		require.Equal(t, vsr.EvictionNoSession, evicted.EvictionReason())
		stop()
		require.NoError(t, <-done)
	})
}

// failingLedger loses the answer to its first look-up of accounts, and may end with it.
type failingLedger struct {
	*embedded.Ledger

	ends  bool
	calls atomic.Int32
}

func (l *failingLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	if l.calls.Add(1) > 1 {
		return l.Ledger.LookupAccounts(ctx, ids)
	}
	if l.ends {
		_ = l.Close() // of a ledger in memory: never fails
	}
	return nil, fmt.Errorf("the disk: %w", ledger.ErrOutcomeUnknown)
}

// After a lost answer of the ledger the client repeats its request on another connection, and gets
// the answer there. If the ledger has ended, the server ends with the same request.
func TestLostAnswerOfTheLedger(t *testing.T) {
	t.Parallel()
	for _, ends := range []bool{false, true} {
		l := &failingLedger{Ledger: embedded.New(), ends: ends}
		ctx, stop := context.WithCancel(t.Context())
		listener := listen(t)
		done := make(chan error, 1)
		go func() { done <- server.Serve(ctx, listener, l, server.Config{Cluster: cluster}) }()
		s := openSession(t, listener.Addr().String(), 1)
		message := s.SendNext(emptyLookup())
		s.RequireEnd()
		if ends {
			require.ErrorIs(t, <-done, ledger.ErrClosed)
		} else {
			again := vsrtest.Dial(t, listener.Addr().String())
			again.Write(message)
			h, _ := again.Read()
			require.Equal(t, [16]byte(message[:16]), vsr.DecodeReply(&h).RequestChecksum)
		}
		stop()
		if !ends {
			require.NoError(t, <-done)
		}
	}
}

// A client that does not read its answer delays the end of the server by the close time at most.
func TestEndWithASlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		s, err := server.New(embedded.New(), server.Config{Cluster: cluster})
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, p) }()
		c := p.dial(t)
		ping := vsr.Ping{Release: release, Client: uint128.From64(1)}.Encode(cluster)
		c.Write(ping[:])
		synctest.Wait()
		began := time.Now()
		stop()
		require.NoError(t, <-done)
		require.Equal(t, 5*time.Second, time.Since(began))
	})
}
