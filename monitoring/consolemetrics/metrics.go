package consolemetrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/peerledger/peerledger/console"
)

var (
	requests = prometheus.NewDesc("peerledger_console_requests_total",
		"Answered requests of browsers and scripts, by the class of the status.", []string{"code"}, nil)
	acts = prometheus.NewDesc("peerledger_console_acts_total",
		"Changes made in the console, by outcome; absent in a console that only shows.", []string{"outcome"}, nil)
	streams      = prometheus.NewDesc("peerledger_console_streams", "Open streams of live figures.", nil, nil)
	lookFailures = prometheus.NewDesc("peerledger_console_look_errors_total", "Failed reads of the figures for pages.", nil, nil)
	lastLook     = prometheus.NewDesc("peerledger_console_look_last_success_timestamp_seconds",
		"When the figures of the pages were read; absent before the first read. They are read only while a browser asks.", nil, nil)
)

// collector shows the numbers of a Console.
type collector struct{ stats func() console.Stats }

// Register registers the metrics of a Console. The error is the registerer's, for example a
// prometheus.AlreadyRegisteredError. Two Consoles in one registry need registerers with different values of one label
// (prometheus.WrapRegistererWith). Scrapes may go on after [console.Console.Close].
func Register(registerer prometheus.Registerer, c *console.Console) error {
	return registerer.Register(collector{c.Stats})
}

// Describe implements prometheus.Collector.
func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{requests, acts, streams, lookFailures, lastLook} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	s := c.stats()
	for hundreds, count := range s.Requests {
		ch <- prometheus.MustNewConstMetric(requests, prometheus.CounterValue, float64(count), strconv.Itoa(hundreds)+"xx")
	}
	for outcome, count := range s.Acts {
		ch <- prometheus.MustNewConstMetric(acts, prometheus.CounterValue, float64(count), outcome)
	}
	ch <- prometheus.MustNewConstMetric(streams, prometheus.GaugeValue, float64(s.Streams))
	ch <- prometheus.MustNewConstMetric(lookFailures, prometheus.CounterValue, float64(s.LookFailures))
	if !s.LastLook.IsZero() {
		ch <- prometheus.MustNewConstMetric(lastLook, prometheus.GaugeValue, float64(s.LastLook.UnixNano())/float64(time.Second))
	}
}
