package monitoring

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/peerledger/peerledger/monitoring/internal/cause"
	"github.com/peerledger/peerledger/settlement"
)

// paymentMetrics count the payments of peers. They are a tracer, since no event tells of these payments.
type paymentMetrics struct {
	noOrders

	outcomes    *prometheus.CounterVec
	lastSuccess *lastSuccess
}

func newPaymentMetrics() *paymentMetrics {
	m := &paymentMetrics{
		outcomes:    newCounterVec("peerledger_settlement_incoming_total", "Reports of payments of peers, by outcome.", "outcome"),
		lastSuccess: newLastSuccess("peerledger_settlement_incoming_last_success_timestamp_seconds", "When a payment of a peer was last booked."),
	}
	for _, outcome := range cause.PaymentLabels() {
		m.outcomes.WithLabelValues(outcome)
	}
	return m
}

// TracePaymentStart implements settlement.PaymentTracer.
func (*paymentMetrics) TracePaymentStart(ctx context.Context, _ settlement.PaymentStart) context.Context {
	return ctx
}

// TracePaymentEnd implements settlement.PaymentTracer.
func (m *paymentMetrics) TracePaymentEnd(_ context.Context, e settlement.PaymentEnd) {
	m.outcomes.WithLabelValues(cause.LabelPayment(&e)).Inc()
	if e.Err == nil {
		m.lastSuccess.noteNow()
	}
}

// Payments returns a tracer for [settlement.Config].Tracer that counts the payments of peers. Join it with others by
// [settlement.JoinTracers].
func (m *Metrics) Payments() settlement.OrderTracer { return m.payments }

// noOrders follows no orders: events count them.
type noOrders struct{}

func (noOrders) TraceOrderStart(ctx context.Context, _ settlement.OrderStart) context.Context {
	return ctx
}
func (noOrders) TraceOrderEnd(context.Context, settlement.OrderEnd) {}
func (noOrders) TraceRailStart(ctx context.Context, _ settlement.OpenOrder) context.Context {
	return ctx
}
func (noOrders) TraceRailEnd(context.Context, settlement.RailEnd) {}
