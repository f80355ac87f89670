package accounts_test

import (
	"slices"
	"testing"

	"github.com/peerledger/peerledger/ledger"
)

// scenario is a test that runs unchanged on every ledger. Others may have used the
// ledger before: its book has a namespace of its own (newBook), and its ledger
// numbers may hold more than its own accounts.
type scenario struct {
	name string
	run  func(t *testing.T, l ledger.Ledger)
}

// scenarios are all of them: on the embedded ledger always (TestOnEmbedded), and on a
// real TigerBeetle where one is to be had (TestOnACluster).
func scenarios() []scenario {
	return slices.Concat(creditScenarios, lifeScenarios, closingScenarios, bookingScenarios, writeOffScenarios, statementScenarios, compareScenarios, directoryScenarios, scaleScenarios, trialScenarios, holdScenarios)
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
