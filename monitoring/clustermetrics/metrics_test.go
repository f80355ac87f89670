//go:build cgo

package clustermetrics_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/monitoring/clustermetrics"
)

// readSeries reads the value of each series of a metric, by its label.
func readSeries(t *testing.T, registry *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			label := ""
			for _, pair := range m.GetLabel() {
				label = pair.GetValue()
			}
			values[label] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return values
}

func TestClusterEventsAreCounted(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m, err := clustermetrics.New(registry)
	require.NoError(t, err)
	var received []string
	events := m.Events(cluster.Events{
		Reopened:     func(r cluster.SessionReopened) { received = append(received, fmt.Sprint("reopened ", r.Session)) },
		ReopenFailed: func(session int, _ error) { received = append(received, fmt.Sprint("failed ", session)) },
	})
	require.Equal(t, map[string]float64{"evicted": 0, "address_changed": 0, "session_lost": 0, "other": 0},
		readSeries(t, registry, "peerledger_cluster_reopenings_total"))
	events.Reopened(cluster.SessionReopened{Session: 1, Cause: fmt.Errorf("again: %w", cluster.ErrEvicted), Downtime: 3 * time.Second})
	events.Reopened(cluster.SessionReopened{Session: 2, Cause: errors.New("who knows"), Downtime: 500 * time.Millisecond})
	events.ReopenFailed(0, errors.New("no threads"))
	require.Equal(t, []string{"reopened 1", "reopened 2", "failed 0"}, received)
	require.Equal(t, map[string]float64{"evicted": 1, "address_changed": 0, "session_lost": 0, "other": 1},
		readSeries(t, registry, "peerledger_cluster_reopenings_total"))
	require.Equal(t, map[string]float64{"": 1}, readSeries(t, registry, "peerledger_cluster_reopen_failures_total"))
	require.Equal(t, map[string]float64{"": 3.5}, readSeries(t, registry, "peerledger_cluster_away_seconds_total"))
	events = m.Events(cluster.Events{}) // without functions of the user
	events.Reopened(cluster.SessionReopened{Cause: cluster.ErrSessionLost})
	events.ReopenFailed(0, nil)
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	require.Empty(t, problems)
	m.Watch(nil)
	require.Empty(t, readSeries(t, registry, "peerledger_cluster_sessions"))
}

func TestSecondRegistrationIsRefused(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	_, err := clustermetrics.New(registry)
	require.NoError(t, err)
	_, err = clustermetrics.New(registry)
	require.ErrorAs(t, err, &prometheus.AlreadyRegisteredError{})
}

func Example() {
	registry := prometheus.NewRegistry()
	metrics, err := clustermetrics.New(registry)
	if err != nil {
		fmt.Println(err)
		return
	}
	// Before cluster.Open; after it metrics.Watch(l) shows the ledger's calls.
	cfg := cluster.Config{Events: metrics.Events(cluster.Events{})}
	cfg.Events.Reopened(cluster.SessionReopened{Cause: cluster.ErrEvicted, Downtime: 2 * time.Second})
	families, _ := registry.Gather()
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if v := m.GetCounter().GetValue(); v > 0 {
				fmt.Println(family.GetName(), v)
			}
		}
	}
	// Output:
	// peerledger_cluster_away_seconds_total 2
	// peerledger_cluster_reopenings_total 1
}
