package embedded_test

import (
	"testing"

	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// FuzzPrograms runs the program that the bytes spell under a clock that only the
// program moves, so that a find is repeated by its bytes.
func FuzzPrograms(f *testing.F) {
	for _, seed := range []string{"", "a", "peer", "a ledger that many share", "debits equal credits; nothing is left held"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := newVirtual()
		ledgertest.RunBytes(t, l, data)
		ledgertest.RequireNothingHeld(t, l)
	})
}
