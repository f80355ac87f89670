package monitoring

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/peerledger/peerledger/transfers"
)

// Buckets of histograms: the size of a batch, up to a full request, and times in seconds.
var (
	sizeBuckets = []float64{1, 4, 16, 64, 256, 1024, 2048, 4096, 8189}
	timeBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
)

// recorderMetrics count the events of [transfers.Events]. The constructor looks the counters with
// labels up once, so a batch looks nothing up and allocates nothing.
type recorderMetrics struct {
	operations, transfers, queueWait, duration prometheus.Histogram

	outcomes                                                      *prometheus.CounterVec
	applied, alreadyApplied, refused, unknown                     prometheus.Counter
	requests, resent                                              prometheus.Counter
	backlogFilled, late, replayed, refreshFailures, journalFaults prometheus.Counter
	lastSuccess                                                   *lastSuccess
}

func newRecorderMetrics() *recorderMetrics {
	m := &recorderMetrics{
		operations:      newHistogram("peerledger_recorder_batch_operations", "Operations in a batch.", sizeBuckets),
		transfers:       newHistogram("peerledger_recorder_batch_transfers", "Transfers sent for a batch, including transfers sent again.", sizeBuckets),
		queueWait:       newHistogram("peerledger_recorder_batch_wait_seconds", "How long the oldest operation of a batch waited for its first request.", timeBuckets),
		duration:        newHistogram("peerledger_recorder_batch_duration_seconds", "Time from the first request of a batch to its last answer.", timeBuckets),
		outcomes:        newCounterVec("peerledger_recorder_operations_total", "Operations on packets, by outcome.", "outcome"),
		requests:        newCounter("peerledger_recorder_requests_total", "Requests with transfers sent to the ledger."),
		resent:          newCounter("peerledger_recorder_requests_resent_total", "Requests for a batch beyond its first."),
		backlogFilled:   newCounter("peerledger_recorder_backlog_filled_total", "How often the backlog became full."),
		late:            newCounter("peerledger_recorder_late_total", "Packets booked by a correction, or fulfilled beyond a reservation: the hold had expired, or the credit line did not cover the packet."),
		replayed:        newCounter("peerledger_recorder_replayed_total", "Answered fulfills from the journal of an earlier recorder."),
		refreshFailures: newCounter("peerledger_recorder_look_errors_total", "Failed refreshes: reads of suspensions, arrears or balances."),
		journalFaults:   newCounter("peerledger_recorder_journal_errors_total", "Faults of the journal."),
		lastSuccess:     newLastSuccess("peerledger_recorder_last_success_timestamp_seconds", "When the ledger last answered a batch."),
	}
	m.applied = m.outcomes.WithLabelValues("applied")
	m.alreadyApplied = m.outcomes.WithLabelValues("already_applied")
	m.refused = m.outcomes.WithLabelValues("refused")
	m.unknown = m.outcomes.WithLabelValues("unknown")
	return m
}

func (m *recorderMetrics) listCollectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.operations, m.transfers, m.queueWait, m.duration, m.outcomes, m.requests, m.resent,
		m.backlogFilled, m.late, m.replayed, m.refreshFailures, m.journalFaults, m.lastSuccess,
	}
}

func (m *recorderMetrics) countBatch(b transfers.Batch) {
	m.operations.Observe(float64(b.Operations))
	m.transfers.Observe(float64(b.Transfers))
	m.queueWait.Observe(b.QueueWait.Seconds())
	m.duration.Observe(b.Duration.Seconds())
	m.requests.Add(float64(b.Requests))
	m.resent.Add(float64(max(0, b.Requests-1)))
	m.applied.Add(float64(b.Applied))
	m.alreadyApplied.Add(float64(b.AlreadyApplied))
	m.refused.Add(float64(b.Refused))
	m.unknown.Add(float64(b.Unknown))
	if b.Requests > 0 && b.Unknown == 0 {
		m.lastSuccess.noteNow()
	}
}

func (m *recorderMetrics) countBacklog(full bool) {
	if full {
		m.backlogFilled.Inc()
	}
}

func (m *recorderMetrics) countLate(late []transfers.Result) { m.late.Add(float64(len(late))) }

func (m *recorderMetrics) countReplayed(left []transfers.Result) { m.replayed.Add(float64(len(left))) }

// Recorder returns events for a [transfers.Config] that are counted and then passed to events.
// Several recorders may share the result; their figures are summed up. Replayed is counted only
// if events has a Replayed function: a recorder with a Journal needs one.
func (m *Metrics) Recorder(events transfers.Events) transfers.Events {
	r, user := m.recorder, events
	events.Batch = chainEvent(r.countBatch, user.Batch)
	events.BacklogFull = chainEvent(r.countBacklog, user.BacklogFull)
	events.Late = chainEvent(r.countLate, user.Late)
	if user.Replayed != nil {
		events.Replayed = chainEvent(r.countReplayed, user.Replayed)
	}
	events.RefreshFailed = chainEvent(func(error) { r.refreshFailures.Inc() }, user.RefreshFailed)
	events.JournalFailed = chainEvent(func(error) { r.journalFaults.Inc() }, user.JournalFailed)
	return events
}
