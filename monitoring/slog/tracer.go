package peerslog

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// Tracer logs batches, rounds, orders and payments. All methods may be called concurrently, and one Tracer serves any
// number of recorders and engines. A logger's handler runs in their goroutines: it must not block.
type Tracer struct{ logger *slog.Logger }

var (
	_ transfers.BatchTracer    = (*Tracer)(nil)
	_ aggregate.RoundTracer    = (*Tracer)(nil)
	_ settlement.OrderTracer   = (*Tracer)(nil)
	_ settlement.PaymentTracer = (*Tracer)(nil)
)

// New makes a Tracer for a logger. REQUIRES: logger is not nil.
func New(logger *slog.Logger) *Tracer { return &Tracer{logger} }

// started is what the log of an end needs from its start.
type started struct {
	at      time.Time
	work    settlement.OrderWork
	attempt int
	payment settlement.PaymentStart
}

type startedKey struct{}

func withStart(ctx context.Context, s started) context.Context {
	s.at = time.Now()
	return context.WithValue(ctx, startedKey{}, &s)
}

// startOf returns the start of a context that withStart has returned.
func startOf(ctx context.Context) *started {
	s, _ := ctx.Value(startedKey{}).(*started)
	return s
}

func (s *started) took() slog.Attr { return slog.Float64("took_seconds", time.Since(s.at).Seconds()) }

// TraceBatchStart implements [transfers.BatchTracer].
func (t *Tracer) TraceBatchStart(ctx context.Context, _ transfers.BatchStart) context.Context {
	return ctx
}

// TraceBatchEnd implements [transfers.BatchTracer].
func (t *Tracer) TraceBatchEnd(ctx context.Context, b transfers.Batch) {
	level := slog.LevelDebug
	if b.Requests > 1 || b.Unknown > 0 {
		level = slog.LevelWarn
	}
	if !t.logger.Enabled(ctx, level) {
		return
	}
	t.logger.LogAttrs(ctx, level, "batch recorded",
		slog.Int("lane", b.Lane), slog.Int("operations", b.Operations), slog.Int("transfers", b.Transfers), slog.Int("requests", b.Requests),
		slog.Int("applied", b.Applied), slog.Int("already_applied", b.AlreadyApplied), slog.Int("refused", b.Refused), slog.Int("unknown", b.Unknown),
		slog.Float64("waited_seconds", b.QueueWait.Seconds()), slog.Float64("took_seconds", b.Duration.Seconds()))
}

// TraceRoundStart implements [aggregate.RoundTracer].
func (t *Tracer) TraceRoundStart(ctx context.Context, _ aggregate.RoundStart) context.Context {
	return ctx
}

// TraceRoundEnd implements [aggregate.RoundTracer].
func (t *Tracer) TraceRoundEnd(ctx context.Context, e aggregate.RoundEnd) {
	r := &e.Round
	attrs := []slog.Attr{slog.Uint64("round", r.Number), slog.Uint64("packets", r.Packets)}
	if e.Err != nil {
		level := slog.LevelWarn // the next recorder of the journal resumes it
		if errors.Is(e.Err, aggregate.ErrStopped) {
			level = slog.LevelError
		}
		t.logger.LogAttrs(ctx, level, "round left without an answer", append(attrs, errorAttr(e.Err))...)
		return
	}
	level := slog.LevelDebug
	if len(r.Arrears)+len(r.Suspense) > 0 {
		level = slog.LevelWarn
	}
	t.logger.LogAttrs(ctx, level, "round recorded", append(attrs,
		slog.Int("legs", r.Legs), slog.Int("attempts", r.Attempts), slog.Int("arrears", len(r.Arrears)), slog.Int("suspense", len(r.Suspense)),
		slog.Float64("waited_seconds", r.Wait.Seconds()), slog.Float64("took_seconds", r.Duration.Seconds()))...)
}

func errorAttr(err error) slog.Attr { return slog.String("error", err.Error()) }
