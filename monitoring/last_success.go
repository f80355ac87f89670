package monitoring

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// lastSuccess is a metric of the time of the last success. It is absent before the first: a time of 0 would look like
// a success in 1970.
type lastSuccess struct {
	description *prometheus.Desc
	clock       func() time.Time
	at          atomic.Int64 // ns since the Unix epoch; 0 before the first
}

func newLastSuccess(name, help string) *lastSuccess {
	return &lastSuccess{description: prometheus.NewDesc(name, help, nil, nil), clock: time.Now}
}

func (l *lastSuccess) noteNow() { l.at.Store(l.clock().UnixNano()) }

// Describe implements prometheus.Collector.
func (l *lastSuccess) Describe(ch chan<- *prometheus.Desc) { ch <- l.description }

// Collect implements prometheus.Collector.
func (l *lastSuccess) Collect(ch chan<- prometheus.Metric) {
	if at := l.at.Load(); at != 0 {
		ch <- prometheus.MustNewConstMetric(l.description, prometheus.GaugeValue, float64(at)/float64(time.Second))
	}
}
