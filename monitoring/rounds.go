package monitoring

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// packetBuckets are for the packets of a round: one interval of a quiet or a busy connector.
var packetBuckets = []float64{0, 1, 10, 100, 1000, 10_000, 100_000, 1_000_000}

// The values of the label booked_to of late cases.
const (
	toArrears  = "arrears"
	toSuspense = "suspense"
)

// roundMetrics count the events of [aggregate.Events]. The counters of recorderMetrics have the
// events that both recorders know.
type roundMetrics struct {
	packets, legs, wait, duration prometheus.Histogram

	refusedAttempts, requestErrors prometheus.Counter
	lateCases, lateAmount          *prometheus.CounterVec
	lastSuccess                    *lastSuccess
}

func newRoundMetrics() *roundMetrics {
	m := &roundMetrics{
		packets:         newHistogram("peerledger_rounds_packets", "Packets in a round.", packetBuckets),
		legs:            newHistogram("peerledger_rounds_legs", "Transfers of a round.", sizeBuckets),
		wait:            newHistogram("peerledger_rounds_wait_seconds", "How long the oldest fulfill of a round waited until the round was cut.", timeBuckets),
		duration:        newHistogram("peerledger_rounds_duration_seconds", "Time from the cut of a round to the ledger's answer.", timeBuckets),
		refusedAttempts: newCounter("peerledger_rounds_attempts_refused_total", "Attempts of rounds that the ledger refused."),
		requestErrors:   newCounter("peerledger_rounds_request_errors_total", "Failed requests of a recorder of rounds; each is sent again."),
		lateCases: newCounterVec("peerledger_rounds_late_cases_total",
			"Peers of rounds whose packets no reservation covered, or whose account was closed.", "booked_to"),
		lateAmount: newCounterVec("peerledger_rounds_late_amount_total",
			"Amount that rounds booked to arrears or to suspense, in whole units of the asset (a float: not for accounting).", "booked_to", "asset", "ledger"),
		lastSuccess: newLastSuccess("peerledger_rounds_last_success_timestamp_seconds", "When the ledger last took a round."),
	}
	for _, account := range []string{toArrears, toSuspense} {
		m.lateCases.WithLabelValues(account) // the first case is then an increase from 0
	}
	return m
}

func (m *roundMetrics) listCollectors() []prometheus.Collector {
	return []prometheus.Collector{m.packets, m.legs, m.wait, m.duration, m.refusedAttempts, m.requestErrors, m.lateCases, m.lateAmount, m.lastSuccess}
}

func (m *roundMetrics) countRound(r aggregate.Round) {
	m.lastSuccess.noteNow()
	m.packets.Observe(float64(r.Packets))
	m.legs.Observe(float64(r.Legs))
	if r.Packets > 0 {
		m.wait.Observe(r.Wait.Seconds())
	}
	m.duration.Observe(r.Duration.Seconds())
	m.refusedAttempts.Add(float64(r.Attempts - 1))
	m.countLate(toArrears, r.Arrears)
	m.countLate(toSuspense, r.Suspense)
}

func (m *roundMetrics) countLate(bookedTo string, charges []aggregate.Charge) {
	for _, c := range charges {
		m.lateCases.WithLabelValues(bookedTo).Inc()
		m.lateAmount.WithLabelValues(append([]string{bookedTo}, assetLabels(c.Asset)...)...).Add(wholeUnits(c.Amount, c.Asset.Scale))
	}
}

// Rounds returns events for an [aggregate.Config] that are counted and then passed to events.
// Several recorders may share the result; their figures are summed up.
func (m *Metrics) Rounds(events aggregate.Events) aggregate.Events {
	both, rounds, user := m.recorder, m.rounds, events
	events.Round = chainEvent(rounds.countRound, user.Round)
	events.BacklogFull = chainEvent(both.countBacklog, user.BacklogFull)
	events.Late = chainEvent(both.countLate, user.Late)
	events.Replayed = chainEvent(both.countReplayed, user.Replayed)
	events.RequestFailed = chainEvent(func(error) { rounds.requestErrors.Inc() }, user.RequestFailed)
	events.JournalFailed = chainEvent(func(error) { both.journalFaults.Inc() }, user.JournalFailed)
	return events
}

// Metrics of a recorder of rounds.
var (
	roundOperations = describeMetric("peerledger_rounds_operations_total", "Answered operations on packets, by kind and outcome.", "kind", "outcome")
	roundRequests   = describeMetric("peerledger_rounds_requests_total", "Requests that the ledger has answered, by purpose.", "purpose")
	roundTopUps     = describeMetric("peerledger_rounds_topups_total", "New reservations beside those of rounds: granted, or refused since the headroom was gone.", "outcome")
	roundOpen       = describeMetric("peerledger_rounds_open_packets", "Packets prepared and not resolved.")
	roundWaiting    = describeMetric("peerledger_rounds_waiting_prepares", "Prepares that wait for a look-up or a new reservation.")
	roundRemembered = describeMetric("peerledger_rounds_remembered_packets", "Packets whose horizon has not passed.")
	roundUnbooked   = describeMetric("peerledger_rounds_unbooked_packets", "Fulfilled packets in no round that the ledger has.")
	roundOldest     = describeMetric("peerledger_rounds_oldest_unbooked_seconds", "Time since the first fulfill that is in no round of the ledger; 0 without any.")
	roundUnsynced   = describeMetric("peerledger_rounds_journal_unsynced_bytes", "Bytes of the journal that are not on disk yet.")
	roundFiles      = describeMetric("peerledger_rounds_archive_files", "Files of the archive of packets.")
	roundBytes      = describeMetric("peerledger_rounds_archive_bytes", "Size of the archive of packets on disk.")
	roundStopped    = describeMetric("peerledger_rounds_stopped", "1 if the recorder has stopped after a fault: packets are refused.")
	roundSenders    = describeOfAsset("peerledger_rounds_senders", "Peers with a reservation.")
	roundReserved   = describeOfAsset("peerledger_rounds_reserved", "The reservations of all peers.")
	roundHeld       = describeOfAsset("peerledger_rounds_held", "The part of the reservations that open packets hold.")
	roundUsed       = describeOfAsset("peerledger_rounds_used", "The part of the reservations that fulfilled packets have used since the last round was cut.")
	roundHeadroom   = describeOfAsset("peerledger_rounds_headroom", "The headroom of peers with a reservation at their last look-ups, reservations included.")
)

// roundStats is a recorder of rounds: an [aggregate.Recorder], also in a wrapper of the user.
type roundStats interface{ RoundStats() aggregate.Stats }

func (o *output) addRounds(s *aggregate.Stats) {
	o.addRoundCounts(s)
	o.addGauge(roundOpen, float64(s.OpenPackets))
	o.addGauge(roundWaiting, float64(s.WaitingPrepares))
	o.addGauge(roundRemembered, float64(s.RememberedPackets))
	o.addGauge(roundUnbooked, float64(s.UnbookedPackets))
	o.addGauge(roundOldest, s.OldestUnbooked.Seconds())
	o.addGauge(roundUnsynced, float64(s.UnsyncedBytes))
	o.addGauge(roundFiles, float64(s.ArchiveFiles))
	o.addGauge(roundBytes, float64(s.ArchiveBytes))
	o.addGauge(roundStopped, boolValue(s.Stopped))
	for _, a := range s.Assets {
		labels, scale := assetLabels(a.Asset), a.Asset.Scale
		o.addGauge(roundSenders, float64(a.Senders), labels...)
		o.addGauge(roundReserved, wholeUnits(a.Reserved, scale), labels...)
		o.addGauge(roundHeld, wholeUnits(a.Held, scale), labels...)
		o.addGauge(roundUsed, wholeUnits(a.Used, scale), labels...)
		o.addGauge(roundHeadroom, wholeUnits(a.Headroom, scale), labels...)
	}
}

func (o *output) addRoundCounts(s *aggregate.Stats) {
	addCount := func(d *prometheus.Desc, n uint64, labels ...string) {
		o.addMetric(d, prometheus.CounterValue, float64(n), labels)
	}
	for kind := transfers.KindPrepare; kind <= transfers.KindForward; kind++ {
		addCount(roundOperations, s.Operations.Of(kind, ledger.OutcomeApplied), kind.String(), "applied")
		addCount(roundOperations, s.Operations.Of(kind, ledger.OutcomeAlreadyApplied), kind.String(), "already_applied")
		addCount(roundOperations, s.Operations.Of(kind, ledger.OutcomeRefused), kind.String(), "refused")
	}
	addCount(roundRequests, s.Requests.Rounds, "round")
	addCount(roundRequests, s.Requests.TopUps, "topup")
	addCount(roundRequests, s.Requests.LookUps, "lookup")
	addCount(roundRequests, s.Requests.Repairs, "repair")
	addCount(roundRequests, s.Requests.Recovery, "recovery")
	addCount(roundTopUps, s.TopUpsGranted, "granted")
	addCount(roundTopUps, s.TopUpsRefused, "refused")
}
