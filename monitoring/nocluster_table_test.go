//go:build !cgo

package monitoring_test

import (
	"strings"
	"testing"
)

// registerCluster takes the metrics of package clustermetrics from the table: the package is empty without cgo.
func registerCluster(t *testing.T, known catalogue) {
	t.Helper()
	for name, r := range readTable(t) {
		if strings.HasPrefix(name, "peerledger_cluster_") {
			known.labels[name] = r.labels
		}
	}
}
