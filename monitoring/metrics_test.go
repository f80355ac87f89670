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
	for _, field := range []string{"Interval", "Timeout", "Orders"} {
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

// A registry that refuses one of the metrics has none of them.
func TestNothingStaysRegistered(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	taken := prometheus.NewCounter(prometheus.CounterOpts{Name: "peerledger_settlement_rail_up", Help: "another one"})
	require.NoError(t, registry.Register(taken))
	_, err := monitoring.New(registry, monitoring.Config{})
	require.Error(t, err)
	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, families, 1)
	require.Equal(t, "another one", families[0].GetHelp())
}

// Everything that can be shown has a name and a help text as Prometheus wants them.
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
	var told []string
	events := c.metrics.Recorder(transfers.Events{
		Batch:         func(transfers.Batch) { told = append(told, "batch") },
		BacklogFull:   func(full bool) { told = append(told, fmt.Sprint("backlog ", full)) },
		Late:          func([]transfers.Result) { told = append(told, "late") },
		Replayed:      func([]transfers.Result) { told = append(told, "replayed") },
		RefreshFailed: func(error) { told = append(told, "look") },
		JournalFailed: func(error) { told = append(told, "journal") },
	})
	events.Batch(transfers.Batch{
		Operations: 10, Transfers: 30, Requests: 3, QueueWait: 20 * time.Millisecond, Duration: 2 * time.Second,
		Applied: 4, AlreadyApplied: 3, Refused: 2, Unknown: 1,
	})
	events.Batch(transfers.Batch{Operations: 1, Refused: 1}) // all had expired
	events.BacklogFull(true)
	events.BacklogFull(false)
	events.Late(make([]transfers.Result, 2))
	events.Replayed(make([]transfers.Result, 3))
	events.RefreshFailed(errors.New("x"))
	events.JournalFailed(errors.New("x"))
	require.Equal(t, []string{"batch", "batch", "backlog true", "backlog false", "late", "replayed", "look", "journal"}, told)

	require.NoError(t, testutil.GatherAndCompare(c.registry, strings.NewReader(`
# HELP peerledger_recorder_operations_total Operations on packets, by what became of them.
# TYPE peerledger_recorder_operations_total counter
peerledger_recorder_operations_total{outcome="already_applied"} 3
peerledger_recorder_operations_total{outcome="applied"} 4
peerledger_recorder_operations_total{outcome="refused"} 3
peerledger_recorder_operations_total{outcome="unknown"} 1
# HELP peerledger_recorder_requests_total Requests with transfers that were made of the ledger.
# TYPE peerledger_recorder_requests_total counter
peerledger_recorder_requests_total 3
# HELP peerledger_recorder_requests_resent_total Requests made for a batch beyond its first.
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

// What was not asked for stays not asked for: a journal without somebody who hears what
// becomes of it is refused.
func TestReplayedIsNotMadeUp(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{})
	cfg := transfers.Config{JournalFolder: t.TempDir(), Events: c.metrics.Recorder(transfers.Events{})}
	require.ErrorContains(t, cfg.Validate(), "Events.Replayed")
}

func TestCountingABatchDoesNotAllocate(t *testing.T) { //nolint:paralleltest // it counts what the whole process allocates
	c := newConnector(t, monitoring.Config{}, settlement.Config{})
	batch := c.metrics.Recorder(transfers.Events{}).Batch
	b := transfers.Batch{Operations: 10, Transfers: 20, Requests: 1, QueueWait: time.Millisecond, Duration: time.Millisecond, Applied: 10}
	require.Zero(t, testing.AllocsPerRun(1000, func() { batch(b) }))
}

func TestSettlementEventsAreCounted(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	c := newConnector(t, monitoring.Config{Clock: func() time.Time { return now }}, settlement.Config{})
	var told []string
	note := func(what string) { told = append(told, what) }
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
	}, told)
	require.Equal(t, map[string]float64{
		"placed,chain": 1, "paid,chain": 1, "partly_paid,chain": 1, "voided,chain": 3, "retried,chain": 1, "taken_over,chain": 1, "stuck,chain": 1,
	}, c.values(t, "peerledger_settlement_order_events_total"))
	require.Equal(t, map[string]float64{"declined": 1, "withdrawn": 1, "other": 1, "cancelled": 0, "too_small": 0, "limited": 0, "paused": 0}, c.values(t, "peerledger_settlement_orders_voided_total"))
	failures := c.values(t, "peerledger_settlement_failures_total")
	for _, cause := range []string{"rail_down", "unknown_outcome", "deadline", "old_engine", "order_version", "prefund_line", "other"} {
		require.InDelta(t, 1, failures[cause], 0, cause)
	}
	require.Contains(t, failures, "resolved_otherwise", "the first one is an increase from 0")
	require.Equal(t, map[string]float64{"USD,1": 3}, c.values(t, "peerledger_settlement_paid_amount_total"))
	require.Equal(t, map[string]float64{"chain": 2}, c.values(t, "peerledger_settlement_payment_seconds"))
	require.Equal(t, map[string]float64{"high_reached": 1}, c.values(t, "peerledger_settlement_alerts_total"))
	require.Equal(t, map[string]float64{"chain": 0}, c.values(t, "peerledger_settlement_rail_up"))

	// A rail that is down already is not up because somebody watches it.
	c.sources.SettlementConfig.Rails = settlement.Rails{
		Default: railOf("chain", never), Peer: map[string]*settlement.Rail{"bob": railOf("bank", never), "carol": nil},
	}
	require.NoError(t, c.metrics.Watch(t.Context(), c.sources))
	require.Equal(t, map[string]float64{"chain": 0, "bank": 1}, c.values(t, "peerledger_settlement_rail_up"))
	events.RailUp("chain")
	require.Equal(t, map[string]float64{"chain": 1, "bank": 1}, c.values(t, "peerledger_settlement_rail_up"))
	require.Equal(t, "up", told[len(told)-1])
	require.Contains(t, c.values(t, "peerledger_settlement_order_events_total"), "stuck,bank", "and its first order is an increase")
}

func TestLimitsAndPausesAreCounted(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{})
	told := 0
	events := c.metrics.Settlement(settlement.Events{
		AwaitsApproval: func(settlement.Order) { told++ }, Approved: func(settlement.Order) { told++ },
		PayoutLimited: func(settlement.PayoutLimitError) { told++ },
		Paused:        func(settlement.Pause) { told++ }, Resumed: func(settlement.Pause) { told++ },
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
	require.Equal(t, 6, told)
	require.Equal(t, map[string]float64{"peer": 0, "rail": 1, "asset": 0}, c.values(t, "peerledger_settlement_limits_reached_total"))
	require.Equal(t, map[string]float64{"held,chain": 1, "approved,chain": 1, "voided,chain": 2}, c.values(t, "peerledger_settlement_order_events_total"))
	voided := c.values(t, "peerledger_settlement_orders_voided_total")
	require.InDelta(t, 1, voided["limited"], 0)
	require.InDelta(t, 1, voided["paused"], 0)
}
