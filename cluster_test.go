//go:build cgo && unix

package peerledger_test

import (
	"testing"

	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// The client under load, on a TigerBeetle or else on a server in this process.
func TestOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	testUnderLoad(t, c.Open(t))
}

// The random operations, likewise.
func TestOperationsOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	testOperations(t, c.Open(t), 800)
}
