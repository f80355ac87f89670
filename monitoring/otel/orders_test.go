package peerotel_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/peerledger/peerledger"
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	peerotel "github.com/peerledger/peerledger/monitoring/otel"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// ordersAlone is a sampler that keeps no trace but those of orders, as a program with little traffic for its collector has.
type ordersAlone struct{ sdktrace.Sampler }

func (s ordersAlone) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if p.Name == "order" {
		return sdktrace.AlwaysSample().ShouldSample(p)
	}
	return s.Sampler.ShouldSample(p)
}

// shared is a ledger that outlives the clients.
type shared struct{ ledger.Ledger }

func (shared) Close() error { return nil }

// The first engine claims an order and has it paid, gets no answer and dies. The second takes the order over and finishes
// it. Both export to SDKs of their own, as processes do: all spans are one trace with the right parents.
func TestOneTraceOverATakeover(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		books := embedded.New()
		paid := map[ledger.ID]int{} // calls of the rail by key
		lost := errRail
		rail := settlement.SettlerFunc(func(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
			paid[o.ID]++
			_, span := trace.SpanFromContext(ctx).TracerProvider().Tracer("rail").Start(ctx, "POST /settlements")
			span.End()
			return o.Amount, lost
		})
		open := func(rec *recording, instance string) (*peerledger.Client, []accounts.PeerAccount) {
			cfg := settleAt100(rail)
			cfg.Instance, cfg.Tracer = instance, rec
			return newClient(t, shared{books}, peerledger.Config{Settlement: cfg, Recorder: transfers.Config{Tracer: rec}})
		}
		sampler := sdktrace.WithSampler(sdktrace.ParentBased(ordersAlone{sdktrace.NeverSample()}))
		first, second := newRecording(t, sampler), newRecording(t, sampler)
		owner, peers := open(first, "owner")
		_, err := owner.Recorder.Forward(t.Context(), packetOf(peers, 150))
		require.NoError(t, err)
		time.Sleep(500 * time.Millisecond) //nolint:forbidigo // virtual time
		synctest.Wait()
		require.ErrorIs(t, owner.Close(t.Context()), settlement.ErrOrdersOpen)

		lost = nil
		heir, _ := open(second, "heir")
		time.Sleep(2 * time.Minute) //nolint:forbidigo // virtual time
		require.NoError(t, heir.Close(t.Context()))

		require.Len(t, paid, 1, "one key")
		for id, calls := range paid {
			require.Equal(t, 2, calls)
			requireOrderTrace(t, id, first, second)
		}
		placed, taken := first.named("order placed"), second.named("order takeover")
		require.Equal(t, "open", attributesOf(&placed[0])["peerledger.order.state"])
		require.Equal(t, codes.Error, placed[0].Status.Code)
		require.Equal(t, "paid", attributesOf(&taken[0])["peerledger.order.state"])
		require.Equal(t, codes.Unset, taken[0].Status.Code)
		require.Equal(t, "1.50 USD", attributesOf(&taken[0])["peerledger.order.paid"])
		whole := second.named("order")
		require.Len(t, whole, 1)
		require.GreaterOrEqual(t, whole[0].EndTime.Sub(whole[0].StartTime), time.Minute)
		require.Equal(t, map[string]int64{"peerledger.order.state=paid,peerledger.rail=chain": 1}, second.counts(t, "peerledger.order.duration"))
		require.Equal(t, map[string]int64{"peerledger.order.state=open,peerledger.order.work=placed,peerledger.rail=chain": 1}, first.counts(t, "peerledger.order.work"))
		require.Empty(t, first.counts(t, "peerledger.order.duration"))
	})
}

// requireOrderTrace checks that all spans of the recordings are one trace of the order: the engines' spans are below the
// order, the calls below the engine that made them, and the rail's own spans below the calls.
func requireOrderTrace(t *testing.T, id ledger.ID, recordings ...*recording) {
	t.Helper()
	own := peerotel.OrderSpanContext(id)
	require.Equal(t, id.String(), own.TraceID().String())
	for _, rec := range recordings {
		spans := map[trace.SpanID]string{own.SpanID(): "order"}
		for _, s := range rec.spans.GetSpans() {
			spans[s.SpanContext.SpanID()] = s.Name
		}
		seen := map[string]bool{}
		for _, s := range rec.spans.GetSpans() {
			require.Equal(t, own.TraceID(), s.SpanContext.TraceID(), s.Name)
			seen[spans[s.Parent.SpanID()]+" > "+s.Name] = true
			if s.Name == "order" {
				require.Equal(t, own.SpanID(), s.SpanContext.SpanID())
			}
		}
		work := "order placed"
		if rec != recordings[0] {
			work = "order takeover"
			require.True(t, seen[" > order"], "no root: %v", seen)
		}
		for _, want := range []string{"order > " + work, work + " > call rail", "call rail > POST /settlements"} {
			require.True(t, seen[want], "%s is missing in %v", want, seen)
		}
	}
}

// An order that is settled for a caller links to the caller's span.
func TestOrderLinksToItsCaller(t *testing.T) {
	t.Parallel()
	rec := newRecording(t)
	cfg := settleAt100(settlement.SettlerFunc(func(context.Context, settlement.Order) (ledger.Amount, error) {
		return ledger.Amount{}, settlement.ErrDeclined
	}))
	cfg.Manual, cfg.Tracer = true, rec
	c, peers := newOpenClient(t, peerledger.Config{Settlement: cfg})
	_, err := c.Recorder.Forward(t.Context(), packetOf(peers, 150))
	require.NoError(t, err)
	ctx, caller := rec.provider.Tracer("test").Start(t.Context(), "settle")
	_, err = c.Settlement.Settle(ctx, peers...)
	require.ErrorIs(t, err, settlement.ErrDeclined)
	require.NoError(t, c.Close(t.Context()))
	order := rec.named("order placed")[0]
	require.Equal(t, caller.SpanContext().SpanID(), order.Links[0].SpanContext.SpanID())
	require.NotEqual(t, caller.SpanContext().TraceID(), order.SpanContext.TraceID())
	require.Equal(t, "declined", attributesOf(&order)["error.type"])
	require.Equal(t, map[string]int64{"error.type=declined,peerledger.rail=chain": 1}, rec.counts(t, "peerledger.rail.duration"))
}

func TestPayments(t *testing.T) {
	t.Parallel()
	rec := newRecording(t)
	cfg := settlement.Config{Manual: true, Tracer: rec}
	c, peers := newOpenClient(t, peerledger.Config{Settlement: cfg})
	ctx, caller := rec.provider.Tracer("test").Start(t.Context(), "request")
	pay := settlement.IncomingPayment{Account: peers[0], Key: "a", Amount: ledger.NewAmount(250)}
	for range 2 {
		_, err := c.Settlement.RecordIncoming(ctx, pay)
		require.NoError(t, err)
	}
	pay.Amount = ledger.NewAmount(251)
	_, err := c.Settlement.RecordIncoming(ctx, pay)
	require.ErrorIs(t, err, accounts.ErrKeyReused)
	require.NoError(t, c.Close(t.Context()))
	spans := rec.named("book payment")
	require.Len(t, spans, 3)
	for i, outcome := range []string{"booked", "repeated", "failed"} {
		require.Equal(t, caller.SpanContext().SpanID(), spans[i].Parent.SpanID())
		require.Equal(t, outcome, attributesOf(&spans[i])["peerledger.outcome"])
	}
	require.Equal(t, "2.50 USD", attributesOf(&spans[0])["peerledger.payment.amount"])
	require.Equal(t, "key_reused", attributesOf(&spans[2])["error.type"])
	require.Equal(t, map[string]int64{
		"peerledger.outcome=booked,peerledger.payment.kind=units": 1, "peerledger.outcome=repeated,peerledger.payment.kind=units": 1,
		"peerledger.outcome=failed,peerledger.payment.kind=units": 1,
	}, rec.counts(t, "peerledger.payment.duration"))
}

// The ids are valid, and never those of the order unless asked.
func TestIDGenerator(t *testing.T) {
	t.Parallel()
	traceID, spanID := peerotel.IDGenerator{}.NewIDs(t.Context())
	require.True(t, traceID.IsValid())
	require.True(t, spanID.IsValid())
	next, _ := peerotel.IDGenerator{}.NewIDs(t.Context())
	require.NotEqual(t, traceID, next)
	require.True(t, peerotel.OrderSpanContext(ledger.NewID(5, 5)).IsValid(), "both halves are the same")
	require.True(t, peerotel.OrderSpanContext(ledger.NewID(5, 5)).IsSampled())
}
