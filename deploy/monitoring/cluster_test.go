//go:build cgo

package monitoring_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/monitoring/clustermetrics"
)

// registerCluster registers the metrics of a cluster's sessions.
func registerCluster(t *testing.T, d described) {
	t.Helper()
	_, err := clustermetrics.New(d)
	require.NoError(t, err)
}
