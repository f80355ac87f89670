//go:build cgo && unix

package migrate

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// What a random program has written on an embedded ledger arrives on a cluster of three, and
// from there on another embedded one.
func TestOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Replicas: 3})
	seed := ledgertest.Seed(t)
	past := newClock() // months ago
	from := newLedger(t, past)
	ledgertest.RunProgram(t, slept{from, past}, seed)
	past.pass(240 * time.Hour)
	to := c.Open(t)
	result, err := Run(t.Context(), from, to, to.BatchMax(), nil)
	require.NoError(t, err)
	t.Logf("%+v", result)
	ledgertest.RequireConserved(t, to)

	back := newClock()
	back.now.Store(time.Now().UnixNano())
	_, err = copyTo(t, back, to, newLedger(t, back), 100).run()
	require.NoError(t, err)
}
