//go:build !cgo

package monitoring_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// registerCluster takes the names of a cluster's metrics from the table of docs/monitoring.md: package clustermetrics is empty without cgo.
func registerCluster(t *testing.T, d described) {
	t.Helper()
	text, err := os.ReadFile("../../docs/monitoring.md")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile("(?m)^\\| `(peerledger_cluster_\\w+)` \\|").FindAllStringSubmatch(string(text), -1) {
		d.names[m[1]] = true
	}
}
