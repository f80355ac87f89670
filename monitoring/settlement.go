package monitoring

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/monitoring/internal/cause"
	"github.com/peerledger/peerledger/settlement"
)

// settlementMetrics count the events of [settlement.Events].
type settlementMetrics struct {
	events, voided, failures, paid, alerts, limits *prometheus.CounterVec
	paymentTime                                    *prometheus.HistogramVec
	railUp, paused                                 *prometheus.GaugeVec
	lastSuccess                                    *lastSuccess

	mu    sync.Mutex
	rails map[string]bool // names with a value in railUp
}

// The values of the label event of orders.
const (
	orderPlaced     = "placed"
	orderPaid       = "paid"
	orderPartlyPaid = "partly_paid"
	orderVoided     = "voided"
	orderRetried    = "retried"
	orderTakenOver  = "taken_over"
	orderStuck      = "stuck"
	orderHeld       = "held"
	orderApproved   = "approved"
)

var orderEvents = []string{orderPlaced, orderPaid, orderPartlyPaid, orderVoided, orderRetried, orderTakenOver, orderStuck, orderHeld, orderApproved}

func newSettlementMetrics() *settlementMetrics {
	m := &settlementMetrics{
		events: newCounterVec("peerledger_settlement_order_events_total", "Events of settlement orders.", "event", "rail"),
		voided: newCounterVec("peerledger_settlement_orders_voided_total", "Voided orders, by reason.", "reason"),
		failures: newCounterVec("peerledger_settlement_failures_total",
			"Failures with an account or in a look-up, by cause. The engine tries again.", "cause"),
		paid:   newCounterVec("peerledger_settlement_paid_amount_total", "Amount paid to peers, in whole units of the asset (a float: not for accounting).", "asset", "ledger"),
		alerts: newCounterVec("peerledger_settlement_alerts_total", "Positions that crossed a threshold.", "kind"),
		limits: newCounterVec("peerledger_settlement_limits_reached_total", "How often a payout limit was reached, by scope: of a peer, a rail or an asset.", "scope"),
		paymentTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "peerledger_settlement_payment_seconds", Help: "Time from placing an order to booking its payment.",
			Buckets: []float64{.1, .5, 1, 5, 15, 60, 300, 900, 3600, 14400, 86400},
		}, []string{"rail"}),
		railUp: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "peerledger_settlement_rail_up", Help: "1 if the rail answers, 0 while the rail is not called after too many errors.",
		}, []string{"rail"}),
		paused: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "peerledger_settlement_paused", Help: "1 while payments are paused, by one rail or by all rails, as far as this process has read the pauses.",
		}, []string{"payments", "rail", "asset", "ledger"}),
		lastSuccess: newLastSuccess("peerledger_settlement_last_success_timestamp_seconds", "When an order was last paid, in full or in part."),
		rails:       make(map[string]bool),
	}
	// The first event of each kind is then an increase from 0.
	for _, reason := range cause.VoidLabels() {
		m.voided.WithLabelValues(reason)
	}
	for _, scope := range []settlement.PayoutLimitScope{settlement.PeerLimit, settlement.RailLimit, settlement.AssetLimit} {
		m.limits.WithLabelValues(scope.String())
	}
	for _, label := range cause.FailureLabels() {
		m.failures.WithLabelValues(label)
	}
	return m
}

func (m *settlementMetrics) listCollectors() []prometheus.Collector {
	return []prometheus.Collector{m.events, m.voided, m.failures, m.paid, m.alerts, m.limits, m.paymentTime, m.railUp, m.paused, m.lastSuccess}
}

// setRail sets whether a rail is up. At the start a rail counts as up, unless an earlier event has
// set its state.
func (m *settlementMetrics) setRail(name string, up, atStart bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if atStart && m.rails[name] {
		return
	}
	m.rails[name] = true
	value := 0.
	if up {
		value = 1
	}
	m.railUp.WithLabelValues(name).Set(value)
	if atStart {
		for _, event := range orderEvents {
			m.events.WithLabelValues(event, name)
		}
	}
}

// setPaused sets 1 for a pause and 0 for its end.
func (m *settlementMetrics) setPaused(p settlement.Pause, on float64) {
	payments := "rail"
	if p.All {
		payments = "all"
	}
	m.paused.WithLabelValues(append([]string{payments, p.Rail}, assetLabels(p.Asset)...)...).Set(on)
}

func (m *settlementMetrics) countOrder(event string, o settlement.Order) {
	m.events.WithLabelValues(event, o.Rail).Inc()
}

func (m *settlementMetrics) countPayment(event string, p settlement.Payment, now time.Time) {
	m.countOrder(event, p.Order)
	m.lastSuccess.noteNow()
	m.paid.WithLabelValues(assetLabels(p.Order.Asset)...).Add(wholeUnits(p.Paid, p.Order.Asset.Scale))
	m.paymentTime.WithLabelValues(p.Order.Rail).Observe(max(0, now.Sub(p.Order.PlacedAt).Seconds()))
}

// Settlement returns events for a [settlement.Config] that are counted and then passed to events.
func (m *Metrics) Settlement(events settlement.Events) settlement.Events {
	s, user := m.settlement, events
	events.Placed = chainEvent(func(o settlement.Order) { s.countOrder(orderPlaced, o) }, user.Placed)
	events.Paid = chainEvent(func(p settlement.Payment) { s.countPayment(orderPaid, p, m.cfg.Clock()) }, user.Paid)
	events.PartlyPaid = chainEvent(func(p settlement.Payment) { s.countPayment(orderPartlyPaid, p, m.cfg.Clock()) }, user.PartlyPaid)
	events.Voided = func(o settlement.Order, why error) {
		s.countOrder(orderVoided, o)
		s.voided.WithLabelValues(cause.LabelVoid(why)).Inc()
		if user.Voided != nil {
			user.Voided(o, why)
		}
	}
	events.Retried = chainEvent(func(o settlement.OpenOrder) { s.countOrder(orderRetried, o.Order) }, user.Retried)
	events.TakenOver = chainEvent(func(o settlement.Order) { s.countOrder(orderTakenOver, o) }, user.TakenOver)
	events.Stuck = chainEvent(func(o settlement.OpenOrder) { s.countOrder(orderStuck, o.Order) }, user.Stuck)
	events.AwaitsApproval = chainEvent(func(o settlement.Order) { s.countOrder(orderHeld, o) }, user.AwaitsApproval)
	events.Approved = chainEvent(func(o settlement.Order) { s.countOrder(orderApproved, o) }, user.Approved)
	events.PayoutLimited = chainEvent(func(l settlement.PayoutLimitError) { s.limits.WithLabelValues(l.Scope.String()).Inc() }, user.PayoutLimited)
	events.Paused = chainEvent(func(p settlement.Pause) { s.setPaused(p, 1) }, user.Paused)
	events.Resumed = chainEvent(func(p settlement.Pause) { s.setPaused(p, 0) }, user.Resumed)
	events.Failed = chainEvent(func(err error) { s.failures.WithLabelValues(cause.LabelFailure(err)).Inc() }, user.Failed)
	events.RailDown = chainEvent(func(name string) { s.setRail(name, false, false) }, user.RailDown)
	events.RailUp = chainEvent(func(name string) { s.setRail(name, true, false) }, user.RailUp)
	events.PositionAlert = chainEvent(func(a settlement.PositionAlert) { s.alerts.WithLabelValues(alertKind(a.Event)).Inc() }, user.PositionAlert)
	return events
}

func alertKind(k accounts.ThresholdEvent) string {
	switch k {
	case accounts.LowReached:
		return "low_reached"
	case accounts.LowCleared:
		return "low_cleared"
	case accounts.HighReached:
		return "high_reached"
	case accounts.HighCleared:
		return "high_cleared"
	default:
		return cause.Other
	}
}
