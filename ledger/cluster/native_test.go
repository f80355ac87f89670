//go:build cgo

package cluster

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// These tests use the real native client without TigerBeetle.

// blackHole returns an address that accepts connections and answers nothing.
func blackHole(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var accepting sync.WaitGroup
	var conns []net.Conn
	accepting.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conns = append(conns, conn)
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		accepting.Wait()
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	return listener.Addr().String()
}

// unusedAddress returns an address without a listener.
func unusedAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	return listener.Addr().String()
}

// openBlind opens sessions without waiting for a cluster.
func openBlind(t *testing.T, cfg Config) *Ledger {
	t.Helper()
	require.NoError(t, cfg.Validate())
	l := newLedger(cfg.withDefaults(), dialNative)
	_, err := l.connectAll(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func TestOpenBlackHole(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	address := blackHole(t)
	_, err := Open(ctx, Config{Addresses: []string{address}, ClusterID: uint128.From64(7)})
	t.Log(err)
	var report *OpenError
	require.ErrorAs(t, err, &report)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, ledger.ErrOutcomeUnknown)
	require.True(t, report.Replicas[0].Tried)
	require.NoError(t, report.Replicas[0].Err)
	require.Equal(t, []Cause{CauseClusterID, CauseConnectionsTaken, CauseBusy}, report.Causes)
	require.ErrorContains(t, err, "cannot open cluster 7, tried for ")
	require.ErrorContains(t, err, "replica 0 at "+address+" accepts TCP")
}

func TestOpenRefused(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := Open(ctx, Config{Addresses: []string{unusedAddress(t), unusedAddress(t), blackHole(t)}})
	t.Log(err)
	var report *OpenError
	require.ErrorAs(t, err, &report)
	require.Equal(t, []Cause{CauseTooFewReplicas, CauseClusterID, CauseConnectionsTaken, CauseBusy}, report.Causes)

	ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err = Open(ctx, Config{Addresses: []string{unusedAddress(t)}})
	t.Log(err)
	require.ErrorAs(t, err, &report)
	require.Equal(t, []Cause{CauseNothingListens}, report.Causes)
	require.ErrorContains(t, err, "does not accept TCP")
	require.ErrorContains(t, err, "connection refused")
}

// OpenTimeout ends Open with an endless context, and a cancelled context ends Open before the
// addresses are tried.
func TestOpenEnds(t *testing.T) {
	t.Parallel()
	_, err := Open(context.Background(), Config{Addresses: []string{unusedAddress(t)}, OpenTimeout: 300 * time.Millisecond})
	require.ErrorIs(t, err, context.DeadlineExceeded)

	cause := errors.New("the operator went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(100*time.Millisecond, func() { cancel(cause) })
	_, err = Open(ctx, Config{Addresses: []string{unusedAddress(t)}})
	require.ErrorIs(t, err, cause)
	require.ErrorContains(t, err, "was not tried")
	var report *OpenError
	require.ErrorAs(t, err, &report)
	require.Equal(t, CauseNothingListens, report.Causes[0])
}

func TestOpenUnknownName(t *testing.T) {
	t.Parallel()
	_, err := Open(t.Context(), Config{Addresses: []string{"tigerbeetle.invalid:3000"}})
	t.Log(err)
	var wrong *ResolveError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, "tigerbeetle.invalid:3000", wrong.Address)
	var dns *net.DNSError
	require.ErrorAs(t, err, &dns)
}

// Every call ends with its context, and Close ends the calls left in the native client: a thousand
// with waiting callers, and a thousand abandoned ones.
func TestCallsIntoABlackHole(t *testing.T) {
	t.Parallel()
	l := openBlind(t, Config{Addresses: []string{blackHole(t)}, CloseTimeout: -1})
	const callers = 1000
	ctx, cancel := context.WithCancel(t.Context())
	var abandoned, waiting sync.WaitGroup
	for i := range uint64(callers) {
		abandoned.Go(func() {
			_, err := l.CreateTransfers(ctx, []ledger.Transfer{newPayment(10+i, 0)})
			assert.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
			assert.ErrorIs(t, err, context.Canceled)
		})
		waiting.Go(func() {
			_, err := l.LookupAccounts(t.Context(), []ledger.ID{alice.ID})
			assert.ErrorIs(t, err, ledger.ErrOutcomeUnknown)
			assert.NotErrorIs(t, err, ledger.ErrClosed)
		})
	}
	require.Eventually(t, func() bool { return l.Stats().Calls == 2*callers }, 10*time.Second, time.Millisecond)
	start := time.Now()
	cancel()
	abandoned.Wait()
	t.Logf("%d calls ended with their context after %v", callers, time.Since(start))
	require.Equal(t, Stats{Sessions: 3, Calls: 2 * callers, Abandoned: callers}, l.Stats())
	start = time.Now()
	require.NoError(t, l.Close())
	t.Logf("closed with %d calls in flight after %v", 2*callers, time.Since(start))
	waiting.Wait()
	require.Equal(t, Stats{}, l.Stats())
}

// The native client's own lines go to Events.Log, each with its level.
func TestNativeLog(t *testing.T) {
	t.Parallel()
	lines := make(chan string, 1)
	l := openBlind(t, Config{Addresses: []string{unusedAddress(t)}, Events: Events{Log: func(level slog.Level, line string) {
		if level == slog.LevelWarn && strings.Contains(line, "ConnectionRefused") {
			select {
			case lines <- line:
			default:
			}
		}
	}}})
	if !nativeLogDiverted {
		t.Skip("needs Linux: the native client's log can be had there only")
	}
	require.Contains(t, <-lines, "on_connect")
	require.NotEmpty(t, l.nativeLog.lastLines())
	require.LessOrEqual(t, len(l.nativeLog.lastLines()), keptLines)
}

// The native log is diverted while a ledger is open, and restored after the last.
func TestNativeLogIsRestored(t *testing.T) { //nolint:paralleltest // the native log is the process's, and parallel tests open ledgers
	if !nativeLogDiverted {
		t.Skip("needs Linux: the native client's log is read there only")
	}
	isDiverted := func() bool {
		listenersMu.Lock()
		defer listenersMu.Unlock()
		return logDiverted
	}
	require.False(t, isDiverted())
	s := newServers()
	first, err := openWith(t.Context(), Config{Addresses: localAddresses}, s.dialFake)
	require.NoError(t, err)
	require.True(t, isDiverted())
	second, err := openWith(t.Context(), Config{Addresses: localAddresses}, s.dialFake)
	require.NoError(t, err)
	require.NoError(t, first.Close())
	require.True(t, isDiverted())
	require.NoError(t, second.Close())
	require.False(t, isDiverted())
}

func TestLinesAreKeptOnce(t *testing.T) {
	t.Parallel()
	n := new(nativeLog)
	for _, line := range []string{"(bus): 12: a", "(bus): 13: b", "(bus): 14: a", "c", "(bus): x: d: e"} {
		n.receiveLine(slog.LevelWarn, line)
	}
	require.Equal(t, []string{"(bus): a", "c", "(bus): x: d: e"}, n.lastLines())
}

func TestCausesHaveWords(t *testing.T) {
	t.Parallel()
	for c := CauseNothingListens; c <= CauseBusy; c++ {
		require.NotContains(t, c.String(), "Cause(")
	}
	require.Equal(t, "Cause(0)", Cause(0).String())
}
