package aggregate_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

func TestRoundEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		f := newFixture(t, embedded.New(), 1000)
		var rounds []aggregate.Round
		r := openTimed(t, f, func(c *aggregate.Config) {
			c.Events.Round = func(r aggregate.Round) { rounds = append(rounds, r) }
		})
		for _, out := range []uint64{10, 7} { // the second packet leaves a fee
			held, err := r.Prepare(ctx, f.packet(0, 1, 10, out))
			require.NoError(t, err)
			_, err = r.Fulfill(ctx, held.Packet)
			require.NoError(t, err)
			time.Sleep(50 * time.Millisecond) //nolint:forbidigo // virtual time in synctest
		}
		require.NoError(t, r.Flush(ctx))
		require.Equal(t, []aggregate.Round{{
			Number: 1, Packets: 2, Attempts: 1, Legs: 4, Requests: 1, Senders: 1, Renewed: 1, Receivers: 1, Wait: 100 * time.Millisecond,
		}}, rounds, "post, reserve, to bob, to revenue")
		require.NoError(t, r.Close(context.WithoutCancel(ctx)))
		require.Len(t, rounds, 2)
		require.Equal(t, aggregate.Round{Number: 2, Attempts: 1, Legs: 1, Requests: 1, Senders: 1}, rounds[1], "releases the reservation")
	})
}

// A refused attempt shows in the round: another attempt, and a look-up between them.
func TestRoundEventOfRefusedAttempt(t *testing.T) {
	t.Parallel()
	f := newFixture(t, embedded.New(), 1000)
	var rounds []aggregate.Round
	r := f.open(t, func(c *aggregate.Config) {
		c.RoundInterval = time.Hour
		c.Events.Round = func(r aggregate.Round) { rounds = append(rounds, r) }
	})
	held, err := r.Prepare(t.Context(), f.packet(0, 1, 100, 98))
	require.NoError(t, err)
	require.NoError(t, f.book.ClosePeer(t.Context(), f.peers[1]))
	_, err = r.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	require.NoError(t, r.Flush(t.Context()))
	require.Equal(t, 2, rounds[0].Attempts)
	require.Equal(t, 3, rounds[0].Requests)
	s := r.RoundStats()
	require.Equal(t, []uint64{1, 1, 2}, []uint64{s.RefusedAttempts, s.Requests.Repairs, s.Requests.Rounds})
	require.NoError(t, r.Close(t.Context()))
}

// A forward is late until a reservation covers it. Only those are reported whose round charged arrears.
func TestLateEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		f := newFixture(t, embedded.New(), 1000)
		var late []transfers.Result
		var rounds []aggregate.Round
		r := openTimed(t, f, func(c *aggregate.Config) {
			c.Events.Late = func(all []transfers.Result) { late = append(late, all...) }
			c.Events.Round = func(r aggregate.Round) { rounds = append(rounds, r) }
		})
		covered, err := r.Forward(ctx, f.packet(0, 2, 300, 300))
		require.NoError(t, err)
		require.True(t, covered.Late)
		synctest.Wait() // a reservation covers it
		beyond, err := r.Forward(ctx, f.packet(1, 2, 1700, 1700))
		require.NoError(t, err)
		require.True(t, beyond.Late)
		require.True(t, beyond.ShortfallUnknown)
		require.NoError(t, r.Flush(ctx))
		require.Equal(t, []transfers.Result{beyond}, late)
		require.Len(t, rounds, 2, "each was cut as soon as it had its reservation")
		require.Empty(t, rounds[0].Arrears)
		require.Equal(t, []aggregate.Charge{{Account: f.peers[1], Asset: usd, Amount: ledger.NewAmount(700)}}, rounds[1].Arrears)
		require.NoError(t, r.Close(context.WithoutCancel(ctx)))
		require.Len(t, late, 1, "reported once")
	})
}

// Of two late packets in one round, the one whose sender got a reservation in time is not reported.
func TestLateEventNamesTheSender(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		lossy := &lossyLedger{Ledger: embedded.New()}
		f := newFixture(t, lossy, 1000)
		var late []transfers.Result
		var rounds []aggregate.Round
		r := openTimed(t, f, func(c *aggregate.Config) {
			c.Events.Late = func(all []transfers.Result) { late = append(late, all...) }
			c.Events.Round = func(r aggregate.Round) { rounds = append(rounds, r) }
		})
		lossy.away.Store(true)
		covered, err := r.Forward(ctx, f.packet(0, 2, 300, 300))
		require.NoError(t, err)
		require.True(t, covered.Late)
		beyond, err := r.Forward(ctx, f.packet(1, 2, 1700, 1700))
		require.NoError(t, err)
		synctest.Wait()
		lossy.away.Store(false)
		require.NoError(t, r.Flush(ctx))
		require.Len(t, rounds, 1)
		require.Equal(t, uint64(2), rounds[0].Packets)
		require.Len(t, rounds[0].Arrears, 1)
		require.Equal(t, []transfers.Result{beyond}, late)
		require.NoError(t, r.Close(context.WithoutCancel(ctx)))
	})
}

// The next recorder reports what it found in the journal: the packets of the attempt that was not answered,
// and those behind it.
func TestReplayedEvent(t *testing.T) {
	t.Parallel()
	lossy := &lossyLedger{Ledger: embedded.New()}
	f := newFixture(t, lossy, 1_000_000)
	r := f.open(t, func(c *aggregate.Config) { c.RoundInterval = time.Hour })
	var held []transfers.Packet // prepared ahead, so that a round comes only when it is asked for
	for range 9 {
		result, err := r.Prepare(t.Context(), f.packet(0, 1, 100, 99))
		require.NoError(t, err)
		held = append(held, result.Packet)
	}
	fulfill := func(n int) (ids []ledger.ID) {
		for _, p := range held[:n] {
			_, err := r.Fulfill(t.Context(), p)
			require.NoError(t, err)
			ids = append(ids, p.ID)
		}
		held = held[n:]
		return ids
	}
	fulfill(4)
	require.NoError(t, r.Flush(t.Context()))
	lossy.away.Store(true)
	left := fulfill(3)
	hurried, cancel := context.WithCancel(t.Context())
	flushed := make(chan error)
	go func() { flushed <- r.Flush(hurried) }()
	require.Eventually(t, func() bool { return r.RoundStats().RequestFailures > 0 && r.Stats().InFlight == 3 }, 10*time.Second, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-flushed, context.Canceled)
	left = append(left, fulfill(2)...)
	require.Equal(t, transfers.Stats{Backlog: 5, InFlight: 3}, r.Stats())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.Close(ended), context.Canceled)
	lossy.away.Store(false)

	var replayed []ledger.ID
	var packets uint64
	next := f.open(t, func(c *aggregate.Config) {
		c.Events.Replayed = func(all []transfers.Result) {
			for _, result := range all {
				require.Equal(t, []any{transfers.KindFulfill, ledger.OutcomeApplied, f.peers[0]}, []any{result.Kind, result.Outcome, result.Packet.From})
				replayed = append(replayed, result.Packet.ID)
			}
		}
		c.Events.Round = func(r aggregate.Round) { packets += r.Packets }
	})
	_, err := next.Forward(t.Context(), f.packet(0, 1, 100, 99))
	require.NoError(t, err)
	require.NoError(t, next.Close(t.Context()))
	require.ElementsMatch(t, left, replayed)
	require.Equal(t, uint64(len(left)+1), packets)
	require.Equal(t, "10", f.figures(t)["revenue in USD"])
}
