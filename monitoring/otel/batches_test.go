package peerotel_test

import (
	"context"
	"testing"
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
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// A packet of a sampled caller has a span in the caller's trace. Its batch is below, and each links to the other.
func TestSpansOfASampledPacket(t *testing.T) {
	t.Parallel()
	rec := newRecording(t)
	c, peers := newOpenClient(t, peerledger.Config{Recorder: transfers.Config{Lanes: 1, Tracer: rec}})
	ctx, caller := rec.provider.Tracer("test").Start(t.Context(), "request")
	held, err := c.Recorder.Prepare(ctx, packetOf(peers, 10))
	require.NoError(t, err)
	_, err = c.Recorder.Prepare(ctx, packetOf(peers, 5000))
	require.ErrorIs(t, err, transfers.ErrCreditLine)
	require.NoError(t, c.Close(t.Context()))

	packets, batches := rec.named("prepare packet"), rec.named("create_transfers")
	require.Len(t, packets, 2)
	require.Len(t, batches, 2)
	for i := range packets {
		require.Equal(t, caller.SpanContext().SpanID(), packets[i].Parent.SpanID())
		require.Equal(t, packets[i].SpanContext.SpanID(), batches[i].Parent.SpanID())
		require.Equal(t, caller.SpanContext().TraceID(), batches[i].SpanContext.TraceID())
		require.Equal(t, trace.SpanKindClient, batches[i].SpanKind)
		require.Equal(t, packets[i].SpanContext.SpanID(), batches[i].Links[0].SpanContext.SpanID())
		require.Equal(t, batches[i].SpanContext.SpanID(), packets[i].Links[0].SpanContext.SpanID())
		require.False(t, batches[i].EndTime.Before(batches[i].StartTime))
	}
	require.Equal(t, map[string]string{
		"peerledger.packet.id": held.Packet.ID.String(), "peerledger.packet.from": "alice", "peerledger.packet.to": "bob", "peerledger.outcome": "applied",
	}, attributesOf(&packets[0]))
	require.Equal(t, codes.Error, packets[1].Status.Code)
	require.Equal(t, "T04", attributesOf(&packets[1])["error.type"])
	attributes := attributesOf(&batches[0])
	for key, want := range map[string]string{
		"db.system.name": "tigerbeetle", "db.operation.name": "create_transfers", "db.namespace": "7",
		"peerledger.batch.operations": "1", "peerledger.batch.applied": "1", "peerledger.batch.sampled": "1",
	} {
		require.Equal(t, want, attributes[key], key)
	}
	require.NotContains(t, attributes, "db.operation.batch.size", "the conventions have no batch of 1")
}

// Without a sampled caller no packet has a span, and the batches are the sampler's.
func TestNoSpanOfOtherPackets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sampler sdktrace.Sampler
		batches bool
	}{
		"never sampled":  {sdktrace.NeverSample(), false},
		"always sampled": {sdktrace.AlwaysSample(), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec := newRecording(t, sdktrace.WithSampler(c.sampler))
			client, peers := newOpenClient(t, peerledger.Config{Recorder: transfers.Config{Lanes: 1, Tracer: rec}})
			unsampled := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}}))
			for _, ctx := range []context.Context{t.Context(), unsampled} {
				_, err := client.Recorder.Forward(ctx, packetOf(peers, 1))
				require.NoError(t, err)
			}
			require.NoError(t, client.Close(t.Context()))
			require.Empty(t, rec.named("forward packet"))
			require.Equal(t, c.batches, len(rec.named("create_transfers")) > 0)
			for _, batch := range rec.named("create_transfers") {
				require.Empty(t, batch.Links)
				require.False(t, batch.Parent.IsValid())
			}
		})
	}
}

// A batch links to the first 128 of its sampled packets.
func TestLinksOfABatchAreBounded(t *testing.T) {
	t.Parallel()
	rec := newRecording(t)
	var followed []context.Context
	for range 200 {
		ctx, _ := rec.provider.Tracer("test").Start(t.Context(), "packet")
		followed = append(followed, ctx)
	}
	ctx := rec.TraceBatchStart(t.Context(), transfers.BatchStart{Operations: 200, Followed: followed})
	rec.TraceBatchEnd(ctx, transfers.Batch{Operations: 200, Transfers: 400, Requests: 1, Applied: 199, Unknown: 1})
	batch := rec.named("create_transfers")[0]
	require.Len(t, batch.Links, 128)
	require.Zero(t, batch.DroppedLinks)
	require.Equal(t, "400", attributesOf(&batch)["db.operation.batch.size"])
	require.Equal(t, "unknown_outcome", attributesOf(&batch)["error.type"])
	require.Equal(t, map[string]int64{
		"db.namespace=7,db.operation.name=create_transfers,db.system.name=tigerbeetle,error.type=unknown_outcome": 1,
	}, rec.counts(t, "db.client.operation.duration"))
}

func TestMetricsOfPackets(t *testing.T) {
	t.Parallel()
	rec := newRecording(t)
	c, peers := newOpenClient(t, peerledger.Config{Recorder: transfers.Config{Lanes: 1, Tracer: rec}})
	for _, amount := range []uint64{10, 20} {
		_, err := c.Recorder.Prepare(t.Context(), packetOf(peers, amount))
		require.NoError(t, err)
	}
	_, err := c.Recorder.Prepare(t.Context(), packetOf(peers, 5000))
	require.ErrorIs(t, err, transfers.ErrCreditLine)
	require.NoError(t, c.Close(t.Context()))
	require.Equal(t, map[string]int64{"peerledger.outcome=applied": 2, "peerledger.outcome=refused": 1}, rec.counts(t, "peerledger.operations"))
	require.Equal(t, map[string]int64{"": 3}, rec.counts(t, "peerledger.batch.operations"))
	require.Equal(t, map[string]int64{"": 3}, rec.counts(t, "peerledger.batch.wait"))
	require.Equal(t, map[string]int64{"db.namespace=7,db.operation.name=create_transfers,db.system.name=tigerbeetle": 3}, rec.counts(t, "db.client.operation.duration"))
}

func TestRounds(t *testing.T) {
	t.Parallel()
	rec := newRecording(t)
	c, peers := newOpenClient(t, peerledger.Config{Rounds: &aggregate.Config{LoseFulfillsWithProcess: true, Tracer: rec}})
	packet := packetOf(peers, 10)
	packet.Hold, packet.Expiry = 0, time.Now().Add(30*time.Second)
	_, err := c.Recorder.Forward(t.Context(), packet)
	require.NoError(t, err)
	require.NoError(t, c.Recorder.Flush(t.Context()))
	require.NoError(t, c.Close(t.Context()))
	rounds := rec.named("create_transfers")
	require.NotEmpty(t, rounds)
	attributes := attributesOf(&rounds[0])
	require.Equal(t, "1", attributes["peerledger.round.packets"])
	require.Equal(t, "1", attributes["peerledger.round.number"])
	require.Equal(t, "tigerbeetle", attributes["db.system.name"])
	require.Equal(t, int64(1), rec.counts(t, "peerledger.round.wait")[""])
	require.Equal(t, int64(len(rounds)), rec.counts(t, "peerledger.round.duration")[""])
	require.Equal(t, int64(len(rounds)), rec.counts(t, "peerledger.round.packets")[""])

	rec.TraceRoundEnd(rec.TraceRoundStart(t.Context(), aggregate.RoundStart{Number: 9, Resumed: true}), aggregate.RoundEnd{Err: aggregate.ErrStopped})
	left := rec.named("create_transfers")[len(rounds)]
	require.Equal(t, codes.Error, left.Status.Code)
	require.Equal(t, "true", attributesOf(&left)["peerledger.round.resumed"])
	require.Equal(t, int64(len(rounds)), rec.counts(t, "peerledger.round.duration")[""], "a round without an answer has no duration")
}

// Without providers a Tracer does nothing, and allocates nothing for a packet.
func TestTracerWithoutProviders(t *testing.T) {
	t.Parallel()
	tracer, err := peerotel.New(peerotel.Config{})
	require.NoError(t, err)
	rec := newRecording(t)
	ctx, _ := rec.provider.Tracer("test").Start(t.Context(), "request")
	require.Nil(t, tracer.TraceOperationStart(ctx, transfers.KindPrepare))
	c, peers := newClient(t, embedded.New(), peerledger.Config{Recorder: transfers.Config{Tracer: tracer}, Accounts: accounts.Config{}})
	got, err := c.Recorder.Forward(ctx, packetOf(peers, 1))
	require.NoError(t, err)
	require.Equal(t, ledger.OutcomeApplied, got.Outcome)
	require.NoError(t, c.Close(t.Context()))
}

// OpenTelemetry's default boundaries are for milliseconds: in seconds, all values would fall into the first bucket.
func TestBoundariesAreInSeconds(t *testing.T) {
	t.Parallel()
	rec := newRecording(t)
	rec.TraceBatchEnd(t.Context(), transfers.Batch{Operations: 1, Duration: 3 * time.Millisecond})
	require.Equal(t, []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}, rec.boundaries(t, "db.client.operation.duration"))
	require.Equal(t, []float64{1, 4, 16, 64, 256, 1024, 2048, 4096, 8189}, rec.boundaries(t, "peerledger.batch.operations"))
}
