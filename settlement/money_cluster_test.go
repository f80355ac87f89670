//go:build cgo && unix

package settlement_test

import (
	"strings"
	"testing"

	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// TestMoneyOnACluster runs the scenarios on one real TigerBeetle, each in a namespace of its own.
func TestMoneyOnACluster(t *testing.T) {
	t.Parallel()
	l := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true}).Open(t)
	//nolint:paralleltest // each sees at its end that debits are credits
	for name, run := range map[string]moneyRun{"one engine": {}, "a new one at each step": {fresh: true}} {
		t.Run(name, func(t *testing.T) {
			forEachScenario(t, func(t *testing.T, s *moneyScenario) {
				t.Helper()
				run.namespace = strings.ReplaceAll(t.Name(), "/", " ")
				s.run(t, l, run)
			})
		})
	}
}
