package monitoring

import "github.com/prometheus/client_golang/prometheus"

// clusterMetrics count what the events of a cluster's sessions tell. They have no series
// before Metrics.Cluster was called, which needs cgo.
type clusterMetrics struct {
	reopened *prometheus.CounterVec
	failed   *prometheus.CounterVec
	away     *prometheus.CounterVec
}

func newClusterMetrics() *clusterMetrics {
	return &clusterMetrics{
		reopened: counters("peerledger_cluster_reopenings_total", "Sessions of the cluster that were opened anew, by the cause.", "cause"),
		failed:   counters("peerledger_cluster_reopen_failures_total", "Attempts to open a session anew that failed."),
		away:     counters("peerledger_cluster_away_seconds_total", "How long sessions were not there before they were opened anew."),
	}
}

func (m *clusterMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.reopened, m.failed, m.away}
}

// clusterStats are those of cluster.Ledger.Stats that are shown; it is a type of its own
// since that package is empty without cgo.
type clusterStats struct {
	sessions, calls, abandoned int
	resent                     uint64
}
