package monitoring

import (
	"cmp"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/peerledger/peerledger/accounts"
)

// Config configures [New]. The zero value is usable.
type Config struct {
	// Peers are the ids of peers with series of their own in every scrape. Default none.
	Peers []string
	// Top is the number of further peers of each asset with series of their own: the peers with
	// the largest positions at the moment, so series come and go. Negative for none. Default 20.
	Top int
	// Interval is the least time between two reads of the ledger. Default 5 s.
	Interval time.Duration
	// Timeout bounds a read of the ledger. Keep it below Prometheus's scrape_timeout, 10 s by
	// default. Default 5 s.
	Timeout time.Duration
	// MaxOrders is the number of open orders in a read. Further orders are only counted
	// (peerledger_orders_open) and are missing from the age of the oldest order. Default 100.
	MaxOrders int
	// ReadFailed receives the error of each failed read, a [ReadError]. The scraping goroutine calls
	// ReadFailed, one read at a time. ReadFailed must not block. Default none.
	ReadFailed func(error)
	// Clock gives the time for the age of orders, compared with the ledger's time. Default
	// time.Now.
	Clock func() time.Time
}

// Validate reports all invalid fields at once. The errors match [accounts.ErrInvalid] and name
// the field.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, field string) {
		if !ok {
			errs = append(errs, &accounts.FieldError{Subject: "monitoring config", Field: field, Reason: "must not be negative"})
		}
	}
	check(c.Interval >= 0, "Interval")
	check(c.Timeout >= 0, "Timeout")
	check(c.MaxOrders >= 0, "MaxOrders")
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	c.Top = max(0, cmp.Or(c.Top, 20))
	c.Interval = cmp.Or(c.Interval, 5*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	c.MaxOrders = cmp.Or(c.MaxOrders, 100)
	if c.ReadFailed == nil {
		c.ReadFailed = func(error) {}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

// Metrics are the metrics of one ledger's recorders, engines and peers. The methods may be called
// concurrently. Two Metrics in one registry need registerers with different values of one label
// (prometheus.WrapRegistererWith).
type Metrics struct {
	cfg        Config
	recorder   *recorderMetrics
	rounds     *roundMetrics
	settlement *settlementMetrics
	payments   *paymentMetrics
	watcher    *watcher
}

// New registers the metrics. It returns the errors of [Config.Validate] and of the registerer, for
// example a prometheus.AlreadyRegisteredError. After an error nothing stays registered.
func New(registerer prometheus.Registerer, cfg Config) (*Metrics, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	m := &Metrics{
		cfg: cfg, recorder: newRecorderMetrics(), rounds: newRoundMetrics(), settlement: newSettlementMetrics(),
		payments: newPaymentMetrics(), watcher: newWatcher(cfg),
	}
	for _, l := range []*lastSuccess{m.recorder.lastSuccess, m.rounds.lastSuccess, m.settlement.lastSuccess, m.payments.lastSuccess, m.watcher.lastSuccess} {
		l.clock = cfg.Clock
	}
	all := []prometheus.Collector{m.watcher, newBuildInfo(), m.payments.outcomes, m.payments.lastSuccess}
	all = append(all, m.recorder.listCollectors()...)
	all = append(all, m.rounds.listCollectors()...)
	all = append(all, m.settlement.listCollectors()...)
	for i, c := range all {
		if err := registerer.Register(c); err != nil {
			for _, registered := range all[:i] {
				registerer.Unregister(registered)
			}
			return nil, err
		}
	}
	return m, nil
}

func newCounter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

func newCounterVec(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func newHistogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
}

// chainEvent counts an event, then calls the user's function if the user has set one.
func chainEvent[T any](count, user func(T)) func(T) {
	return func(t T) {
		count(t)
		if user != nil {
			user(t)
		}
	}
}
