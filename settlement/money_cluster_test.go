//go:build cgo && unix

package settlement_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/migrate"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// TestMoneyOnACluster runs the scenarios on one TigerBeetle, or else on a server in this process, each
// in a namespace of its own.
func TestMoneyOnACluster(t *testing.T) {
	t.Parallel()
	l := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true}).Open(t)
	//nolint:paralleltest // each sees at its end that debits are credits
	for name, run := range map[string]moneyRun{"one engine": {}, "a new one at each step": {fresh: true}} {
		t.Run(name, func(t *testing.T) {
			forEachScenario(t, func(t *testing.T, s *moneyScenario) {
				t.Helper()
				run.namespace = strings.ReplaceAll(t.Name(), "/", " ")
				s.runScenario(t, l, run)
			})
		})
	}
}

// Books of the version before arrears, after a move to a cluster.
func TestBooksBeforeArrearsOnACluster(t *testing.T) {
	t.Parallel()
	l := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true}).Open(t)
	_, err := migrate.Run(t.Context(), openOldBooks(t), l, l.BatchMax(), nil)
	require.NoError(t, err)
	goOnWithOldBooks(t, l, "heir")
}
