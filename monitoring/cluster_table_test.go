//go:build cgo

package monitoring_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/monitoring/clustermetrics"
)

// registerCluster registers the metrics of package clustermetrics.
func registerCluster(t *testing.T, known catalogue) {
	t.Helper()
	_, err := clustermetrics.New(known)
	require.NoError(t, err)
}
