package transfers_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/ilp"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// newLimited makes a recorder between alice and bob in USD and EUR with limits.
func newLimited(t *testing.T, limits accounts.Rules[accounts.Limits], cfg transfers.Config) *fixture {
	t.Helper()
	return newConfigured(t, accounts.Config{Limits: limits}, cfg)
}

// newConfigured makes a recorder between alice and bob in USD and EUR on a book with limits.
func newConfigured(t *testing.T, limits accounts.Config, cfg transfers.Config) *fixture {
	t.Helper()
	f := &fixture{embedded: embedded.New()}
	var err error
	limits.Assets = []accounts.Asset{usd, loss}
	f.book, err = accounts.NewBook(f.embedded, limits)
	require.NoError(t, err)
	handles, err := f.book.Provision(t.Context(),
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd, CreditLine: units(1000)},
		accounts.PeerConfig{ID: "alice", Asset: loss, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: loss, CreditLine: units(1000)})
	require.NoError(t, err)
	f.alice, f.bob, f.aliceEUR, f.bobEUR = handles[0], handles[1], handles[2], handles[3]
	f.recorder, err = transfers.NewRecorder(f.embedded, f.book, cfg)
	require.NoError(t, err)
	return f
}

// limitSettings returns the limits of all peers in USD.
func limitSettings(l accounts.Limits) accounts.Rules[accounts.Limits] {
	return accounts.Rules[accounts.Limits]{Asset: map[accounts.Asset]accounts.Limits{usd: l}}
}

func (f *fixture) prepareAndReject(t *testing.T, p transfers.Packet) error {
	t.Helper()
	held, err := f.recorder.Prepare(t.Context(), p)
	if err == nil {
		_, err = f.recorder.Reject(t.Context(), held.Packet)
	}
	return err
}

// A packet above MaxPacket is refused with F08 and the two amounts. A packet of exactly
// MaxPacket passes, and a forward of any size is booked.
func TestMaxPacket(t *testing.T) {
	t.Parallel()
	f := newLimited(t, limitSettings(accounts.Limits{MaxPacket: accounts.Decimal(usd.Format(units(100)))}), transfers.Config{})
	require.NoError(t, f.prepareAndReject(t, f.packet(100, 90)))
	got, err := f.recorder.Prepare(t.Context(), f.packet(101, 90))
	require.ErrorIs(t, err, transfers.ErrPacketTooLarge)
	require.Equal(t, ledger.OutcomeRefused, got.Outcome)
	require.Equal(t, "F08", transfers.ILPCode(err))
	var limit *transfers.PacketLimitError
	require.ErrorAs(t, err, &limit)
	require.Equal(t, f.alice, limit.Account)
	require.Equal(t, units(100), limit.Limit)
	require.Equal(t, units(101), limit.Wanted)
	data, err := ilp.DecodeAmountTooLarge(transfers.RejectData(err))
	require.NoError(t, err)
	require.Equal(t, ilp.AmountTooLarge{Received: 101, Maximum: 100}, data)

	_, err = f.recorder.TrySubmit(transfers.PrepareOp(f.packet(101, 90)))
	require.ErrorIs(t, err, transfers.ErrPacketTooLarge)
	require.Nil(t, transfers.RejectData(transfers.ErrCreditLine))
	_, err = f.recorder.Forward(t.Context(), f.packet(101, 90))
	require.NoError(t, err)
	eur := transfers.Packet{From: f.aliceEUR, To: f.bobEUR, In: 500, Out: 500, Hold: time.Minute}
	require.NoError(t, f.prepareAndReject(t, eur), "another asset has no limit")
	f.closeAndCheck(t)
}

// A packet that expires in a year is held for MaxHold, and gets a matching Expiry.
func TestMaxHold(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	limits := limitSettings(accounts.Limits{MaxHold: 30 * time.Second})
	limits.Peer = map[string]accounts.Limits{"bob": {MaxHold: 20 * time.Second}}
	f := newLimited(t, limits, transfers.Config{Clock: clock})
	toAlice := transfers.Packet{From: f.alice, To: f.alice, In: 2, Out: 1}
	for _, c := range []struct {
		p       transfers.Packet
		longest time.Duration
	}{{toAlice, 30 * time.Second}, {f.packet(2, 1), 20 * time.Second}} {
		p := c.p
		p.Hold, p.Expiry = 0, now.AddDate(1, 0, 0)
		held, err := f.recorder.Prepare(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, now.Add(c.longest), held.Packet.Expiry)
		require.Equal(t, c.longest+2*time.Second, held.Packet.Hold, "and the margin")
		_, err = f.recorder.Reject(t.Context(), held.Packet)
		require.NoError(t, err)

		p.Expiry = now.Add(c.longest)
		held, err = f.recorder.Prepare(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, p.Expiry, held.Packet.Expiry)
		_, err = f.recorder.Reject(t.Context(), held.Packet)
		require.NoError(t, err)

		p.Expiry, p.Hold = time.Time{}, c.longest+2*time.Second
		require.NoError(t, f.prepareAndReject(t, p))
		p.Hold++
		_, err = f.recorder.Prepare(t.Context(), p)
		require.ErrorIs(t, err, transfers.ErrPacket)
		require.ErrorContains(t, err, "Hold is "+p.Hold.String())
	}
	f.closeAndCheck(t)
}

// A peer cannot send faster than its rates, also if its packets are rejected. Other peers are
// not slowed down.
func TestRates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		amount := usd.Format(units(100)) + "/1m"
		limits := accounts.Rules[accounts.Limits]{PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "alice", Asset: usd}: {PacketRate: "3/1s", AmountRate: amount}}}
		f := newLimited(t, limits, transfers.Config{})
		ctx := t.Context()
		for range 3 {
			require.NoError(t, f.prepareAndReject(t, f.packet(10, 10)))
		}
		for _, p := range []transfers.Packet{f.packet(10, 10), f.packet(0, 0)} {
			_, err := f.recorder.Prepare(ctx, p)
			require.ErrorIs(t, err, transfers.ErrRateLimited)
			require.Equal(t, "T05", transfers.ILPCode(err))
			var limit *transfers.PacketLimitError
			require.ErrorAs(t, err, &limit)
			require.Equal(t, []ledger.Amount{units(3), units(3), units(1)}, []ledger.Amount{limit.Limit, limit.Used, limit.Wanted})
		}
		back := transfers.Packet{From: f.bob, To: f.alice, In: 400, Out: 400, Hold: time.Minute}
		for range 9 {
			require.NoError(t, f.prepareAndReject(t, back))
		}
		_, err := f.recorder.Forward(ctx, f.packet(1, 1))
		require.NoError(t, err, "no rate refuses a forward")
		time.Sleep(time.Second) //nolint:forbidigo // virtual time

		_, err = f.recorder.Prepare(ctx, f.packet(72, 72)) // 30 were sent, and 1 came back
		require.ErrorIs(t, err, transfers.ErrRateLimited)
		var limit *transfers.PacketLimitError
		require.ErrorAs(t, err, &limit)
		require.Equal(t, []ledger.Amount{units(100), units(29), units(72)}, []ledger.Amount{limit.Limit, limit.Used, limit.Wanted})
		require.NoError(t, f.prepareAndReject(t, f.packet(71, 71)))
		for range 2 { // the refused packet took no token
			require.NoError(t, f.prepareAndReject(t, f.packet(0, 0)))
		}
		require.ErrorIs(t, f.prepareAndReject(t, f.packet(0, 0)), transfers.ErrRateLimited)
		f.closeAndCheck(t)
	})
}

// A packet refused by a rate leaves the caps unchanged.
func TestRateGivesBackWhatCapsAdmitted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := limitSettings(accounts.Limits{PacketRate: "1/1h", PayableCap: accounts.Decimal(usd.Format(units(100)))})
		f := newLimited(t, limits, transfers.Config{})
		require.NoError(t, f.prepareAndReject(t, f.packet(1, 1)))
		for range 9 {
			require.ErrorIs(t, f.prepareAndReject(t, f.packet(90, 90)), transfers.ErrRateLimited)
		}
		fromBob := transfers.Packet{From: f.bob, To: f.bob, In: 95, Out: 95, Hold: time.Minute}
		require.NoError(t, f.prepareAndReject(t, fromBob))
		f.closeAndCheck(t)
	})
}

// Each recorder enforces rates and floors by itself: a peer may use its rate through both
// recorders. Together the recorders exceed a floor within one poll interval only.
func TestLimitsOfTwoRecorders(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := accounts.Config{
			Limits:          limitSettings(accounts.Limits{PacketRate: "3/10000h"}),
			LiquidityFloors: map[accounts.Asset]accounts.Decimal{loss: accounts.Decimal("-" + loss.Format(units(50)))},
		}
		f := newConfigured(t, limits, transfers.Config{})
		other, err := transfers.NewRecorder(f.embedded, f.book, transfers.Config{})
		require.NoError(t, err)
		synctest.Wait() // both have done their first refresh
		out := func(n uint64) transfers.Packet {
			return transfers.Packet{From: f.alice, To: f.bobEUR, In: 1, Out: n, Hold: time.Hour}
		}
		var held []transfers.Packet
		for _, r := range []*transfers.Recorder{f.recorder, other} {
			for _, n := range []uint64{30, 20} {
				got, err := r.Prepare(t.Context(), out(n))
				require.NoError(t, err)
				held = append(held, got.Packet)
			}
			_, err = r.Prepare(t.Context(), out(1))
			require.ErrorIs(t, err, transfers.ErrLiquidity)
		}
		_, err = f.recorder.Reject(t.Context(), held[0])
		require.NoError(t, err)
		time.Sleep(3 * time.Second) //nolint:forbidigo // virtual time, for a refresh
		for _, r := range []*transfers.Recorder{f.recorder, other} {
			_, err = r.Prepare(t.Context(), out(1))
			require.ErrorIs(t, err, transfers.ErrLiquidity, "70 of 50 are held, and both have read it")
			got, err := r.Prepare(t.Context(), f.packet(1, 1))
			require.NoError(t, err, "the third packet, of each")
			held = append(held, got.Packet)
			_, err = r.Prepare(t.Context(), f.packet(1, 1))
			require.ErrorIs(t, err, transfers.ErrRateLimited)
		}
		for _, p := range held[1:] {
			_, err = other.Reject(t.Context(), p)
			require.NoError(t, err)
		}
		require.NoError(t, other.Close(t.Context()))
		f.closeAndCheck(t)
	})
}

// Of many concurrent packets exactly as many pass as the bucket has tokens.
func TestRateUnderLoad(t *testing.T) {
	t.Parallel()
	f := newLimited(t, limitSettings(accounts.Limits{PacketRate: "100/10000h"}), transfers.Config{})
	var callers sync.WaitGroup
	var mu sync.Mutex
	passed := 0
	for range 8 {
		callers.Go(func() {
			for range 50 {
				if f.prepareAndReject(t, f.packet(1, 1)) == nil {
					mu.Lock()
					passed++
					mu.Unlock()
				}
			}
		})
	}
	callers.Wait()
	require.Equal(t, 100, passed)
	f.closeAndCheck(t)
}

// Packets from another asset, and packets at a loss, never take our liquidity below its floor.
// Amounts paid into liquidity, and voided holds, can be paid out again.
func TestLiquidityFloor(t *testing.T) {
	t.Parallel()
	for _, start := range []int64{0, 100} {
		t.Run(fmt.Sprintf("with %d", start), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				text := loss.Format(units(50))
				if start == 0 {
					text = "-" + text
				}
				f := newConfigured(t, accounts.Config{LiquidityFloors: map[accounts.Asset]accounts.Decimal{loss: accounts.Decimal(text)}}, transfers.Config{})
				ctx := t.Context()
				if start > 0 {
					_, err := f.book.Fund(ctx, accounts.Capital{Asset: loss, Key: "capital", Amount: units(uint64(start))})
					require.NoError(t, err)
					time.Sleep(2500 * time.Millisecond) //nolint:forbidigo // virtual time, between two refreshes: none runs beside the packets
				}
				out := func(n uint64) transfers.Packet {
					return transfers.Packet{From: f.alice, To: f.bobEUR, In: 1, Out: n, Hold: time.Hour}
				}
				held, err := f.recorder.Prepare(ctx, out(30))
				require.NoError(t, err)
				_, err = f.recorder.Prepare(ctx, out(21))
				require.ErrorIs(t, err, transfers.ErrLiquidity)
				require.Equal(t, "T04", transfers.ILPCode(err))
				own, err := f.book.OwnAccount(loss)
				require.NoError(t, err)
				_, err = f.recorder.Prepare(ctx, out(21))
				var limit *transfers.PacketLimitError
				require.ErrorAs(t, err, &limit)
				require.Equal(t, transfers.PacketLimitError{Account: own, Asset: loss, Cause: transfers.ErrLiquidity, Limit: units(50), Used: units(30), Wanted: units(21)}, *limit)

				atALoss := transfers.Packet{From: f.aliceEUR, To: f.bobEUR, In: 10, Out: 31, Hold: time.Hour}
				_, err = f.recorder.Prepare(ctx, atALoss)
				require.ErrorIs(t, err, transfers.ErrLiquidity, "a loss of 21")
				inner := transfers.Packet{From: f.aliceEUR, To: f.bobEUR, In: 500, Out: 500, Hold: time.Hour}
				require.NoError(t, f.prepareAndReject(t, inner), "the packet does not cross our liquidity")
				returned := transfers.Packet{From: f.bobEUR, To: f.bobEUR, In: 500, Out: 500, Hold: time.Hour}
				require.NoError(t, f.prepareAndReject(t, returned), "in and out of liquidity are equal")
				toUSD := transfers.Packet{From: f.aliceEUR, To: f.bob, In: 40, Out: 40, Hold: time.Hour}
				into, err := f.recorder.Prepare(ctx, toUSD)
				require.NoError(t, err, "USD has no floor")

				_, err = f.recorder.Reject(ctx, held.Packet)
				require.NoError(t, err)
				require.NoError(t, f.prepareAndReject(t, out(50)))
				_, err = f.recorder.Prepare(ctx, out(51))
				require.ErrorIs(t, err, transfers.ErrLiquidity, "a held packet adds no liquidity")
				_, err = f.recorder.Fulfill(ctx, into.Packet)
				require.NoError(t, err)
				require.NoError(t, f.prepareAndReject(t, out(90)))

				ours := transfers.Packet{From: own, To: f.bobEUR, In: 200, Out: 200, Hold: time.Hour}
				sent, err := f.recorder.Prepare(ctx, ours)
				require.NoError(t, err, "our own packets are never refused")
				_, err = f.recorder.TrySubmit(transfers.PrepareOp(out(1)))
				require.ErrorIs(t, err, transfers.ErrLiquidity, "and our own packets count")
				_, err = f.recorder.Fulfill(ctx, sent.Packet)
				require.NoError(t, err)
				_, err = f.recorder.Prepare(ctx, out(1))
				require.ErrorIs(t, err, transfers.ErrLiquidity)
				_, err = f.book.Fund(ctx, accounts.Capital{Asset: loss, Key: "more", Amount: units(111)})
				require.NoError(t, err)
				time.Sleep(3 * time.Second) //nolint:forbidigo // virtual time, for a refresh
				require.NoError(t, f.prepareAndReject(t, out(1)))
				require.ErrorIs(t, f.prepareAndReject(t, out(2)), transfers.ErrLiquidity)
				f.closeAndCheck(t)
			})
		})
	}
}

// Our own packets have taken the liquidity below the floor. Packets that do not cross the liquidity
// pass, and incoming packets make up for what is missing before anything may go out again.
func TestLiquidityBelowTheFloor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newConfigured(t, accounts.Config{LiquidityFloors: map[accounts.Asset]accounts.Decimal{loss: "0"}}, transfers.Config{})
		own, err := f.book.OwnAccount(loss)
		require.NoError(t, err)
		ours, err := f.recorder.Prepare(t.Context(), transfers.Packet{From: own, To: f.bobEUR, Out: 20, Hold: time.Hour})
		require.NoError(t, err)
		within := transfers.Packet{From: f.aliceEUR, To: f.bobEUR, In: 5, Out: 5, Hold: time.Hour}
		require.NoError(t, f.prepareAndReject(t, within), "our packet is held")
		_, err = f.recorder.Fulfill(t.Context(), ours.Packet)
		require.NoError(t, err)
		require.NoError(t, f.prepareAndReject(t, within), "our packet is fulfilled")
		time.Sleep(3 * time.Second) //nolint:forbidigo // virtual time, for a refresh
		require.NoError(t, f.prepareAndReject(t, within), "and read")

		in, err := f.recorder.Prepare(t.Context(), transfers.Packet{From: f.aliceEUR, To: f.bob, In: 25, Out: 1, Hold: time.Hour})
		require.NoError(t, err)
		_, err = f.recorder.Fulfill(t.Context(), in.Packet)
		require.NoError(t, err)
		out := transfers.Packet{From: f.alice, To: f.bobEUR, In: 1, Out: 6, Hold: time.Hour}
		require.ErrorIs(t, f.prepareAndReject(t, out), transfers.ErrLiquidity)
		out.Out = 5
		require.NoError(t, f.prepareAndReject(t, out))
		f.closeAndCheck(t)
	})
}

// Packets between two assets that deliver nothing for something, or something for nothing.
func TestGuardedConversions(t *testing.T) {
	t.Parallel()
	rate, err := accounts.NewConverter(usd, loss, decimal.RequireFromString("20000000")) // 2 cents for a unit
	require.NoError(t, err)
	strict := accounts.Asset{Code: "EUR", Scale: 2, Ledger: 2}
	for _, c := range []struct {
		name    string
		guard   bool
		rate    bool
		in, out uint64
		// refused: by an asset without AllowLoss; refusedWithLoss: by an asset with AllowLoss.
		refused, refusedWithLoss bool
	}{
		{"unguarded, nothing for something", false, false, 5, 0, false, false},
		{"unguarded, something for nothing", false, false, 0, 5, false, false},
		{"nothing for something", true, false, 5, 0, true, true},
		{"something for nothing", true, false, 0, 5, true, false},
		{"nothing for nothing", true, true, 0, 0, false, false},
		{"something for something", true, false, 1, 900, false, false},
		{"worth it", false, true, 5, 10, false, false},
		{"not worth it", false, true, 5, 11, true, false},
		{"something for nothing at a rate", false, true, 0, 1, true, false},
		{"nothing for something at a rate", false, true, 5, 0, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, eur := range []accounts.Asset{strict, loss} {
				cfg := transfers.Config{GuardConversions: c.guard}
				if c.rate {
					cfg.Rate = func(from, to accounts.Asset) *accounts.Converter {
						if from != usd || to != eur {
							return nil
						}
						return rate
					}
				}
				l := embedded.New()
				book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd, eur}})
				require.NoError(t, err)
				peers, err := book.Provision(t.Context(),
					accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: eur, CreditLine: units(1000)})
				require.NoError(t, err)
				r, err := transfers.NewRecorder(l, book, cfg)
				require.NoError(t, err)
				p := transfers.Packet{From: peers[0], To: peers[1], In: c.in, Out: c.out, Hold: time.Minute}
				_, err = r.Prepare(t.Context(), p)
				if c.refused && eur == strict || c.refusedWithLoss && eur == loss {
					require.ErrorIs(t, err, transfers.ErrAmounts)
					require.Equal(t, "R01", transfers.ILPCode(err))
				} else {
					require.NoError(t, err)
				}
				_, err = r.Forward(t.Context(), p)
				require.NoError(t, err, "a fulfilled packet is owed")
				p.From, p.To = p.To, p.From
				p.In, p.Out = 1, 900
				_, err = r.Prepare(t.Context(), p)
				require.NoError(t, err, "there is no rate for the other way")
				own, err := book.OwnAccount(usd)
				require.NoError(t, err)
				_, err = r.Prepare(t.Context(), transfers.Packet{From: own, To: peers[1], Out: 5, Hold: time.Minute})
				require.NoError(t, err, "our own packets are not checked")
				require.NoError(t, r.Close(t.Context()))
				require.NoError(t, l.Close())
			}
		})
	}
}
