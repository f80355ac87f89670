package monitoring_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/monitoring"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	_, err := monitoring.New(registry, monitoring.Config{Interval: -1, Timeout: -1, MaxOrders: -1})
	require.ErrorIs(t, err, accounts.ErrInvalid)
	for _, field := range []string{"Interval", "Timeout", "MaxOrders"} {
		require.ErrorContains(t, err, field)
	}
	m, err := monitoring.New(registry, monitoring.Config{})
	require.NoError(t, err)
	_, err = monitoring.New(registry, monitoring.Config{})
	require.ErrorAs(t, err, &prometheus.AlreadyRegisteredError{})
	both := prometheus.NewRegistry()
	for _, name := range []string{"one", "two"} {
		_, err = monitoring.New(prometheus.WrapRegistererWith(prometheus.Labels{"books": name}, both), monitoring.Config{})
		require.NoError(t, err)
	}

	require.ErrorContains(t, m.Watch(t.Context(), monitoring.Sources{Accounts: func() []accounts.PeerAccount { return nil }}), "Book")
	require.ErrorIs(t, m.Watch(t.Context(), monitoring.Sources{Settlement: &settlement.Engine{}, Book: &accounts.Book{}}), accounts.ErrInvalid)
}

// If the registry refuses one of the metrics, none of the metrics stays registered.
func TestNothingStaysRegistered(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	taken := prometheus.NewCounter(prometheus.CounterOpts{Name: "peerledger_settlement_rail_up", Help: "foreign"})
	require.NoError(t, registry.Register(taken))
	_, err := monitoring.New(registry, monitoring.Config{})
	require.Error(t, err)
	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, families, 1)
	require.Equal(t, "foreign", families[0].GetHelp())
}

// Every metric has a name and a help text after the conventions of Prometheus.
func TestLint(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{
		Rails:    settlement.Rails{Default: railOf("chain", never)},
		Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: units(100)}},
	}, accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
	c.forward(t, c.peers[0], c.peers[1], 500)
	_, err := c.engine.Settle(t.Context())
	require.NoError(t, err)
	_, err = c.engine.Settle(t.Context(), c.peers...)
	require.Error(t, err)
	problems, err := testutil.GatherAndLint(c.registry)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestRecorderEventsAreCounted(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{})
	var called []string
	events := c.metrics.Recorder(transfers.Events{
		Batch:         func(transfers.Batch) { called = append(called, "batch") },
		BacklogFull:   func(full bool) { called = append(called, fmt.Sprint("backlog ", full)) },
		Late:          func([]transfers.Result) { called = append(called, "late") },
		Replayed:      func([]transfers.Result) { called = append(called, "replayed") },
		RefreshFailed: func(error) { called = append(called, "look") },
		JournalFailed: func(error) { called = append(called, "journal") },
	})
	events.Batch(transfers.Batch{
		Operations: 10, Transfers: 30, Requests: 3, QueueWait: 20 * time.Millisecond, Duration: 2 * time.Second,
		Applied: 4, AlreadyApplied: 3, Refused: 2, Unknown: 1,
	})
	events.Batch(transfers.Batch{Operations: 1, Refused: 1}) // every hold had expired
	events.BacklogFull(true)
	events.BacklogFull(false)
	events.Late(make([]transfers.Result, 2))
	events.Replayed(make([]transfers.Result, 3))
	events.RefreshFailed(errors.New("x"))
	events.JournalFailed(errors.New("x"))
	require.Equal(t, []string{"batch", "batch", "backlog true", "backlog false", "late", "replayed", "look", "journal"}, called)

	require.NoError(t, testutil.GatherAndCompare(c.registry, strings.NewReader(`
# HELP peerledger_recorder_operations_total Operations on packets, by outcome.
# TYPE peerledger_recorder_operations_total counter
peerledger_recorder_operations_total{outcome="already_applied"} 3
peerledger_recorder_operations_total{outcome="applied"} 4
peerledger_recorder_operations_total{outcome="refused"} 3
peerledger_recorder_operations_total{outcome="unknown"} 1
# HELP peerledger_recorder_requests_total Requests with transfers sent to the ledger.
# TYPE peerledger_recorder_requests_total counter
peerledger_recorder_requests_total 3
# HELP peerledger_recorder_requests_resent_total Requests for a batch beyond its first.
# TYPE peerledger_recorder_requests_resent_total counter
peerledger_recorder_requests_resent_total 2
# HELP peerledger_recorder_batch_operations Operations in a batch.
# TYPE peerledger_recorder_batch_operations histogram
peerledger_recorder_batch_operations_bucket{le="1"} 1
peerledger_recorder_batch_operations_bucket{le="4"} 1
peerledger_recorder_batch_operations_bucket{le="16"} 2
peerledger_recorder_batch_operations_bucket{le="64"} 2
peerledger_recorder_batch_operations_bucket{le="256"} 2
peerledger_recorder_batch_operations_bucket{le="1024"} 2
peerledger_recorder_batch_operations_bucket{le="2048"} 2
peerledger_recorder_batch_operations_bucket{le="4096"} 2
peerledger_recorder_batch_operations_bucket{le="8189"} 2
peerledger_recorder_batch_operations_bucket{le="+Inf"} 2
peerledger_recorder_batch_operations_sum 11
peerledger_recorder_batch_operations_count 2
`), "peerledger_recorder_operations_total", "peerledger_recorder_requests_total",
		"peerledger_recorder_requests_resent_total", "peerledger_recorder_batch_operations"))
	for metric, want := range map[string]float64{
		"peerledger_recorder_backlog_filled_total": 1, "peerledger_recorder_late_total": 2, "peerledger_recorder_replayed_total": 3,
		"peerledger_recorder_look_errors_total": 1, "peerledger_recorder_journal_errors_total": 1,
	} {
		require.Equal(t, map[string]float64{"": want}, c.values(t, metric), metric)
	}
}

// [monitoring.Metrics.Recorder] sets no Replayed function of its own: a recorder with a journal is
// refused if the user has not set Replayed.
func TestReplayedIsNotSetByMetrics(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{})
	cfg := transfers.Config{JournalFolder: t.TempDir(), Events: c.metrics.Recorder(transfers.Events{})}
	require.ErrorContains(t, cfg.Validate(), "Events.Replayed")
}

func TestCountingABatchDoesNotAllocate(t *testing.T) { //nolint:paralleltest // the count is of the whole process
	c := newConnector(t, monitoring.Config{}, settlement.Config{})
	batch := c.metrics.Recorder(transfers.Events{}).Batch
	b := transfers.Batch{Operations: 10, Transfers: 20, Requests: 1, QueueWait: time.Millisecond, Duration: time.Millisecond, Applied: 10}
	require.Zero(t, testing.AllocsPerRun(1000, func() { batch(b) }))
}

func TestSettlementEventsAreCounted(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	c := newConnector(t, monitoring.Config{Clock: func() time.Time { return now }}, settlement.Config{})
	var called []string
	note := func(event string) { called = append(called, event) }
	events := c.metrics.Settlement(settlement.Events{
		Placed: func(settlement.Order) { note("placed") }, Paid: func(settlement.Payment) { note("paid") },
		PartlyPaid: func(settlement.Payment) { note("partly") }, Voided: func(settlement.Order, error) { note("voided") },
		Retried: func(settlement.OpenOrder) { note("retried") }, TakenOver: func(settlement.Order) { note("taken over") },
		Stuck: func(settlement.OpenOrder) { note("stuck") }, Failed: func(error) { note("failed") },
		RailDown: func(string) { note("down") }, RailUp: func(string) { note("up") }, PositionAlert: func(settlement.PositionAlert) { note("alert") },
	})
	o := settlement.Order{Asset: usd, Amount: units(250), Rail: "chain", PlacedAt: now.Add(-20 * time.Second)}
	events.Placed(o)
	events.Paid(settlement.Payment{Order: o, Paid: units(250)})
	events.PartlyPaid(settlement.Payment{Order: o, Paid: units(50)})
	events.Voided(o, fmt.Errorf("well: %w", settlement.ErrDeclined))
	events.Voided(o, settlement.ErrCheckFailed)
	events.Voided(o, errors.New("for no reason"))
	events.Retried(settlement.OpenOrder{Order: o})
	events.TakenOver(o)
	events.Stuck(settlement.OpenOrder{Order: o})
	for _, err := range []error{settlement.ErrRailDown, ledger.ErrOutcomeUnknown, context.DeadlineExceeded, errors.New("rail says 503 to key 12"), settlement.ErrOldEngine, settlement.ErrOrderVersion, &settlement.PrefundError{}} {
		events.Failed(&settlement.OrderError{Err: fmt.Errorf("tried: %w", err)})
	}
	events.RailDown("chain")
	events.PositionAlert(settlement.PositionAlert{Event: accounts.HighReached})
	require.Equal(t, []string{
		"placed", "paid", "partly", "voided", "voided", "voided", "retried", "taken over", "stuck",
		"failed", "failed", "failed", "failed", "failed", "failed", "failed", "down", "alert",
	}, called)
	require.Equal(t, map[string]float64{
		"placed,chain": 1, "paid,chain": 1, "partly_paid,chain": 1, "voided,chain": 3, "retried,chain": 1, "taken_over,chain": 1, "stuck,chain": 1,
	}, c.values(t, "peerledger_settlement_order_events_total"))
	require.Equal(t, map[string]float64{"declined": 1, "withdrawn": 1, "other": 1, "cancelled": 0, "too_small": 0, "limited": 0, "paused": 0}, c.values(t, "peerledger_settlement_orders_voided_total"))
	failures := c.values(t, "peerledger_settlement_failures_total")
	for _, cause := range []string{"rail_down", "unknown_outcome", "deadline", "old_engine", "order_version", "prefund_line", "other"} {
		require.InDelta(t, 1, failures[cause], 0, cause)
	}
	require.Contains(t, failures, "resolved_otherwise", "the first failure is an increase from 0")
	require.Equal(t, map[string]float64{"USD,1": 3}, c.values(t, "peerledger_settlement_paid_amount_total"))
	require.Equal(t, map[string]float64{"chain": 2}, c.values(t, "peerledger_settlement_payment_seconds"))
	require.Equal(t, map[string]float64{"high_reached": 1}, c.values(t, "peerledger_settlement_alerts_total"))
	require.Equal(t, map[string]float64{"chain": 0}, c.values(t, "peerledger_settlement_rail_up"))

	// Watch does not set a rail to up that is known to be down.
	c.sources.SettlementConfig.Rails = settlement.Rails{
		Default: railOf("chain", never), Peer: map[string]*settlement.Rail{"bob": railOf("bank", never), "carol": nil},
	}
	require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
	require.Equal(t, map[string]float64{"chain": 0, "bank": 1}, c.values(t, "peerledger_settlement_rail_up"))
	events.RailUp("chain")
	require.Equal(t, map[string]float64{"chain": 1, "bank": 1}, c.values(t, "peerledger_settlement_rail_up"))
	require.Equal(t, "up", called[len(called)-1])
	require.Contains(t, c.values(t, "peerledger_settlement_order_events_total"), "stuck,bank", "the first event is an increase from 0")
}

func TestLimitsAndPausesAreCounted(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{})
	called := 0
	events := c.metrics.Settlement(settlement.Events{
		AwaitsApproval: func(settlement.Order) { called++ }, Approved: func(settlement.Order) { called++ },
		PayoutLimited: func(settlement.PayoutLimitError) { called++ },
		Paused:        func(settlement.Pause) { called++ }, Resumed: func(settlement.Pause) { called++ },
	})
	o := settlement.Order{Asset: usd, Rail: "chain"}
	events.AwaitsApproval(o)
	events.Approved(o)
	events.PayoutLimited(settlement.PayoutLimitError{Scope: settlement.RailLimit})
	events.Voided(o, &settlement.PayoutLimitError{})
	events.Voided(o, &settlement.PauseError{})
	events.Paused(settlement.Pause{Asset: usd, Rail: "chain"})
	events.Paused(settlement.Pause{Asset: usd, All: true})
	require.Equal(t, map[string]float64{"USD,1,rail,chain": 1, "USD,1,all,": 1}, c.values(t, "peerledger_settlement_paused"))
	events.Resumed(settlement.Pause{Asset: usd, Rail: "chain"})
	require.Equal(t, map[string]float64{"USD,1,rail,chain": 0, "USD,1,all,": 1}, c.values(t, "peerledger_settlement_paused"))
	require.Equal(t, 6, called)
	require.Equal(t, map[string]float64{"peer": 0, "rail": 1, "asset": 0}, c.values(t, "peerledger_settlement_limits_reached_total"))
	require.Equal(t, map[string]float64{"held,chain": 1, "approved,chain": 1, "voided,chain": 2}, c.values(t, "peerledger_settlement_order_events_total"))
	voided := c.values(t, "peerledger_settlement_orders_voided_total")
	require.InDelta(t, 1, voided["limited"], 0)
	require.InDelta(t, 1, voided["paused"], 0)
}
