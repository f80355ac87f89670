package accounts_test

import (
	"slices"
	"testing"

	"github.com/peerledger/peerledger/ledger"
)

// scenario is a test that runs unchanged on every ledger. The ledger may have been used before:
// each scenario's book has its own namespace (newBook), and its ledger numbers may hold foreign
// accounts.
type scenario struct {
	name string
	run  func(t *testing.T, l ledger.Ledger)
}

// scenarios returns all scenarios: they run on the embedded ledger always (TestOnEmbedded), and
// on a real TigerBeetle if available (TestOnACluster).
func scenarios() []scenario {
	return slices.Concat(creditScenarios, lifeScenarios, closingScenarios, bookingScenarios, writeOffScenarios, statementScenarios, compareScenarios, roundScenarios, directoryScenarios, scaleScenarios, trialScenarios, holdScenarios, reservationScenarios, historyScenarios, standingScenarios)
}

func TestOnEmbedded(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.run(t, newLedger(t))
		})
	}
}
