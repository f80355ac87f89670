//go:build cgo

package clustermetrics

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/peerledger/peerledger/ledger/cluster"
)

// Metrics count the events of a cluster's sessions and show its calls. Its methods may be called
// concurrently. Two Metrics in one registry need registerers with different values of one label
// (prometheus.WrapRegistererWith).
type Metrics struct {
	reopenings     *prometheus.CounterVec
	reopenFailures prometheus.Counter
	downtime       prometheus.Counter
	watched        atomic.Pointer[cluster.Ledger]
}

var (
	sessions       = prometheus.NewDesc("peerledger_cluster_sessions", "Open sessions of the cluster.", nil, nil)
	calls          = prometheus.NewDesc("peerledger_cluster_calls", "Calls that the native client has not answered.", nil, nil)
	abandonedCalls = prometheus.NewDesc("peerledger_cluster_calls_abandoned", "Of the calls not answered, those whose callers have gone.", nil, nil)
	resentRequests = prometheus.NewDesc("peerledger_cluster_requests_resent_total", "Requests sent again because a session was lost.", nil, nil)
)

// causeLabels are the values of the label cause, by the error of a reopened session. Every other
// error is otherCause.
var causeLabels = map[error]string{
	cluster.ErrEvicted: "evicted", cluster.ErrAddressChanged: "address_changed", cluster.ErrSessionLost: "session_lost",
}

const otherCause = "other"

// New registers the metrics. The error is the registerer's, for example a
// prometheus.AlreadyRegisteredError. After an error nothing stays registered.
func New(registerer prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		reopenings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "peerledger_cluster_reopenings_total", Help: "Sessions of the cluster that were opened anew, by the cause.",
		}, []string{"cause"}),
		reopenFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "peerledger_cluster_reopen_failures_total", Help: "Attempts to open a session anew that failed.",
		}),
		downtime: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "peerledger_cluster_away_seconds_total", Help: "How long sessions were not there before they were opened anew.",
		}),
	}
	m.reopenings.WithLabelValues(otherCause) // the first reopening is then an increase from 0
	for _, label := range causeLabels {
		m.reopenings.WithLabelValues(label)
	}
	return m, registerer.Register(m)
}

// Events returns events for a [cluster.Config] that are counted and then passed to events.
func (m *Metrics) Events(events cluster.Events) cluster.Events {
	counted := events
	counted.Reopened = func(r cluster.SessionReopened) {
		m.reopenings.WithLabelValues(labelCause(r.Cause)).Inc()
		m.downtime.Add(max(0, r.Downtime.Seconds()))
		if events.Reopened != nil {
			events.Reopened(r)
		}
	}
	counted.ReopenFailed = func(session int, err error) {
		m.reopenFailures.Inc()
		if events.ReopenFailed != nil {
			events.ReopenFailed(session, err)
		}
	}
	return counted
}

func labelCause(cause error) string {
	for known, label := range causeLabels {
		if errors.Is(cause, known) {
			return label
		}
	}
	return otherCause
}

// Watch makes scrapes show the sessions and calls of l in place of an earlier ledger's; nil ends
// the series.
func (m *Metrics) Watch(l *cluster.Ledger) { m.watched.Store(l) }

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sessions, calls, abandonedCalls, resentRequests} {
		ch <- d
	}
	m.reopenings.Describe(ch)
	m.reopenFailures.Describe(ch)
	m.downtime.Describe(ch)
}

// Collect implements prometheus.Collector.
func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	if l := m.watched.Load(); l != nil {
		s := l.Stats()
		ch <- prometheus.MustNewConstMetric(sessions, prometheus.GaugeValue, float64(s.Sessions))
		ch <- prometheus.MustNewConstMetric(calls, prometheus.GaugeValue, float64(s.Calls))
		ch <- prometheus.MustNewConstMetric(abandonedCalls, prometheus.GaugeValue, float64(s.Abandoned))
		ch <- prometheus.MustNewConstMetric(resentRequests, prometheus.CounterValue, float64(s.Resent))
	}
	m.reopenings.Collect(ch)
	m.reopenFailures.Collect(ch)
	m.downtime.Collect(ch)
}
