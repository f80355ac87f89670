package monitoring_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
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

// The series of a running recorder of rounds, at a moment with known figures.
func TestRunningRounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		c := newConnector(t, monitoring.Config{}, settlement.Config{},
			accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(16_000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
		rounds, err := aggregate.NewRecorder(ctx, c.ledger, c.book, aggregate.Config{
			LoseFulfillsWithProcess: true, RoundInterval: time.Minute, Events: c.metrics.Rounds(aggregate.Events{}),
		})
		require.NoError(t, err)
		c.sources.Recorder = rounds
		require.NoError(t, c.metrics.Watch(ctx, c.sources))
		var held []transfers.Packet
		for _, amount := range []uint64{100, 200, 300} {
			result, err := rounds.Prepare(ctx, transfers.Packet{From: c.peers[0], To: c.peers[1], In: amount, Out: amount, Expiry: time.Now().Add(30 * time.Second)})
			require.NoError(t, err)
			held = append(held, result.Packet)
		}
		_, err = rounds.Fulfill(ctx, held[0])
		require.NoError(t, err)
		require.NoError(t, rounds.Flush(ctx))
		for range 2 { // the second time it is already applied
			_, err = rounds.Fulfill(ctx, held[1])
			require.NoError(t, err)
		}
		_, err = rounds.Reject(ctx, held[1])
		require.ErrorIs(t, err, transfers.ErrPacketConflict)
		time.Sleep(250 * time.Millisecond) //nolint:forbidigo // virtual time in synctest
		operations := c.values(t, "peerledger_rounds_operations_total")
		require.Len(t, operations, 12, "four kinds, three outcomes")
		for series, want := range map[string]float64{
			"prepare,applied": 3, "fulfill,applied": 2, "fulfill,already_applied": 1, "reject,refused": 1, "forward,applied": 0,
		} {
			require.InDelta(t, want, operations[series], 0, series)
		}
		for metric, want := range map[string]map[string]float64{
			"peerledger_rounds_packets":                 {"": 1},
			"peerledger_rounds_requests_total":          {"round": 1, "topup": 1, "lookup": 1, "repair": 0, "recovery": 0},
			"peerledger_rounds_topups_total":            {"granted": 1, "refused": 0},
			"peerledger_rounds_open_packets":            {"": 1},
			"peerledger_rounds_waiting_prepares":        {"": 0},
			"peerledger_rounds_remembered_packets":      {"": 3},
			"peerledger_rounds_unbooked_packets":        {"": 1},
			"peerledger_rounds_oldest_unbooked_seconds": {"": 0.25},
			"peerledger_rounds_journal_unsynced_bytes":  {"": 0},
			"peerledger_rounds_stopped":                 {"": 0},
			"peerledger_rounds_archive_files":           {"": 0},
			"peerledger_rounds_archive_bytes":           {"": 0},
			"peerledger_rounds_senders":                 {"USD,1": 1, "EUR,2": 0},
			"peerledger_rounds_reserved":                {"USD,1": 16, "EUR,2": 0}, // 16 packets of 100 units: the round has replaced what it posted
			"peerledger_rounds_held":                    {"USD,1": 3, "EUR,2": 0},
			"peerledger_rounds_used":                    {"USD,1": 2, "EUR,2": 0},
			"peerledger_rounds_headroom":                {"USD,1": 159, "EUR,2": 0},
			"peerledger_recorder_backlog":               {"": 1},
			"peerledger_recorder_backlog_full":          {"": 0},
			"peerledger_recorder_backlog_limit":         {},
			"peerledger_rounds_attempts_refused_total":  {"": 0},
			"peerledger_rounds_late_cases_total":        {"arrears": 0, "suspense": 0},
			"peerledger_rounds_request_errors_total":    {"": 0},
			"peerledger_recorder_journal_errors_total":  {"": 0},
			"peerledger_recorder_batch_operations":      {"": 0},
			"peerledger_recorder_operations_total":      {"applied": 0, "already_applied": 0, "refused": 0, "unknown": 0},
		} {
			require.Equal(t, want, c.values(t, metric), metric)
		}
		problems, err := testutil.GatherAndLint(c.registry)
		require.NoError(t, err)
		require.Empty(t, problems)
		require.NoError(t, rounds.Close(context.WithoutCancel(ctx)))
		require.Equal(t, map[string]float64{"USD,1": 3, "EUR,2": 0}, c.values(t, "peerledger_rounds_reserved"), "what the open packet holds")
	})
}
