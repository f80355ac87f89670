package peerslog

import (
	"context"
	"errors"
	"log/slog"

	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// logEvent logs an event, which has no context, then calls the user's function if there is one.
func logEvent[T any](log func(context.Context, T), user func(T)) func(T) {
	return func(v T) {
		log(context.Background(), v) //nolint:forbidigo // events have no context
		if user != nil {
			user(v)
		}
	}
}

func (t *Tracer) logError(level slog.Level, message string) func(context.Context, error) {
	return func(ctx context.Context, err error) { t.logger.LogAttrs(ctx, level, message, errorAttr(err)) }
}

func (t *Tracer) logBacklog(ctx context.Context, full bool) {
	level := slog.LevelInfo
	if full {
		level = slog.LevelWarn
	}
	t.logger.LogAttrs(ctx, level, "backlog changed", slog.Bool("full", full))
}

func (t *Tracer) logResults(message string) func(context.Context, []transfers.Result) {
	return func(ctx context.Context, results []transfers.Result) {
		failed := 0
		for i := range results {
			if results[i].Err != nil {
				failed++
			}
		}
		level := slog.LevelInfo
		if failed > 0 {
			level = slog.LevelError
		}
		t.logger.LogAttrs(ctx, level, message, slog.Int("packets", len(results)), slog.Int("failed", failed))
	}
}

// Recorder returns events for a [transfers.Config] that log faults, then call those of events. Replayed is logged only
// if events has a Replayed function: a recorder with a journal needs one.
func (t *Tracer) Recorder(events transfers.Events) transfers.Events {
	events.BacklogFull = logEvent(t.logBacklog, events.BacklogFull)
	events.Late = logEvent(t.logResults("packets booked late"), events.Late)
	if events.Replayed != nil {
		events.Replayed = logEvent(t.logResults("fulfills of an earlier process recorded"), events.Replayed)
	}
	events.RefreshFailed = logEvent(t.logError(slog.LevelWarn, "refresh failed"), events.RefreshFailed)
	events.JournalFailed = logEvent(t.logError(slog.LevelError, "journal failed"), events.JournalFailed)
	return events
}

// Rounds returns events for an [aggregate.Config] that log faults, then call those of events.
func (t *Tracer) Rounds(events aggregate.Events) aggregate.Events {
	events.BacklogFull = logEvent(t.logBacklog, events.BacklogFull)
	events.Late = logEvent(t.logResults("packets booked late"), events.Late)
	events.Replayed = logEvent(t.logResults("fulfills of an earlier process recorded"), events.Replayed)
	events.RequestFailed = logEvent(t.logError(slog.LevelWarn, "request failed"), events.RequestFailed)
	events.JournalFailed = logEvent(t.logError(slog.LevelError, "journal failed"), events.JournalFailed)
	events.Stopped = logEvent(t.logError(slog.LevelError, "recorder stopped"), events.Stopped)
	return events
}

// Settlement returns events for a [settlement.Config] that log faults, pauses and approvals, then call those of
// events. The tracer logs the orders.
func (t *Tracer) Settlement(events settlement.Events) settlement.Events {
	onOrder := func(level slog.Level, message string) func(context.Context, settlement.Order) {
		return func(ctx context.Context, o settlement.Order) {
			t.logger.LogAttrs(ctx, level, message, orderAttrs(&o)...)
		}
	}
	onPause := func(message string) func(context.Context, settlement.Pause) {
		return func(ctx context.Context, p settlement.Pause) {
			t.logger.LogAttrs(ctx, slog.LevelInfo, message, slog.Bool("all", p.All), slog.String("rail", p.Rail), slog.String("asset", p.Asset.Code))
		}
	}
	onRail := func(level slog.Level, message string) func(context.Context, string) {
		return func(ctx context.Context, rail string) {
			t.logger.LogAttrs(ctx, level, message, slog.String("rail", rail))
		}
	}
	events.Stuck = logEvent(func(ctx context.Context, o settlement.OpenOrder) {
		onOrder(slog.LevelWarn, "order stuck")(ctx, o.Order)
	}, events.Stuck)
	events.AwaitsApproval = logEvent(onOrder(slog.LevelInfo, "order awaits approval"), events.AwaitsApproval)
	events.Approved = logEvent(onOrder(slog.LevelInfo, "order approved"), events.Approved)
	events.Paused = logEvent(onPause("payments paused"), events.Paused)
	events.Resumed = logEvent(onPause("payments resumed"), events.Resumed)
	events.RailDown = logEvent(onRail(slog.LevelWarn, "rail down"), events.RailDown)
	events.RailUp = logEvent(onRail(slog.LevelInfo, "rail up"), events.RailUp)
	events.Failed = logEvent(t.logFailure, events.Failed)
	return events
}

// logFailure logs a failure without an order. The tracer has logged one with an order.
func (t *Tracer) logFailure(ctx context.Context, err error) {
	var ofOrder *settlement.OrderError
	if errors.As(err, &ofOrder) && !ofOrder.Order.ID.IsZero() {
		return
	}
	t.logger.LogAttrs(ctx, levelOfOpen(err), "settlement failed", errorAttr(err))
}
