package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// TestMain fails if a connector leaves a goroutine behind.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"), goleak.IgnoreTopFunction("internal/poll.runtime_pollWait"))
}

// recorders are the values of -rounds.
var recorders = map[string]bool{"single packets": false, "rounds": true}

func TestTraffic(t *testing.T) {
	t.Parallel()
	for name, rounds := range recorders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			flag := fmt.Sprintf("-rounds=%t", rounds)
			var out bytes.Buffer
			require.NoError(t, runConnector(t.Context(), []string{flag, "-packets", "3000", "-json"}, &out, io.Discard))
			var s summary
			require.NoError(t, json.Unmarshal(out.Bytes(), &s))
			require.Len(t, s.Peers, 3)
			if !rounds { // otherwise it has the reservations
				require.Equal(t, "0.000000000", s.Held)
			}

			out.Reset()
			require.NoError(t, runConnector(t.Context(), []string{flag}, &out, io.Discard))
			require.Contains(t, out.String(), "the books add up")
		})
	}
}

// The traffic takes peers past the threshold of 5 dollars.
func TestSettlements(t *testing.T) {
	t.Parallel()
	for name, rounds := range recorders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options{ledger: "embedded", grace: time.Minute, packets: 3000, seed: 1, rounds: rounds}
			c, err := openConnector(t.Context(), opts, slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			require.NoError(t, c.sendPackets(t.Context(), opts))
			require.NoError(t, c.client.Recorder.Flush(t.Context()))
			_, err = c.client.Settlement.Settle(t.Context())
			require.NoError(t, err)
			s, err := c.summarizeBooks(t.Context())
			require.NoError(t, err)
			require.Positive(t, s.Settlements)
			batches, inRounds := c.countObservations(t, "peerledger_recorder_batch_operations"), c.countObservations(t, "peerledger_rounds_packets")
			require.Equal(t, []bool{!rounds, rounds}, []bool{batches > 0, inRounds > 0}, "the recorder is the one asked for")
			require.NoError(t, c.closeConnector(time.Minute))
		})
	}
}

// countObservations returns the number of observations of a histogram.
func (c *connector) countObservations(t *testing.T, name string) (n uint64) {
	t.Helper()
	families, err := c.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			n += f.GetMetric()[0].GetHistogram().GetSampleCount()
		}
	}
	return n
}

// interruptor is a log that interrupts a connector soon after it has started.
type interruptor struct{ interrupt func() }

func (i interruptor) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("serving")) {
		time.AfterFunc(50*time.Millisecond, i.interrupt)
	}
	return len(line), nil
}

// An interrupted connector still prints the books.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for name, rounds := range recorders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var out bytes.Buffer
			args := []string{"-packets", "0", "-rate", "500", "-listen", "127.0.0.1:0", fmt.Sprintf("-rounds=%t", rounds)}
			require.NoError(t, runConnector(ctx, args, &out, interruptor{cancel}))
			require.Contains(t, out.String(), "the books add up")
		})
	}
}

func TestWrongCommandLines(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-ledger", "paper"}, {"-packets", "-1"}, {"-rate", "-1"}, {"-grace", "0s"}, {"more"}, {"-frob"}, {"-check", "::"}, {"-journal", "x"}, {"-rounds", "-ledger", "cluster"}} {
		require.ErrorIs(t, runConnector(t.Context(), args, io.Discard, io.Discard), errUsage, args)
	}
	require.ErrorIs(t, runConnector(t.Context(), []string{"-h"}, io.Discard, io.Discard), flag.ErrHelp)
}

// stalling is a ledger without answers after stalled is closed.
type stalling struct {
	ledger.Ledger
	stalled chan struct{}
}

func (s stalling) wait(ctx context.Context) error {
	select {
	case <-s.stalled:
		<-ctx.Done()
		return ledger.ErrOutcomeUnknown
	default:
		return nil
	}
}

func (s stalling) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.Ledger.LookupAccounts(ctx, ids)
}

func (s stalling) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	return s.Ledger.CreateTransfers(ctx, transfers)
}

// A supervisor kills the process after the grace period. Before the kill the connector has ended,
// with an error for the unread books, even if the ledger does not answer.
func TestEndsWithinItsGrace(t *testing.T) {
	t.Parallel()
	for _, rounds := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			testGrace(t, options{ledger: "embedded", rate: 10, grace: 15 * time.Second, rounds: rounds})
		})
	}
}

func testGrace(t *testing.T, opts options) {
	t.Helper()
	c, err := newConnector(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	l := stalling{embedded.New(), make(chan struct{})}
	require.NoError(t, c.startOn(t.Context(), l, opts))
	ctx, cancel := context.WithCancel(t.Context())
	var interrupted time.Time
	time.AfterFunc(10*time.Second, func() { close(l.stalled) })
	time.AfterFunc(11*time.Second, func() { interrupted = time.Now(); cancel() })
	_, err = c.runTraffic(ctx, opts)
	require.Error(t, err)
	require.LessOrEqual(t, time.Since(interrupted), opts.grace)
}

// away is a ledger that does not answer look-ups.
type away struct{ ledger.Ledger }

func (away) LookupAccounts(ctx context.Context, _ []ledger.ID) ([]ledger.Account, error) {
	return nil, ledger.ErrOutcomeUnknown
}

func TestHealth(t *testing.T) {
	t.Parallel()
	c, err := openConnector(t.Context(), options{ledger: "embedded", grace: time.Minute}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.NoError(t, c.serveOn("127.0.0.1:0"))
	for _, path := range []string{"/livez", "/readyz", "/metrics"} {
		require.NoError(t, runConnector(t.Context(), []string{"-check", "http://" + c.server.address + path}, io.Discard, io.Discard), path)
	}
	require.Error(t, runConnector(t.Context(), []string{"-check", "http://" + c.server.address + "/nothing"}, io.Discard, io.Discard))

	embedded := c.client.Ledger
	c.client.Ledger = away{embedded}
	recorder := httptest.NewRecorder()
	c.checkReady(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", http.NoBody))
	require.Equal(t, http.StatusServiceUnavailable, recorder.Code)
	c.client.Ledger = embedded
	require.NoError(t, c.closeConnector(time.Minute))
	http.DefaultClient.CloseIdleConnections()
}

func Example() {
	err := runConnector(context.Background(), []string{"-ledger", "paper"}, io.Discard, io.Discard)
	fmt.Println(err)
	// Output: usage: -ledger is embedded or cluster, not "paper"
}
