package aggregate_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// openTimed opens a recorder in virtual time, whose rounds come when they are asked for.
func openTimed(t *testing.T, f *fixture, change ...func(*aggregate.Config)) *aggregate.Recorder {
	t.Helper()
	return f.open(t, append([]func(*aggregate.Config){func(c *aggregate.Config) {
		c.JournalFolder, c.LoseFulfillsWithProcess, c.RoundInterval = "", true, 10*time.Second
	}}, change...)...)
}

func TestStats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		f := newFixture(t, embedded.New(), 16_000)
		r := openTimed(t, f)
		require.Equal(t, transfers.Stats{}, r.Stats())
		require.Equal(t, aggregate.Stats{Assets: []aggregate.AssetStats{{Asset: usd}, {Asset: eur}}}, r.RoundStats())

		// A look-up of both peers, and a reservation of 16 times the packet, but half of the headroom at most.
		first, err := r.Prepare(ctx, f.packet(0, 1, 100, 99))
		require.NoError(t, err)
		second, err := r.Prepare(ctx, f.packet(0, 1, 200, 199))
		require.NoError(t, err)
		_, err = r.Prepare(ctx, f.packet(0, 1, 20_000, 1))
		require.ErrorIs(t, err, transfers.ErrCreditLine)
		_, err = r.Fulfill(ctx, first.Packet)
		require.NoError(t, err)
		_, err = r.Fulfill(ctx, first.Packet)
		require.NoError(t, err)
		_, err = r.Reject(ctx, first.Packet)
		require.ErrorIs(t, err, transfers.ErrPacketConflict)
		time.Sleep(100 * time.Millisecond) //nolint:forbidigo // virtual time in synctest
		s := r.RoundStats()
		require.Equal(t, []uint64{2, 1, 1, 1, 1}, []uint64{
			s.Operations.Of(transfers.KindPrepare, ledger.OutcomeApplied), s.Operations.Of(transfers.KindPrepare, ledger.OutcomeRefused),
			s.Operations.Of(transfers.KindFulfill, ledger.OutcomeApplied), s.Operations.Of(transfers.KindFulfill, ledger.OutcomeAlreadyApplied),
			s.Operations.Of(transfers.KindReject, ledger.OutcomeRefused),
		})
		require.Zero(t, s.Operations.Of(transfers.KindForward, ledger.OutcomeApplied))
		require.Zero(t, s.Operations.Of(99, 99))
		require.Equal(t, s.Requests.LookUps+2, s.Requests.Total())
		require.Positive(t, s.Requests.LookUps, "of both peers, and before each new reservation")
		s.Operations, s.Requests.LookUps = aggregate.OperationCounts{}, 0
		require.Equal(t, aggregate.Stats{
			Requests: aggregate.RequestCounts{TopUps: 2}, TopUpsGranted: 2, // for the first prepare, and for the refused one
			OpenPackets: 1, RememberedPackets: 2, UnbookedPackets: 1, OldestUnbooked: 100 * time.Millisecond,
			Assets: []aggregate.AssetStats{{
				Asset: usd, Senders: 1, Reserved: ledger.NewAmount(16_000), Held: ledger.NewAmount(200), Used: ledger.NewAmount(100), Headroom: ledger.NewAmount(16_000),
			}, {Asset: eur}},
		}, s)
		require.Equal(t, transfers.Stats{Backlog: 1}, r.Stats())

		require.NoError(t, r.Flush(ctx))
		time.Sleep(time.Millisecond) //nolint:forbidigo // virtual time in synctest
		s = r.RoundStats()
		require.Equal(t, []uint64{1, 1, 0}, []uint64{s.Rounds, s.Requests.Rounds, s.UnbookedPackets})
		require.Zero(t, s.OldestUnbooked)
		require.Equal(t, aggregate.AssetStats{ // 16 times what the interval used
			Asset: usd, Senders: 1, Reserved: ledger.NewAmount(1600), Held: ledger.NewAmount(200), Headroom: ledger.NewAmount(15_900),
		}, s.Assets[0])

		require.NoError(t, f.book.SuspendPeer(ctx, f.peers[1]))
		time.Sleep(3 * time.Second) //nolint:forbidigo // virtual time in synctest
		require.Equal(t, transfers.Stats{SuspendedPeers: 1}, r.Stats())
		require.NoError(t, f.book.ResumePeer(ctx, f.peers[1]))
		time.Sleep(3 * time.Second) //nolint:forbidigo // virtual time in synctest
		require.Equal(t, transfers.Stats{}, r.Stats())

		_, err = r.Reject(ctx, second.Packet)
		require.NoError(t, err)
		require.NoError(t, r.Close(context.WithoutCancel(ctx)))
		s = r.RoundStats()
		require.Zero(t, s.OpenPackets)
		require.Equal(t, []aggregate.AssetStats{{Asset: usd}, {Asset: eur}}, s.Assets)
		require.Equal(t, uint64(2), s.Rounds, "the second released the reservation")
	})
}

// More peers than are looked at at once are all counted.
func TestStatsOfManyPeers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, embedded.New(), 1000)
		var peers []accounts.PeerConfig
		for i := range 2500 {
			peers = append(peers, accounts.PeerConfig{ID: fmt.Sprint("peer ", i), Asset: usd, CreditLine: ledger.NewAmount(1000)})
		}
		senders, err := f.book.Provision(t.Context(), peers...)
		require.NoError(t, err)
		r := openTimed(t, f)
		var ops []transfers.Op
		for _, sender := range senders {
			p := f.packet(0, 1, 10, 10)
			p.From = sender
			ops = append(ops, transfers.PrepareOp(p))
		}
		_, err = r.RecordAll(t.Context(), ops...)
		require.NoError(t, err)
		s := r.RoundStats()
		require.Equal(t, len(senders), s.OpenPackets)
		require.Equal(t, len(senders), s.Assets[0].Senders)
		require.Equal(t, ledger.NewAmount(uint64(10*len(senders))), s.Assets[0].Held)
		require.Equal(t, ledger.NewAmount(uint64(160*len(senders))), s.Assets[0].Reserved)
		require.NoError(t, r.Close(context.WithoutCancel(t.Context())))
	})
}

// A peer in arrears is counted until it is collected, unless its packets are admitted.
func TestStatsOfArrears(t *testing.T) {
	t.Parallel()
	for _, allow := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, embedded.New(), 1000)
			r := openTimed(t, f, func(c *aggregate.Config) { c.AllowArrears = allow })
			_, err := r.Forward(t.Context(), f.packet(0, 1, 1500, 1500))
			require.NoError(t, err)
			require.NoError(t, r.Flush(t.Context()))
			time.Sleep(3 * time.Second) //nolint:forbidigo // virtual time in synctest
			want := 1
			if allow {
				want = 0
			}
			require.Equal(t, want, r.Stats().PeersInArrears)
			require.NoError(t, r.Close(context.WithoutCancel(t.Context())))
		})
	}
}

// While the ledger is away, prepares wait, and the oldest fulfill of the round under way gets older.
func TestStatsWithoutTheLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		lossy := &lossyLedger{Ledger: embedded.New()}
		f := newFixture(t, lossy, 16_000)
		r := openTimed(t, f)
		held, err := r.Prepare(ctx, f.packet(0, 1, 100, 99))
		require.NoError(t, err)
		lossy.away.Store(true)
		_, err = r.Fulfill(ctx, held.Packet)
		require.NoError(t, err)
		time.Sleep(12 * time.Second) //nolint:forbidigo // virtual time in synctest: the round is cut after 10 s
		require.Equal(t, transfers.Stats{Backlog: 1, InFlight: 1}, r.Stats())
		waiting, err := r.Submit(ctx, transfers.PrepareOp(f.packet(2, 1, 100, 99))) // of a new sender
		require.NoError(t, err)
		time.Sleep(3 * time.Second) //nolint:forbidigo // virtual time in synctest
		s := r.RoundStats()
		require.Equal(t, 15*time.Second, s.OldestUnbooked)
		require.Equal(t, []int{0, 1, 2}, []int{s.OpenPackets, s.WaitingPrepares, s.RememberedPackets})
		require.Positive(t, s.RequestFailures)
		require.Equal(t, 2, r.Stats().Backlog)
		lossy.away.Store(false)
		require.NoError(t, waiting.Wait(ctx).Err)
		require.NoError(t, r.Flush(ctx))
		s = r.RoundStats()
		require.Equal(t, []int{1, 0, 2}, []int{s.OpenPackets, s.WaitingPrepares, s.RememberedPackets})
		require.Zero(t, s.OldestUnbooked)
		require.NoError(t, r.Close(context.WithoutCancel(ctx)))
	})
}
