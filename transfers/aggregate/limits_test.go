package aggregate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// newLimited makes a fixture whose book has limits. The ledger is read once an hour, and otherwise
// when a packet needs it.
func newLimited(t *testing.T, l ledger.Ledger, line uint64, cfg accounts.Config) *fixture {
	t.Helper()
	f := newFixture(t, l, line)
	cfg.Assets, cfg.SuspensionPollInterval = f.book.Assets(), time.Hour
	var err error
	f.book, err = accounts.NewBook(f.ledger, cfg)
	require.NoError(t, err)
	return f
}

// inUSD returns the configuration with limits of a peer in USD.
func inUSD(peer string, l accounts.Limits) accounts.Config {
	return accounts.Config{Limits: accounts.Rules[accounts.Limits]{
		PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: peer, Asset: usd}: l},
	}}
}

func text(asset accounts.Asset, units uint64) accounts.Decimal {
	return accounts.Decimal(asset.Format(ledger.NewAmount(units)))
}

// requireLimit checks that an error is a refusal by a limit, with its numbers.
func requireLimit(t *testing.T, err, cause error, limit, used, wanted uint64) {
	t.Helper()
	var got *transfers.PacketLimitError
	require.ErrorAs(t, err, &got)
	require.ErrorIs(t, err, cause)
	require.Equal(t, []ledger.Amount{ledger.NewAmount(limit), ledger.NewAmount(used), ledger.NewAmount(wanted)}, []ledger.Amount{got.Limit, got.Used, got.Wanted})
}

// What we owe a peer counts with its open packets, whether a round has it or not. Packets of the
// peer make room when they are fulfilled. No cap refuses a forward, and a forward counts.
func TestPayableCap(t *testing.T) {
	t.Parallel()
	for _, interval := range []time.Duration{time.Millisecond, time.Hour} {
		f := newLimited(t, embedded.New(), 1000, inUSD("bob", accounts.Limits{PayableCap: text(usd, 100)}))
		r := f.open(t, func(c *aggregate.Config) { c.RoundInterval, c.ReservationTimeout = interval, 2*time.Hour })
		prepare := func(from, to int, amount uint64) (transfers.Packet, error) {
			held, err := r.Prepare(t.Context(), f.packet(from, to, amount, amount))
			return held.Packet, err
		}
		first, err := prepare(0, 1, 60)
		require.NoError(t, err)
		_, err = prepare(0, 1, 41)
		requireLimit(t, err, transfers.ErrPayableCap, 100, 60, 41)
		require.Equal(t, "T04", transfers.ILPCode(err))
		_, err = r.Fulfill(t.Context(), first)
		require.NoError(t, err)
		_, err = prepare(0, 1, 41)
		requireLimit(t, err, transfers.ErrPayableCap, 100, 60, 41)
		second, err := prepare(0, 1, 40)
		require.NoError(t, err)
		_, err = r.Reject(t.Context(), second)
		require.NoError(t, err)

		third, err := prepare(1, 0, 30)
		require.NoError(t, err)
		_, err = prepare(0, 1, 41)
		requireLimit(t, err, transfers.ErrPayableCap, 100, 60, 41)
		_, err = r.Fulfill(t.Context(), third)
		require.NoError(t, err)
		_, err = prepare(0, 1, 71)
		requireLimit(t, err, transfers.ErrPayableCap, 100, 30, 71)
		late := f.packet(0, 1, 300, 300)
		_, err = r.Forward(t.Context(), late)
		require.NoError(t, err, "a fact")
		_, err = prepare(0, 1, 1)
		requireLimit(t, err, transfers.ErrPayableCap, 100, 330, 1)
		require.NoError(t, r.Flush(t.Context()))
		_, err = prepare(0, 1, 1)
		requireLimit(t, err, transfers.ErrPayableCap, 100, 330, 1)
		require.NoError(t, r.Close(t.Context()))

		r = f.open(t)
		_, err = prepare(0, 1, 1)
		requireLimit(t, err, transfers.ErrPayableCap, 100, 330, 1)
		require.NoError(t, r.Close(t.Context()))
	}
}

// Fulfills that only the journal has count from the start.
func TestReplayedFulfillsCountForTheCap(t *testing.T) {
	t.Parallel()
	lossy := &lossyLedger{Ledger: embedded.New()}
	f := newFixture(t, lossy, 1000)
	cfg := inUSD("bob", accounts.Limits{PayableCap: text(usd, 100)})
	cfg.Assets = f.book.Assets()
	var err error
	f.book, err = accounts.NewBook(lossy, cfg)
	require.NoError(t, err)
	r := f.open(t)
	held, err := r.Prepare(t.Context(), f.packet(0, 1, 100, 100))
	require.NoError(t, err)
	lossy.away.Store(true)
	_, err = r.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, r.Close(ended), context.Canceled)
	lossy.away.Store(false)
	r = f.open(t)
	_, err = r.Prepare(t.Context(), f.packet(0, 1, 1, 1))
	requireLimit(t, err, transfers.ErrPayableCap, 100, 100, 1)
	require.NoError(t, r.Close(t.Context()))
}

// Packets hold no more than a share of the credit line, and the peer's own money. Our reservations
// are no packets.
func TestInFlightShare(t *testing.T) {
	t.Parallel()
	testInFlightShare(t, embedded.New())
}

func testInFlightShare(t *testing.T, l ledger.Ledger) {
	f := newLimited(t, l, 1000, inUSD("alice", accounts.Limits{InFlightShare: "0.1"}))
	r := f.open(t)
	var held []transfers.Packet
	for range 4 {
		got, err := r.Prepare(t.Context(), f.packet(0, 1, 25, 25))
		require.NoError(t, err)
		held = append(held, got.Packet)
	}
	_, err := r.Prepare(t.Context(), f.packet(0, 1, 1, 1))
	requireLimit(t, err, transfers.ErrInFlightShare, 100, 100, 1)
	_, err = r.Fulfill(t.Context(), held[0])
	require.NoError(t, err)
	_, err = r.Reject(t.Context(), held[1])
	require.NoError(t, err)
	_, err = r.Prepare(t.Context(), f.packet(0, 1, 51, 51))
	requireLimit(t, err, transfers.ErrInFlightShare, 100, 50, 51)
	_, err = r.Forward(t.Context(), f.packet(1, 0, 65, 65)) // alice has 40 of her own then
	require.NoError(t, err)
	_, err = r.Prepare(t.Context(), f.packet(0, 1, 91, 91))
	requireLimit(t, err, transfers.ErrInFlightShare, 140, 50, 91)
	_, err = r.Prepare(t.Context(), f.packet(0, 1, 90, 90))
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
}

// Two recorders leave each other a part of the share: a reservation of the one counts for the other
// like packets.
func TestShareOfTwoRecorders(t *testing.T) {
	t.Parallel()
	f := newLimited(t, embedded.New(), 100_000, inUSD("alice", accounts.Limits{InFlightShare: "0.1"}))
	first := f.open(t)
	for range 50 { // reserved is as much as the use of late suggests
		held, err := first.Prepare(t.Context(), f.packet(0, 1, 4000, 4000))
		require.NoError(t, err)
		_, err = first.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
		require.NoError(t, first.Flush(t.Context()))
		_, err = first.Forward(t.Context(), f.packet(1, 0, 4000, 4000))
		require.NoError(t, err)
	}
	require.NoError(t, first.Flush(t.Context()))
	f.folder += "2"
	second := f.open(t)
	_, err := second.Prepare(t.Context(), f.packet(0, 1, 4000, 4000))
	require.NoError(t, err)
	_, err = first.Prepare(t.Context(), f.packet(0, 1, 4000, 4000))
	require.NoError(t, err)
	require.NoError(t, first.Close(t.Context()))
	require.NoError(t, second.Close(t.Context()))
}

// Packets that take our liquidity below the floor are refused, and our own are not.
func TestLiquidityFloor(t *testing.T) {
	t.Parallel()
	f := newLimited(t, embedded.New(), 1000, accounts.Config{LiquidityFloors: map[accounts.Asset]accounts.Decimal{eur: "-0.00005"}})
	r := f.open(t)
	out := func(n uint64) transfers.Packet { return f.packet(0, 4, 1, n) }
	held, err := r.Prepare(t.Context(), out(30))
	require.NoError(t, err)
	_, err = r.Prepare(t.Context(), out(21))
	requireLimit(t, err, transfers.ErrLiquidity, 50, 30, 21)
	var limit *transfers.PacketLimitError
	require.ErrorAs(t, err, &limit)
	own, err := f.book.OwnAccount(eur)
	require.NoError(t, err)
	require.Equal(t, own, limit.Account)
	_, err = r.Prepare(t.Context(), f.packet(3, 4, 10, 31))
	requireLimit(t, err, transfers.ErrLiquidity, 50, 30, 21)
	in, err := r.Prepare(t.Context(), f.packet(3, 0, 40, 1))
	require.NoError(t, err)
	_, err = r.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	_, err = r.Prepare(t.Context(), out(21))
	requireLimit(t, err, transfers.ErrLiquidity, 20, 0, 21)
	_, err = r.Fulfill(t.Context(), in.Packet)
	require.NoError(t, err)
	_, err = r.Prepare(t.Context(), out(61))
	requireLimit(t, err, transfers.ErrLiquidity, 60, 0, 61)

	ours, err := r.Prepare(t.Context(), transfers.Packet{From: own, To: f.peers[4], Out: 70, Expiry: held.Packet.Expiry})
	require.NoError(t, err)
	_, err = r.Fulfill(t.Context(), ours.Packet)
	require.NoError(t, err)
	_, err = r.Prepare(t.Context(), out(1))
	requireLimit(t, err, transfers.ErrLiquidity, 0, 10, 1)
	within, err := r.Prepare(t.Context(), f.packet(3, 4, 5, 5))
	require.NoError(t, err, "the packet does not cross our liquidity")
	_, err = r.Reject(t.Context(), within.Packet)
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
}

// A packet that waits for a look-up and a top-up is taken out of the rates once.
func TestRates(t *testing.T) {
	t.Parallel()
	now := time.Now()
	f := newLimited(t, embedded.New(), 100_000, inUSD("alice", accounts.Limits{PacketRate: "3/1m", AmountRate: string(text(usd, 10_000)) + "/1m"}))
	r := f.open(t, func(c *aggregate.Config) { c.Clock = func() time.Time { return now } })
	for _, n := range []uint64{10, 500, 5000} { // each needs a larger reservation
		_, err := r.Prepare(t.Context(), f.packet(0, 1, n, n))
		require.NoError(t, err)
	}
	_, err := r.Prepare(t.Context(), f.packet(0, 1, 1, 1))
	requireLimit(t, err, transfers.ErrRateLimited, 3, 3, 1)
	require.Equal(t, "T05", transfers.ILPCode(err))
	_, err = r.Forward(t.Context(), f.packet(0, 1, 1, 1))
	require.NoError(t, err)
	_, err = r.Prepare(t.Context(), f.packet(1, 0, 1, 1))
	require.NoError(t, err, "bob has no rates")
	require.NoError(t, r.Close(t.Context()))
}

// The Expiry of a packet is cut. A caller that repeats its prepare gets the Expiry of the first, while
// the packet is held and afterwards.
func TestMaxHold(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Millisecond)
	var passed atomic.Int64
	clock := func(c *aggregate.Config) { c.Clock = func() time.Time { return now.Add(time.Duration(passed.Load())) } }
	f := newLimited(t, embedded.New(), 1000, inUSD("bob", accounts.Limits{MaxHold: 20 * time.Second}))
	r := f.open(t, clock)
	p := f.packet(0, 1, 10, 10)
	p.ID, p.Expiry = ledger.NewID(1<<8, 0), now.AddDate(1, 0, 0)
	held, err := r.Prepare(t.Context(), p)
	require.NoError(t, err)
	require.True(t, held.Packet.Expiry.Equal(now.Add(20*time.Second)), held.Packet.Expiry)
	require.Equal(t, 22*time.Second, held.Packet.Hold, "and the margin")
	repeat := func() {
		t.Helper()
		passed.Add(int64(1500 * time.Microsecond))
		again, err := r.Prepare(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, ledger.OutcomeAlreadyApplied, again.Outcome)
		require.Equal(t, held.Packet.Expiry, again.Packet.Expiry)
	}
	repeat()
	earlier := p
	earlier.Expiry = now.Add(10 * time.Second)
	_, err = r.Prepare(t.Context(), earlier)
	require.ErrorIs(t, err, ledger.ErrIDConflict)
	_, err = r.Fulfill(t.Context(), p)
	require.ErrorIs(t, err, ledger.ErrIDConflict, "a fulfill has the packet of the prepare's result")
	_, err = r.Fulfill(t.Context(), held.Packet)
	require.NoError(t, err)
	repeat()
	require.NoError(t, r.Close(t.Context()))
	r = f.open(t, clock)
	repeat()
	p = f.packet(0, 2, 10, 10)
	p.Expiry = now.AddDate(1, 0, 0)
	_, err = r.Prepare(t.Context(), p)
	require.ErrorIs(t, err, transfers.ErrPacket, "without a MaxHold of a peer, the recorder's own refuses")
	require.NoError(t, r.Close(t.Context()))
}

// A prepare whose caller goes away is rejected, also if its Expiry was cut.
func TestAbandonedPrepareWithMaxHold(t *testing.T) {
	t.Parallel()
	f := newLimited(t, embedded.New(), 1000, inUSD("bob", accounts.Limits{MaxHold: 20 * time.Second}))
	r := f.open(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	p := f.packet(0, 1, 1000, 1000)
	p.Expiry = time.Now().AddDate(1, 0, 0)
	if _, err := r.Prepare(ended, p); err != nil { // without an error the decision was faster
		require.ErrorIs(t, err, transfers.ErrAbandoned)
		held, err := r.Prepare(t.Context(), p)
		require.NoError(t, err, "nothing is held for the abandoned packet")
		_, err = r.Reject(t.Context(), held.Packet)
		require.NoError(t, err)
	}
	require.NoError(t, r.Close(t.Context()))
}

// A packet beyond MaxPacket gets F08, and one between two assets that pays out too much R01.
func TestPacketLimits(t *testing.T) {
	t.Parallel()
	f := newLimited(t, embedded.New(), 1000, inUSD("alice", accounts.Limits{MaxPacket: text(usd, 100)}))
	same, err := accounts.NewConverter(usd, eur, decimal.NewFromInt(1))
	require.NoError(t, err)
	r := f.open(t, func(c *aggregate.Config) {
		c.GuardConversions = true
		c.Rate = func(from, _ accounts.Asset) *accounts.Converter {
			if from == usd {
				return same
			}
			return nil
		}
	})
	_, err = r.Prepare(t.Context(), f.packet(0, 1, 101, 100))
	requireLimit(t, err, transfers.ErrPacketTooLarge, 100, 0, 101)
	require.Equal(t, "F08", transfers.ILPCode(err))
	require.NotNil(t, transfers.RejectData(err))
	_, err = r.Prepare(t.Context(), f.packet(0, 1, 100, 100))
	require.NoError(t, err)
	_, err = r.Forward(t.Context(), f.packet(0, 1, 101, 100))
	require.NoError(t, err)
	_, err = r.Prepare(t.Context(), f.packet(0, 4, 50, 0))
	require.ErrorIs(t, err, transfers.ErrAmounts)
	require.Equal(t, "R01", transfers.ILPCode(err))
	_, err = r.Forward(t.Context(), f.packet(0, 4, 50, 0))
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
}

// limitedTraffic is the same random traffic for both recorders, without forwards: transfers.Recorder
// counts a forward as held until it reads the balance again.
type limitedTraffic struct {
	*fixture
	recorder recorder
	flush    func(context.Context) error
	results  []string
	open     []transfers.Packet
}

// step prepares a packet, or resolves an open one.
func (l *limitedTraffic) step(t *testing.T, rnd *rand.Rand) {
	t.Helper()
	p := randomPacket(l.fixture, rnd)
	n, at := rnd.IntN(7), rnd.IntN(1000)
	switch {
	case n < 4:
		held, err := l.recorder.Record(t.Context(), transfers.PrepareOp(p))
		if err == nil {
			l.open = append(l.open, held.Packet)
		}
		l.results = append(l.results, describeRefusal(err))
		return
	case len(l.open) == 0:
		return
	default:
		at %= len(l.open)
		op := transfers.FulfillOp(l.open[at])
		if n == 6 {
			op.Kind = transfers.KindReject
		}
		l.open = append(l.open[:at:at], l.open[at+1:]...)
		_, err := l.recorder.Record(t.Context(), op)
		require.NoError(t, err)
	}
	require.NoError(t, l.flush(t.Context())) // what is earned can be sent on when the ledger has it
}

// describeRefusal returns what both recorders must have in common: the reason, and how much is left.
func describeRefusal(err error) string {
	var limit *transfers.PacketLimitError
	switch {
	case err == nil:
		return "applied"
	case errors.As(err, &limit):
		left := fmt.Sprint(limit.Limit.SubFloor(limit.Used), " less ", limit.Used.SubFloor(limit.Limit))
		return limit.Cause.Error() + ": " + limit.Account.String() + " has left " + left
	default:
		return transfers.ILPCode(err)
	}
}

// Both recorders admit the same packets, and refuse the same for the same reason.
func TestSameLimits(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	cfg := accounts.Config{
		LiquidityFloors: map[accounts.Asset]accounts.Decimal{eur: "-0.0012"},
		Limits:          accounts.Rules[accounts.Limits]{PeerAsset: map[accounts.PeerAsset]accounts.Limits{}},
	}
	for _, asset := range []accounts.Asset{usd, eur} {
		cfg.Limits.PeerAsset[accounts.PeerAsset{Peer: "alice", Asset: asset}] = accounts.Limits{PayableCap: text(asset, 600), MaxHold: 20 * time.Second}
		cfg.Limits.PeerAsset[accounts.PeerAsset{Peer: "bob", Asset: asset}] = accounts.Limits{InFlightShare: "0.1"}
		cfg.Limits.PeerAsset[accounts.PeerAsset{Peer: "carol", Asset: asset}] = accounts.Limits{MaxPacket: text(asset, 250), PacketRate: "40/1h", AmountRate: string(text(asset, 5000)) + "/1h"}
	}
	var results [2][]string
	var books [2]map[string]string
	for i := range results {
		synctest.Test(t, func(t *testing.T) {
			l := &limitedTraffic{fixture: newLimited(t, embedded.New(), 3000, cfg)}
			clock := time.Now // of the bubble: it stands still
			if i == 0 {
				r, err := transfers.NewRecorder(l.ledger, l.book, transfers.Config{Clock: clock, GuardConversions: true, AllowArrears: true})
				require.NoError(t, err)
				l.recorder, l.flush = r, r.Flush
			} else {
				r := l.fixture.open(t, func(c *aggregate.Config) { c.Clock, c.GuardConversions, c.AllowArrears = clock, true, true })
				l.recorder, l.flush = r, r.Flush
			}
			for from := range len(l.peers) - 1 { // peers are read before their first packet
				_, err := l.recorder.Record(t.Context(), transfers.PrepareOp(l.packet(from, from+1, 0, 0)))
				require.NoError(t, err)
			}
			synctest.Wait() // no read is under way beside the packets that follow
			rnd := rand.New(rand.NewPCG(seed, 1))
			for range 600 {
				l.step(t, rnd)
			}
			for _, p := range l.open {
				_, err := l.recorder.Record(t.Context(), transfers.RejectOp(p))
				require.NoError(t, err)
			}
			require.NoError(t, l.recorder.Close(t.Context()))
			results[i], books[i] = l.results, l.figures(t)
		})
	}
	require.Len(t, results[1], len(results[0]))
	for i := range results[0] {
		require.Equal(t, results[0][i], results[1][i], "packet %d", i)
	}
	require.Equal(t, books[0], books[1])
	counts := map[string]int{}
	for _, r := range results[0] {
		counts[r[:min(len(r), 30)]]++
	}
	t.Log(counts)
	require.Greater(t, counts["applied"], 100)
	require.Greater(t, len(results[0])-counts["applied"], 30)
}
