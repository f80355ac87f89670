package monitoring_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/monitoring"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

func TestRoundEventsAreCounted(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{})
	var called []string
	note := func(event string) { called = append(called, event) }
	events := c.metrics.Rounds(aggregate.Events{
		BalancesChanged: func([]accounts.PeerAccount) { note("balances") },
		Round:           func(aggregate.Round) { note("round") },
		BacklogFull:     func(full bool) { note(fmt.Sprint("backlog ", full)) },
		Late:            func([]transfers.Result) { note("late") },
		Replayed:        func([]transfers.Result) { note("replayed") },
		RequestFailed:   func(error) { note("request") },
		JournalFailed:   func(error) { note("journal") },
		Stopped:         func(error) { note("stopped") },
	})
	events.Round(aggregate.Round{
		Packets: 500, Attempts: 3, Legs: 40, Wait: 40 * time.Millisecond, Duration: 2 * time.Millisecond,
		Arrears:  []aggregate.Charge{{Asset: usd, Amount: units(150)}, {Asset: usd, Amount: units(50)}},
		Suspense: []aggregate.Charge{{Asset: eur, Amount: units(7_000_000_000)}},
	})
	events.Round(aggregate.Round{Attempts: 1, Legs: 2}) // renews reservations
	events.BalancesChanged(nil)
	events.BacklogFull(true)
	events.BacklogFull(false)
	events.Late(make([]transfers.Result, 2))
	events.Replayed(make([]transfers.Result, 3))
	events.RequestFailed(errors.New("x"))
	events.JournalFailed(errors.New("x"))
	events.Stopped(errors.New("x"))
	require.Equal(t, []string{"round", "round", "balances", "backlog true", "backlog false", "late", "replayed", "request", "journal", "stopped"}, called)

	for metric, want := range map[string]map[string]float64{
		"peerledger_rounds_packets":                {"": 2},
		"peerledger_rounds_legs":                   {"": 2},
		"peerledger_rounds_wait_seconds":           {"": 1},
		"peerledger_rounds_duration_seconds":       {"": 2},
		"peerledger_rounds_attempts_refused_total": {"": 2},
		"peerledger_rounds_late_cases_total":       {"arrears": 2, "suspense": 1},
		"peerledger_rounds_late_amount_total":      {"USD,arrears,1": 2, "EUR,suspense,2": 7},
		"peerledger_rounds_request_errors_total":   {"": 1},
		"peerledger_recorder_backlog_filled_total": {"": 1},
		"peerledger_recorder_late_total":           {"": 2},
		"peerledger_recorder_replayed_total":       {"": 3},
		"peerledger_recorder_journal_errors_total": {"": 1},
	} {
		require.Equal(t, want, c.values(t, metric), metric)
	}
	require.NoError(t, testutil.GatherAndCompare(c.registry, strings.NewReader(`
# HELP peerledger_rounds_packets Packets in a round.
# TYPE peerledger_rounds_packets histogram
peerledger_rounds_packets_bucket{le="0"} 1
peerledger_rounds_packets_bucket{le="1"} 1
peerledger_rounds_packets_bucket{le="10"} 1
peerledger_rounds_packets_bucket{le="100"} 1
peerledger_rounds_packets_bucket{le="1000"} 2
peerledger_rounds_packets_bucket{le="10000"} 2
peerledger_rounds_packets_bucket{le="100000"} 2
peerledger_rounds_packets_bucket{le="1e+06"} 2
peerledger_rounds_packets_bucket{le="+Inf"} 2
peerledger_rounds_packets_sum 500
peerledger_rounds_packets_count 2
`), "peerledger_rounds_packets"))
}

// Events of the user that are missing stay missing to the caller: the metrics alone are called.
func TestRoundEventsWithoutTheUsers(t *testing.T) {
	t.Parallel()
	c := newConnector(t, monitoring.Config{}, settlement.Config{})
	events := c.metrics.Rounds(aggregate.Events{})
	events.Round(aggregate.Round{Attempts: 1})
	events.Late(make([]transfers.Result, 1))
	require.Nil(t, events.BalancesChanged)
	require.Nil(t, events.Stopped)
	require.Equal(t, map[string]float64{"": 1}, c.values(t, "peerledger_rounds_packets"))
	require.Equal(t, map[string]float64{"": 1}, c.values(t, "peerledger_recorder_late_total"))
}

func TestCountingARoundDoesNotAllocate(t *testing.T) { //nolint:paralleltest // the count is of the whole process
	c := newConnector(t, monitoring.Config{}, settlement.Config{})
	round := c.metrics.Rounds(aggregate.Events{}).Round
	r := aggregate.Round{Packets: 100, Attempts: 1, Legs: 10, Wait: time.Millisecond, Duration: time.Millisecond}
	require.Zero(t, testing.AllocsPerRun(1000, func() { round(r) }))
}
