//go:build cgo && unix

package aggregate_test

import (
	"testing"

	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
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
