//go:build cgo && unix

package aggregate_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// Rounds on a TigerBeetle, or else on a server in this process, give the books of single packets.
func TestSameBooksOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	compareBooks(t, c.Open(t))
}

// Restarts and lost answers on a TigerBeetle, or else on a server in this process.
func TestRestartOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	testRestart(t, &lossyLedger{Ledger: c.Open(t)})
}

// Reservations on a TigerBeetle, or else on a server in this process, are not taken for packets.
func TestInFlightShareOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	testInFlightShare(t, c.Open(t))
}

// A peer in the thick of traffic is paid in full on a TigerBeetle, or else on a server in this process.
func TestOrderInTheThickOfTrafficOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	f, pays := newFixture(t, c.Open(t), 1_000_000), newPayer()
	n := f.connect(t, settledBy(pays, inFull(2000)), false, func(c *aggregate.Config) { c.RoundInterval = 5 * time.Millisecond })
	deadline, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	for pays.total(f.peers[0]) < 2000 {
		_, err := n.recorder.Forward(deadline, f.packet(1, 0, 100, 100))
		require.NoError(t, err)
		held, err := n.recorder.Prepare(deadline, f.packet(0, 2, 50, 50))
		require.NoError(t, err)
		_, err = n.recorder.Fulfill(deadline, held.Packet)
		require.NoError(t, err)
		require.NoError(t, n.recorder.Flush(deadline))
	}
	n.close(t)
	f.requireSettled(t, pays)
}

// Programs of packets, payments, orders, closings and changed lines on a TigerBeetle, or else on a server in this
// process.
func TestProgramsWithSettlementOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	p := newSettledProgram(t, uint64(time.Now().UnixNano()), c.Open(t))
	p.run(80)
	t.Logf("%+v", p.counts)
}
