//go:build cgo && unix

package bench

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/internal/progress"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
	"github.com/peerledger/peerledger/ledger/tbclient"
)

// The measurements without the recorder, on the embedded ledger behind TigerBeetle's client
// interface.
func TestRawClient(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	m, err := newWorkload(t.Context(), l, "", 3, 1)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	c := newRawClient(ctx, tbclient.New(l))
	run := &rawRun{traffic: m.newTraffic(uniformTraffic), phase: phaseTwo, latencies: newLatencies(1), quota: &quota{total: 100}}
	workers, _ := run.sendBatched([]connection{c.sendTransfers}, 30)
	for _, work := range workers {
		require.NoError(t, work(ctx))
	}
	m.countSent(uniformTraffic, 0, 100)
	require.NoError(t, m.verifyBooks(ctx, l))

	results, err := c.sendTransfers(ctx, make([]ledger.Transfer, 2))
	require.NoError(t, err)
	require.Equal(t, ledger.TransferIDMustNotBeZero, results[1].Status)

	cancel()
	_, err = c.sendTransfers(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)
	c.close() // the end of ctx closes the client too
	_, err = c.client.CreateTransfers(make([]tb.Transfer, 1))
	require.ErrorIs(t, err, tb.ErrClientClosed)
	require.NoError(t, l.Close())
}

// All measurements on a TigerBeetle, or else on a server in this process.
func TestOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{})
	opts, err := parseOptions(append([]string{"-axes", "all"}, smallRun...), io.Discard)
	require.NoError(t, err)
	for range 2 { // each run has its own accounts
		b := newBencher(opts, newClusterTarget(c.Config()))
		plan := makePlan(opts)
		rounds, err := b.measureRounds(t.Context(), plan, progress.Progress{})
		require.NoError(t, err)
		require.Len(t, newReport(plan, rounds).lines, len(plan))
		require.NoError(t, b.closeTargets())
	}
}
