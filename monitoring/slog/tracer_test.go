package peerslog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	peerslog "github.com/peerledger/peerledger/monitoring/slog"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

var usd = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}

// logBook is a logger whose lines a test reads.
type logBook struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(p)
}

func newTracer(level slog.Level) (*peerslog.Tracer, *logBook) {
	b := &logBook{}
	return peerslog.New(slog.New(slog.NewJSONHandler(b, &slog.HandlerOptions{Level: level}))), b
}

// take returns the lines since the last take.
func (b *logBook) take(t *testing.T) (lines []map[string]any) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(b.out.String()) {
		var l map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &l))
		lines = append(lines, l)
	}
	b.out.Reset()
	return lines
}

// levels returns "LEVEL message" of the lines since the last take.
func (b *logBook) levels(t *testing.T) (all []string) {
	t.Helper()
	for _, l := range b.take(t) {
		all = append(all, fmt.Sprint(l["level"], " ", l["msg"]))
	}
	return all
}

func TestBatches(t *testing.T) {
	t.Parallel()
	tracer, book := newTracer(slog.LevelDebug)
	for _, b := range []transfers.Batch{{Operations: 2, Requests: 1}, {Operations: 2, Requests: 2}, {Operations: 2, Requests: 1, Unknown: 1}} {
		tracer.TraceBatchEnd(tracer.TraceBatchStart(t.Context(), transfers.BatchStart{}), b)
	}
	lines := book.take(t)
	require.Len(t, lines, 3)
	for i, level := range []string{"DEBUG", "WARN", "WARN"} {
		require.Equal(t, level, lines[i]["level"])
		require.InDelta(t, 2, lines[i]["operations"], 0)
		require.Contains(t, lines[i], "took_seconds")
		require.Contains(t, lines[i], "waited_seconds")
	}
	quiet, book := newTracer(slog.LevelInfo)
	quiet.TraceBatchEnd(t.Context(), transfers.Batch{Operations: 2, Requests: 1})
	require.Empty(t, book.take(t))
}

func TestRounds(t *testing.T) {
	t.Parallel()
	tracer, book := newTracer(slog.LevelDebug)
	for _, e := range []aggregate.RoundEnd{
		{Round: aggregate.Round{Number: 1}},
		{Round: aggregate.Round{Arrears: make([]aggregate.Charge, 1)}},
		{Err: transfers.ErrRecorderClosed},
		{Err: aggregate.ErrStopped},
	} {
		tracer.TraceRoundEnd(tracer.TraceRoundStart(t.Context(), aggregate.RoundStart{}), e)
	}
	require.Equal(t, []string{"DEBUG round recorded", "WARN round recorded", "WARN round left without an answer", "ERROR round left without an answer"}, book.levels(t))
}

// The level tells whether a person must act.
func TestLevelsOfOrders(t *testing.T) {
	t.Parallel()
	tracer, book := newTracer(slog.LevelDebug)
	order := settlement.Order{ID: ledger.NewID(1, 2), Asset: usd, Amount: ledger.NewAmount(1250), Rail: "chain"}
	for _, c := range []struct {
		state settlement.OrderState
		err   error
		want  string
	}{
		{settlement.StatePaid, nil, "INFO order closed"},
		{settlement.StateVoided, settlement.ErrDeclined, "INFO order closed"},
		{settlement.StateOpen, nil, "DEBUG order stays open"},
		{settlement.StateOpen, settlement.ErrPending, "DEBUG order stays open"},
		{settlement.StateOpen, settlement.ErrAwaitsApproval, "DEBUG order stays open"},
		{settlement.StateOpen, settlement.ErrPaused, "DEBUG order stays open"},
		{settlement.StateOpen, errors.New("no answer"), "WARN order stays open"},
		{settlement.StateOpen, settlement.ErrOrderConflict, "ERROR order stays open"},
	} {
		ctx := tracer.TraceOrderStart(t.Context(), settlement.OrderStart{Order: order, Work: settlement.OrderTakeover})
		tracer.TraceOrderEnd(ctx, settlement.OrderEnd{Order: order, State: c.state, Err: c.err})
		lines := book.take(t)
		require.Len(t, lines, 1)
		l := lines[0]
		require.Equal(t, c.want, fmt.Sprint(l["level"], " ", l["msg"]))
		require.Equal(t, []any{order.ID.String(), "12.50 USD", "chain", "takeover", string(c.state)}, []any{l["order"], l["amount"], l["rail"], l["work"], l["state"]})
		require.Equal(t, c.err != nil, l["error"] != nil)
	}
	tracer.TraceRailEnd(tracer.TraceRailStart(t.Context(), settlement.OpenOrder{Attempts: 3}), settlement.RailEnd{Order: order, Err: errors.New("no answer")})
	l := book.take(t)[0]
	require.Equal(t, []any{"DEBUG", "rail called", 3., "no answer"}, []any{l["level"], l["msg"], l["attempt"], l["error"]})
}

func TestPayments(t *testing.T) {
	t.Parallel()
	tracer, book := newTracer(slog.LevelDebug)
	booked := settlement.PaymentBooking{Booking: accounts.Booking{Amount: ledger.NewAmount(1250)}}
	repeated := booked
	repeated.AlreadyBooked = true
	for _, e := range []settlement.PaymentEnd{{Booking: booked}, {Booking: repeated}, {Err: accounts.ErrKeyReused}} {
		ctx := tracer.TracePaymentStart(t.Context(), settlement.PaymentStart{Kind: settlement.PaymentQuantity, Asset: usd, Key: "k"})
		tracer.TracePaymentEnd(ctx, e)
	}
	lines := book.take(t)
	for i, level := range []string{"INFO", "DEBUG", "WARN"} {
		require.Equal(t, []any{level, "quantity", "k"}, []any{lines[i]["level"], lines[i]["kind"], lines[i]["key"]})
	}
	require.Equal(t, "12.50 USD", lines[0]["amount"])
	require.Contains(t, lines[2]["error"], "key")
}

// The events of faults are logged, and the user's functions are called.
func TestEvents(t *testing.T) {
	t.Parallel()
	tracer, book := newTracer(slog.LevelDebug)
	called := 0
	r := tracer.Recorder(transfers.Events{JournalFailed: func(error) { called++ }, Replayed: func([]transfers.Result) { called++ }})
	r.BacklogFull(true)
	r.BacklogFull(false)
	r.Late([]transfers.Result{{}})
	r.Replayed([]transfers.Result{{}, {Err: errors.New("refused")}})
	r.RefreshFailed(errors.New("no answer"))
	r.JournalFailed(transfers.ErrJournal)
	require.Equal(t, 2, called)
	require.Equal(t, []string{
		"WARN backlog changed", "INFO backlog changed", "INFO packets booked late", "ERROR fulfills of an earlier process recorded",
		"WARN refresh failed", "ERROR journal failed",
	}, book.levels(t))
	require.Nil(t, tracer.Recorder(transfers.Events{}).Replayed)

	a := tracer.Rounds(aggregate.Events{})
	a.RequestFailed(errors.New("no answer"))
	a.Stopped(aggregate.ErrStopped)
	require.Equal(t, []string{"WARN request failed", "ERROR recorder stopped"}, book.levels(t))

	order := settlement.Order{ID: ledger.NewID(1, 2), Asset: usd}
	s := tracer.Settlement(settlement.Events{RailDown: func(string) { called++ }})
	s.RailDown("chain")
	s.RailUp("chain")
	s.Paused(settlement.Pause{All: true})
	s.Resumed(settlement.Pause{})
	s.AwaitsApproval(order)
	s.Approved(order)
	s.Stuck(settlement.OpenOrder{Order: order})
	s.Failed(&settlement.OrderError{Order: order, Err: errors.New("logged with the order")})
	s.Failed(&settlement.OrderError{Err: errors.New("no balance")})
	s.Failed(settlement.ErrOldEngine)
	require.Equal(t, 3, called)
	require.Equal(t, []string{
		"WARN rail down", "INFO rail up", "INFO payments paused", "INFO payments resumed", "INFO order awaits approval", "INFO order approved",
		"WARN order stuck", "WARN settlement failed", "ERROR settlement failed",
	}, book.levels(t))
}

type spanKey struct{}

// contextHandler is a handler that reads the context, as one that adds trace ids does.
type contextHandler struct {
	slog.Handler
	seen *[]any
}

func (h contextHandler) Handle(ctx context.Context, r slog.Record) error {
	*h.seen = append(*h.seen, ctx.Value(spanKey{}))
	return h.Handler.Handle(ctx, r)
}

// otherTracer puts a span into the context.
type otherTracer struct{ settlement.OrderTracer }

func (otherTracer) TraceOrderStart(ctx context.Context, _ settlement.OrderStart) context.Context {
	return context.WithValue(ctx, spanKey{}, "span")
}
func (otherTracer) TraceOrderEnd(context.Context, settlement.OrderEnd) {}

// The log of an order has the span of a tracer that comes first.
func TestHandlerSeesTheSpan(t *testing.T) {
	t.Parallel()
	var seen []any
	handler := contextHandler{slog.NewTextHandler(&logBook{}, nil), &seen}
	joined := settlement.JoinTracers(otherTracer{}, peerslog.New(slog.New(handler)))
	joined.TraceOrderEnd(joined.TraceOrderStart(t.Context(), settlement.OrderStart{}), settlement.OrderEnd{State: settlement.StatePaid})
	require.Equal(t, []any{"span"}, seen)
}
