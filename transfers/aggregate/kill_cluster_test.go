//go:build cgo && unix

package aggregate_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/ledger/ledgertest/tigerbeetletest"
)

// Processes with the journal in a folder and the ledger on a TigerBeetle, or else on a server in this
// process, are killed. PEERLEDGER_ROUND_CLUSTER_KILLS sets their number.
func TestKilledProcessesOnACluster(t *testing.T) {
	if folder := os.Getenv(killFolder); folder != "" {
		cfg, err := cluster.ConfigFromEnv()
		require.NoError(t, err)
		l, err := cluster.Open(t.Context(), cfg)
		require.NoError(t, err)
		fulfillUntilKilled(t, l, folder)
		return
	}
	t.Parallel()
	k := newKilling(t, "PEERLEDGER_ROUND_CLUSTER_KILLS")
	c := tigerbeetletest.Start(t, tigerbeetletest.Config{Production: true})
	k.env = []string{cluster.EnvAddresses + "=" + strings.Join(c.Addresses(), ","), cluster.EnvClusterID + "=" + c.ClusterID().String()}
	k.runProcesses(t, "TestKilledProcessesOnACluster")
	k.check(t, c.Open(t))
}
