//go:build cgo

package monitoring

import "github.com/peerledger/peerledger/ledger/cluster"

// Why a session was opened anew: the values of the label cause.
var reopenCauses = []named{
	{cluster.ErrEvicted, "evicted"}, {cluster.ErrAddressChanged, "address_changed"}, {cluster.ErrSessionLost, "session_lost"},
}

// Cluster returns events for a cluster's Config that are counted, and then told to events.
func (m *Metrics) Cluster(events cluster.Events) cluster.Events {
	c, user := m.cluster, events
	for _, cause := range labels(reopenCauses) { // so that the first of each is an increase from 0
		c.reopened.WithLabelValues(cause)
	}
	failed, away := c.failed.WithLabelValues(), c.away.WithLabelValues()
	events.Reopened = then(func(r cluster.SessionReopened) {
		c.reopened.WithLabelValues(nameOf(r.Cause, reopenCauses)).Inc()
		away.Add(max(0, r.Downtime.Seconds()))
	}, user.Reopened)
	events.ReopenFailed = func(session int, err error) {
		failed.Inc()
		if user.ReopenFailed != nil {
			user.ReopenFailed(session, err)
		}
	}
	return events
}

// WatchCluster has scrapes show the sessions and calls of a cluster, instead of those of
// another one before; nil for none. It asks the cluster nothing.
func (m *Metrics) WatchCluster(l *cluster.Ledger) {
	if l == nil {
		m.watcher.watchCluster(nil)
		return
	}
	m.watcher.watchCluster(func() clusterStats {
		s := l.Stats()
		return clusterStats{s.Sessions, s.Calls, s.Abandoned, s.Resent}
	})
}
