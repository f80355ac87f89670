package embedded_test

import (
	"testing"
	"time"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// Twenty programs, each also cut into different requests with retries in between.
func TestPrograms(t *testing.T) {
	t.Parallel()
	for range 20 {
		l := newVirtual()
		ledgertest.RunProgram(t, l, ledgertest.Seed(t))
		ledgertest.RequireNothingHeld(t, l)
	}
}

// A ledger with a different start of time, smaller requests and earlier rows gives the same
// answers.
func TestDifferential(t *testing.T) {
	t.Parallel()
	other := newVirtual(embedded.WithBatchMax(253))
	other.Sleep(1000 * time.Hour)
	for range 20 {
		ledgertest.RunDifferential(t, newVirtual(), other, ledgertest.Seed(t))
	}
	ledgertest.RequireNothingHeld(t, other)
}
