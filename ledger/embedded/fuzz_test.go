package embedded_test

import (
	"testing"

	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// FuzzPrograms runs the program encoded in the bytes. Only the program moves the clock, so its
// bytes reproduce a failure.
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
