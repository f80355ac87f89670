//go:build cgo && unix

package accounts_test

import (
	"testing"

	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// Every scenario on one TigerBeetle, or else on a server in this process, one after the other: some
// read the whole ledger to check that no money was made or lost.
func TestOnACluster(t *testing.T) {
	t.Parallel()
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	l := c.Open(t)
	for _, s := range scenarios() { //nolint:paralleltest // see above
		t.Run(s.name, func(t *testing.T) { s.run(t, l) })
	}
}
