package idindex

import "github.com/peerledger/peerledger/internal/sealed/sealedtest"

// countOf counts operations of a kind.
func countOf(what string, n *int) func(sealedtest.Operation) error {
	return func(op sealedtest.Operation) error {
		if op.What == what {
			*n++
		}
		return nil
	}
}
