package server_test

import (
	"testing"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/ledger/server"
)

// The server of an embedded ledger gives each of TigerBeetle's clients the answers of TigerBeetle's own server.
func TestClients(t *testing.T) {
	t.Parallel()
	for _, c := range scriptClients {
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			l := embedded.New()
			_, address := start(t, l, server.Config{Cluster: uint128.From64(clusterID)})
			requireRecorded(t, c.name, c.run(t, address))
			ledgertest.RequireConserved(t, l)
		})
	}
}
