//go:build cgo

package monitoring_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/cluster"
	"github.com/peerledger/peerledger/monitoring"
	"github.com/peerledger/peerledger/settlement"
)

func TestClusterEventsAreCounted(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{})
	var told []string
	events := c.metrics.Cluster(cluster.Events{
		Reopened:     func(r cluster.SessionReopened) { told = append(told, fmt.Sprint("reopened ", r.Session)) },
		ReopenFailed: func(session int, _ error) { told = append(told, fmt.Sprint("failed ", session)) },
	})
	require.Equal(t, map[string]float64{"evicted": 0, "address_changed": 0, "session_lost": 0, "other": 0}, c.values(t, "peerledger_cluster_reopenings_total"))
	events.Reopened(cluster.SessionReopened{Session: 1, Cause: fmt.Errorf("again: %w", cluster.ErrEvicted), Downtime: 3 * time.Second})
	events.Reopened(cluster.SessionReopened{Session: 2, Cause: errors.New("who knows"), Downtime: 500 * time.Millisecond})
	events.ReopenFailed(0, errors.New("no threads"))
	require.Equal(t, []string{"reopened 1", "reopened 2", "failed 0"}, told)
	require.Equal(t, map[string]float64{"evicted": 1, "address_changed": 0, "session_lost": 0, "other": 1}, c.values(t, "peerledger_cluster_reopenings_total"))
	require.Equal(t, map[string]float64{"": 1}, c.values(t, "peerledger_cluster_reopen_failures_total"))
	require.Equal(t, map[string]float64{"": 3.5}, c.values(t, "peerledger_cluster_away_seconds_total"))
	events = c.metrics.Cluster(cluster.Events{}) // nobody else wants to know
	events.Reopened(cluster.SessionReopened{Cause: cluster.ErrSessionLost})
	events.ReopenFailed(0, nil)
	problems, err := testutil.GatherAndLint(c.registry)
	require.NoError(t, err)
	require.Empty(t, problems)
	c.metrics.WatchCluster(nil)
	require.Empty(t, c.values(t, "peerledger_cluster_sessions"))
}
