package monitoring

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/peerledger/peerledger/transfers"
)

// Bounds of histograms: of what is in a batch, up to what a request takes, and of times in
// seconds.
var (
	sizes = []float64{1, 4, 16, 64, 256, 1024, 2048, 4096, 8189}
	times = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
)

// recorderMetrics count what transfers.Events tell. Counters with a label are looked up
// here, once: a batch looks nothing up and allocates nothing.
type recorderMetrics struct {
	operations, transfers, waited, took prometheus.Histogram

	outcomes                            *prometheus.CounterVec
	applied, already, refused, unknown  prometheus.Counter
	requests, resent                    prometheus.Counter
	full, late, replayed, looks, faults prometheus.Counter
}

func newRecorderMetrics() *recorderMetrics {
	m := &recorderMetrics{
		operations: histogram("peerledger_recorder_batch_operations", "Operations in a batch.", sizes),
		transfers:  histogram("peerledger_recorder_batch_transfers", "Transfers sent for a batch, those sent again included.", sizes),
		waited:     histogram("peerledger_recorder_batch_wait_seconds", "How long the oldest operation of a batch waited for its first request.", times),
		took:       histogram("peerledger_recorder_batch_duration_seconds", "Time from the first request of a batch to its last answer.", times),
		outcomes:   counters("peerledger_recorder_operations_total", "Operations on packets, by what became of them.", "outcome"),
		requests:   counter("peerledger_recorder_requests_total", "Requests with transfers that were made of the ledger."),
		resent:     counter("peerledger_recorder_requests_resent_total", "Requests made for a batch beyond its first."),
		full:       counter("peerledger_recorder_backlog_filled_total", "How often the backlog became full."),
		late:       counter("peerledger_recorder_late_total", "Packets booked by a correction, since their hold had expired or the line did not cover them."),
		replayed:   counter("peerledger_recorder_replayed_total", "Fulfills of an earlier recorder's journal that were answered."),
		looks:      counter("peerledger_recorder_look_errors_total", "Looks at suspensions and caps that went wrong."),
		faults:     counter("peerledger_recorder_journal_errors_total", "Faults of the journal."),
	}
	m.applied = m.outcomes.WithLabelValues("applied")
	m.already = m.outcomes.WithLabelValues("already_applied")
	m.refused = m.outcomes.WithLabelValues("refused")
	m.unknown = m.outcomes.WithLabelValues("unknown")
	return m
}

func (m *recorderMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.operations, m.transfers, m.waited, m.took, m.outcomes, m.requests, m.resent,
		m.full, m.late, m.replayed, m.looks, m.faults,
	}
}

func (m *recorderMetrics) batch(b transfers.Batch) {
	m.operations.Observe(float64(b.Operations))
	m.transfers.Observe(float64(b.Transfers))
	m.waited.Observe(b.QueueWait.Seconds())
	m.took.Observe(b.Duration.Seconds())
	m.requests.Add(float64(b.Requests))
	m.resent.Add(float64(max(0, b.Requests-1)))
	m.applied.Add(float64(b.Applied))
	m.already.Add(float64(b.AlreadyApplied))
	m.refused.Add(float64(b.Refused))
	m.unknown.Add(float64(b.Unknown))
}

// Recorder returns events for a recorder's Config that are counted, and then told to
// events. Several recorders may have them; their figures are summed up. Replayed is counted
// only if events has it: a recorder with a Journal must not be without.
func (m *Metrics) Recorder(events transfers.Events) transfers.Events {
	r, user := m.recorder, events
	events.Batch = then(r.batch, user.Batch)
	events.BacklogFull = then(func(full bool) {
		if full {
			r.full.Inc()
		}
	}, user.BacklogFull)
	events.Late = then(func(late []transfers.Result) { r.late.Add(float64(len(late))) }, user.Late)
	if user.Replayed != nil {
		events.Replayed = then(func(left []transfers.Result) { r.replayed.Add(float64(len(left))) }, user.Replayed)
	}
	events.RefreshFailed = then(func(error) { r.looks.Inc() }, user.RefreshFailed)
	events.Journal = then(func(error) { r.faults.Inc() }, user.Journal)
	return events
}
