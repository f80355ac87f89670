//go:build cgo && unix

package server_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// TigerBeetle's own server gives the recorded answers to each of its clients.
func TestClientsOnTigerBeetle(t *testing.T) {
	t.Parallel()
	for _, c := range scriptClients { //nolint:paralleltest // a server takes 3 GiB, and the first client may record
		t.Run(c.title, func(t *testing.T) {
			cluster := tigerbeetletest.Start(t, tigerbeetletest.Config{ClusterID: uint128.From64(clusterID), Production: true})
			lines := c.run(t, cluster.Addresses()[0])
			if *recordClients && c.name == "go" {
				text := strings.Join(lines, "\n") + "\n"
				require.NoError(t, os.WriteFile(filepath.Join(clientsFolder, "recorded.jsonl"), []byte(text), 0o600))
			}
			requireRecorded(t, c.name, lines)
		})
	}
}
