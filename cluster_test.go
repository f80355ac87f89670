//go:build cgo && unix

package peerledger_test

import (
	"testing"

	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// The client under load, on a real TigerBeetle.
func TestOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	testUnderLoad(t, c.Open(t))
}

// The random operations on a real TigerBeetle.
func TestOperationsOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	testOperations(t, c.Open(t), 800)
}
