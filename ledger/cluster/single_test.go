//go:build cgo && unix

package cluster_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// Each test of this file has a TigerBeetle of one replica, or else a server in this process.

// countDifferentialPrograms returns the number of random programs to compare. Each takes some four
// seconds.
func countDifferentialPrograms() int {
	if testing.Short() {
		return 1
	}
	return 4
}

func TestConformance(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	ledgertest.Run(t, func(t *testing.T) ledger.Ledger {
		t.Helper()
		return c.Open(t)
	})
	testBatchMax(t, c, ledger.BatchMax)
	requireNoSessions(t, c)
}

// Random programs are answered as by the embedded ledger.
func TestDifferential(t *testing.T) {
	t.Parallel()
	l := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true}).Open(t)
	for range countDifferentialPrograms() {
		ledgertest.RunDifferential(t, l, embedded.New(), ledgertest.Seed(t))
	}
}

// testBatchMax sends the largest request, and one event more.
func testBatchMax(t *testing.T, c *tigerbeetletest.Cluster, want int) {
	t.Helper()
	l := c.Open(t)
	require.Equal(t, want, l.BatchMax())
	p := newPair(t, l)
	results, err := l.CreateTransfers(t.Context(), p.newTransfers(want))
	require.NoError(t, err)
	require.Len(t, results, want)
	require.Equal(t, uint64(want), p.postedAmount(t, l))
	for _, n := range []int{want + 1, 8190, 100_000} {
		_, err = l.CreateTransfers(t.Context(), p.newTransfers(n))
		require.ErrorIs(t, err, ledger.ErrTooMuchData)
		t.Log(err)
		_, err = l.CreateAccounts(t.Context(), make([]ledger.Account, n))
		require.ErrorIs(t, err, ledger.ErrTooMuchData)
	}
	require.Equal(t, uint64(want), p.postedAmount(t, l))
	require.NoError(t, l.Close())
}

// requireNoSessions waits until no client is connected. All ledgers must be closed.
func requireNoSessions(t *testing.T, c *tigerbeetletest.Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for i := range c.Addresses() {
		link := c.Link(tigerbeetletest.Client, i)
		require.NoError(t, link.Await(ctx, func() bool { return link.Connections() == 0 }), "clients are connected to replica %d", i)
	}
}

func TestDevelopmentBatchMax(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{})
	testBatchMax(t, c, 253)
	requireNoSessions(t, c)
}

func TestWrongClusterID(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{})
	cfg := c.Config()
	cfg.ClusterID = cfg.ClusterID.AddWrap64(1)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, err := cluster.Open(ctx, cfg)
	t.Log(err)
	require.NoError(t, ctx.Err(), "the error comes within the context")
	var report *cluster.OpenError
	require.ErrorAs(t, err, &report)
	require.Equal(t, cluster.CauseClusterID, report.Causes[0])
	require.Equal(t, cfg.ClusterID, report.ClusterID)
	requireNoSessions(t, c)
}

func TestNinthClient(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{})
	cfg := c.Config()
	cfg.Sessions = 4
	ledgers := make([]*cluster.Ledger, 2)
	for i := range ledgers {
		var err error
		ledgers[i], err = cluster.Open(t.Context(), cfg)
		require.NoError(t, err)
	}
	cfg.Sessions = 1
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	_, err := cluster.Open(ctx, cfg)
	t.Log(err)
	var report *cluster.OpenError
	require.ErrorAs(t, err, &report)
	require.Contains(t, report.Causes, cluster.CauseConnectionsTaken)
	for _, l := range ledgers {
		require.NoError(t, l.Ping(t.Context()), "those that were there are served")
	}
	require.NoError(t, ledgers[0].Close())
	l, err := cluster.Open(t.Context(), cfg)
	require.NoError(t, err, "there is room again")
	require.NoError(t, l.Close())
	require.NoError(t, ledgers[1].Close())
	requireNoSessions(t, c)
}

// Sixty-four newer sessions push out a ledger's session. Only Events notices.
func TestEviction(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true}) // for at connections at a time
	reopened := make(chan cluster.SessionReopened, 10)
	cfg := c.Config()
	cfg.Sessions = 1
	quiet := cfg
	cfg.Events.Reopened = func(r cluster.SessionReopened) { reopened <- r }
	l, err := cluster.Open(t.Context(), cfg)
	require.NoError(t, err)
	p := newPair(t, l)
	const others, at = 64, 16
	var opening sync.WaitGroup
	for range at {
		opening.Go(func() {
			for range others / at {
				other, err := cluster.Open(t.Context(), quiet)
				if assert.NoError(t, err) {
					assert.NoError(t, other.Close())
				}
			}
		})
	}
	opening.Wait()
	transfers := p.newTransfers(5)
	transfers[0].Flags = ledger.TransferLinked
	results, err := l.CreateTransfers(t.Context(), transfers)
	require.NoError(t, err)
	for _, r := range results {
		require.True(t, r.Status.Outcome().Done(), "%v", r.Status)
	}
	r := <-reopened
	t.Logf("session %d was opened again after %v: %v; the transfers were answered as %v", r.Session, r.Downtime, r.Cause, results[0].Status)
	require.True(t, errors.Is(r.Cause, cluster.ErrEvicted) || errors.Is(r.Cause, cluster.ErrSessionLost))
	require.Equal(t, uint64(5), p.postedAmount(t, l))
	require.Empty(t, reopened, "once")
	require.NoError(t, l.Close())
	requireNoSessions(t, c)
}
