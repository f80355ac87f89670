package transfers_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// cappedFixture is a recorder whose peers have caps.
type cappedFixture struct {
	*fixture
}

func newCapped(t *testing.T, l *embedded.Ledger, limits accounts.Rules[accounts.Limits], cfg transfers.Config) *cappedFixture {
	t.Helper()
	f := &fixture{embedded: l}
	var err error
	f.book, err = accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}, Limits: limits})
	require.NoError(t, err)
	handles, err := f.book.Provision(t.Context(),
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd, CreditLine: units(1000)})
	require.NoError(t, err)
	f.alice, f.bob = handles[0], handles[1]
	f.recorder, err = transfers.NewRecorder(l, f.book, cfg)
	require.NoError(t, err)
	return &cappedFixture{f}
}

// capSettings returns a PayableCap in units of USD, and an InFlightShare.
func capSettings(payable uint64, share string) accounts.Rules[accounts.Limits] {
	l := accounts.Limits{InFlightShare: share}
	if payable > 0 {
		l.PayableCap = accounts.Decimal(usd.Format(units(payable)))
	}
	return accounts.Rules[accounts.Limits]{Asset: map[accounts.Asset]accounts.Limits{usd: l}}
}

// A suspended peer's new packets are refused at most a poll interval later, in both
// directions and by every recorder. Held packets are resolved.
func TestSuspendedPeer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newCapped(t, embedded.New(), accounts.Rules[accounts.Limits]{}, transfers.Config{})
		ctx := t.Context()
		held, err := f.recorder.Prepare(ctx, f.packet(10, 10))
		require.NoError(t, err)
		given, err := f.recorder.Prepare(ctx, f.packet(5, 5))
		require.NoError(t, err)
		round := func() {
			time.Sleep(time.Second) //nolint:forbidigo // virtual time
			synctest.Wait()
		}
		require.NoError(t, f.book.SuspendPeer(ctx, f.alice))
		round()
		back := transfers.Packet{From: f.bob, To: f.alice, In: 1, Out: 1, Hold: time.Minute}
		for _, p := range []transfers.Packet{f.packet(1, 1), back, f.packet(0, 0)} {
			result, err := f.recorder.Prepare(ctx, p)
			require.ErrorIs(t, err, accounts.ErrSuspended)
			require.ErrorContains(t, err, "alice on ledger 1")
			require.Equal(t, "T04", transfers.ILPCode(err))
			require.Equal(t, ledger.OutcomeRefused, result.Outcome)
			_, err = f.recorder.TrySubmit(transfers.PrepareOp(p))
			require.ErrorIs(t, err, accounts.ErrSuspended)
		}
		_, err = f.recorder.Fulfill(ctx, held.Packet)
		require.NoError(t, err)
		_, err = f.recorder.Reject(ctx, given.Packet)
		require.NoError(t, err)
		_, err = f.recorder.Forward(ctx, f.packet(3, 3))
		require.NoError(t, err, "promised already")

		second, err := transfers.NewRecorder(f.embedded, f.book, transfers.Config{})
		require.NoError(t, err)
		synctest.Wait() // its first look
		_, err = second.Prepare(ctx, f.packet(1, 1))
		require.ErrorIs(t, err, accounts.ErrSuspended, "a new recorder sees it too")
		require.NoError(t, second.Close(ctx))

		require.NoError(t, f.book.ResumePeer(ctx, f.alice))
		round()
		held, err = f.recorder.Prepare(ctx, f.packet(1, 1))
		require.NoError(t, err)
		_, err = f.recorder.Fulfill(ctx, held.Packet)
		require.NoError(t, err)
		require.Equal(t, int64(-14), f.position(t, f.alice))
		f.closeAndCheck(t)
	})
}

func TestPayableCap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newCapped(t, embedded.New(), capSettings(100, ""), transfers.Config{})
		ctx := t.Context()
		_, err := f.recorder.TrySubmit(transfers.PrepareOp(f.packet(1, 1)))
		require.ErrorIs(t, err, transfers.ErrLimitsNotLoaded, "TrySubmit does not wait for the first look")
		require.Equal(t, "T00", transfers.ILPCode(err))
		first, err := f.recorder.Prepare(ctx, f.packet(60, 60))
		require.NoError(t, err)
		_, err = f.recorder.Prepare(ctx, f.packet(41, 41))
		var limit *transfers.PacketLimitError
		require.ErrorIs(t, err, transfers.ErrPayableCap)
		require.ErrorAs(t, err, &limit)
		require.Equal(t, f.bob, limit.Account)
		require.ErrorContains(t, limit, "has used 0.000000060 USD of 0.000000100 USD, and the packet is of 0.000000041 USD")
		require.Equal(t, [3]ledger.Amount{units(100), units(60), units(41)}, [3]ledger.Amount{limit.Limit, limit.Used, limit.Wanted})
		require.Equal(t, "T04", transfers.ILPCode(err))
		_, err = f.recorder.Fulfill(ctx, first.Packet)
		require.NoError(t, err)
		second, err := f.recorder.Prepare(ctx, f.packet(40, 40))
		require.NoError(t, err, "up to the cap")
		_, err = f.recorder.Reject(ctx, second.Packet)
		require.NoError(t, err)
		second, err = f.recorder.Prepare(ctx, f.packet(40, 40))
		require.NoError(t, err, "a voided hold frees the cap at once")
		_, err = f.recorder.Fulfill(ctx, second.Packet)
		require.NoError(t, err)

		// A packet from bob reduces the amount owed to bob.
		back, err := f.recorder.Prepare(ctx, transfers.Packet{From: f.bob, To: f.alice, In: 30, Out: 30, Hold: time.Minute})
		require.NoError(t, err)
		_, err = f.recorder.Fulfill(ctx, back.Packet)
		require.NoError(t, err)
		_, err = f.recorder.Prepare(ctx, f.packet(30, 30))
		require.NoError(t, err)

		// An expired hold frees the cap at most a poll interval later.
		time.Sleep(63 * time.Second) //nolint:forbidigo // virtual time
		synctest.Wait()
		last, err := f.recorder.Prepare(ctx, f.packet(30, 30))
		require.NoError(t, err)
		_, err = f.recorder.Fulfill(ctx, last.Packet)
		require.NoError(t, err)

		// Another process frees the cap: a later packet is not refused by the stale balance.
		time.Sleep(time.Minute) //nolint:forbidigo // virtual time
		_, err = f.book.Adjust(ctx, accounts.Adjustment{Account: f.bob, Key: "k", Debit: units(50), ReasonCode: 1})
		require.NoError(t, err)
		last, err = f.recorder.Prepare(ctx, f.packet(50, 50))
		require.NoError(t, err)
		_, err = f.recorder.Fulfill(ctx, last.Packet)
		require.NoError(t, err)
		require.Equal(t, int64(100), f.position(t, f.bob))
		f.closeAndCheck(t)
	})
}

func TestInFlightShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newCapped(t, embedded.New(), capSettings(0, "0.25"), transfers.Config{})
		ctx := t.Context()
		held, err := f.recorder.Prepare(ctx, f.packet(250, 250))
		require.NoError(t, err)
		_, err = f.recorder.Prepare(ctx, f.packet(1, 1))
		var limit *transfers.PacketLimitError
		require.ErrorIs(t, err, transfers.ErrInFlightShare)
		require.ErrorAs(t, err, &limit)
		require.Equal(t, f.alice, limit.Account)
		require.Equal(t, "T04", transfers.ILPCode(err))
		_, err = f.recorder.Fulfill(ctx, held.Packet)
		require.NoError(t, err)
		held, err = f.recorder.Prepare(ctx, f.packet(250, 250))
		require.NoError(t, err, "a fulfilled packet holds nothing")
		_, err = f.recorder.Reject(ctx, held.Packet)
		require.NoError(t, err)
		// The amount owed to bob is its own: bob may hold all of it, and a quarter of its line.
		held, err = f.recorder.Prepare(ctx, transfers.Packet{From: f.bob, To: f.alice, In: 500, Out: 500, Hold: time.Minute})
		require.NoError(t, err)
		_, err = f.recorder.Prepare(ctx, transfers.Packet{From: f.bob, To: f.alice, In: 1, Out: 1, Hold: time.Minute})
		require.ErrorIs(t, err, transfers.ErrInFlightShare)
		_, err = f.recorder.Fulfill(ctx, held.Packet)
		require.NoError(t, err)
		f.closeAndCheck(t)
	})
}

// A fulfill or reject refused as a conflict leaves the packet among the held packets: the
// correct operation that follows frees the cap at once, without waiting for a refresh.
func TestConflictLeavesTheHoldKnown(t *testing.T) {
	t.Parallel()
	type resolve = func(*transfers.Recorder, context.Context, transfers.Packet) (transfers.Result, error)
	for name, resolve := range map[string]resolve{"fulfill": (*transfers.Recorder).Fulfill, "reject": (*transfers.Recorder).Reject} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newCapped(t, embedded.New(), capSettings(0, "0.25"), transfers.Config{})
				ctx := t.Context()
				held, err := f.recorder.Prepare(ctx, f.packet(250, 250))
				require.NoError(t, err)
				smaller, toOthers := held.Packet, held.Packet
				smaller.In, smaller.Out = 200, 200
				toOthers.From, toOthers.To = held.Packet.To, held.Packet.From
				for _, wrong := range []transfers.Packet{smaller, toOthers} {
					_, err = resolve(f.recorder, ctx, wrong)
					require.ErrorIs(t, err, ledger.ErrIDConflict)
					_, err = f.recorder.Prepare(ctx, f.packet(1, 1))
					require.ErrorIs(t, err, transfers.ErrInFlightShare, "the packet is held still")
				}
				_, err = resolve(f.recorder, ctx, held.Packet)
				require.NoError(t, err)
				held, err = f.recorder.Prepare(ctx, f.packet(250, 250))
				require.NoError(t, err, "no refresh came between")
				_, err = f.recorder.Reject(ctx, held.Packet)
				require.NoError(t, err)
				f.closeAndCheck(t)
			})
		})
	}
}

// With any number of callers, a recorder's own packets never exceed a cap.
func TestCapsUnderLoad(t *testing.T) {
	t.Parallel()
	f := newCapped(t, embedded.New(), capSettings(300, "0.1"), transfers.Config{})
	ctx := t.Context()
	var taken, refused atomic.Int64
	var callers, watcher sync.WaitGroup
	done := make(chan struct{})
	watcher.Go(func() {
		for {
			b, err := f.book.Balances(ctx, f.alice, f.bob)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range b {
				owed, _ := b[i].Payable.Add(b[i].HeldOut)
				own := b[i].Payable.SubFloor(b[i].Settling)
				held := b[i].HeldIn.SubFloor(own)
				if units(300).Less(owed.SubFloor(b[i].Receivable)) || units(100).Less(held) {
					t.Errorf("%v: payable %v, held to it %v, held on its line %v", b[i].Account, b[i].Payable, b[i].HeldOut, held)
				}
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	for n := range 8 {
		callers.Go(func() {
			for i := range 300 {
				p := f.packet(uint64(i%40+1), uint64(i%40+1))
				if (n+i)%2 == 0 {
					p.From, p.To = p.To, p.From
				}
				held, err := f.recorder.Prepare(ctx, p)
				switch {
				case errors.Is(err, transfers.ErrInFlightShare), errors.Is(err, transfers.ErrPayableCap), errors.Is(err, transfers.ErrCreditLine):
					refused.Add(1)
					continue
				case err != nil:
					t.Error(err)
					return
				}
				taken.Add(1)
				if i%5 == 0 {
					_, err = f.recorder.Reject(ctx, held.Packet)
				} else {
					_, err = f.recorder.Fulfill(ctx, held.Packet)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	close(done)
	watcher.Wait()
	t.Logf("%d packets taken, %d refused", taken.Load(), refused.Load())
	require.Positive(t, taken.Load())
	f.closeAndCheck(t)
}

// failingReads fails the reads of suspensions while isFailing is set.
type failingReads struct {
	ledger.Ledger
	isFailing atomic.Bool
}

func (n *failingReads) QueryTransfers(ctx context.Context, f ledger.QueryFilter) ([]ledger.Transfer, error) {
	if n.isFailing.Load() {
		return nil, errors.New("away")
	}
	return n.Ledger.QueryTransfers(ctx, f)
}

func TestFailedRefreshes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := embedded.New()
		away := &failingReads{Ledger: l}
		book, err := accounts.NewBook(away, accounts.Config{Assets: []accounts.Asset{usd}, Limits: capSettings(100, "")})
		require.NoError(t, err)
		handles, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: units(100)})
		require.NoError(t, err)
		var failed atomic.Int64
		recorder, err := transfers.NewRecorder(l, book, transfers.Config{Events: transfers.Events{RefreshFailed: func(error) { failed.Add(1) }}})
		require.NoError(t, err)
		bob, err := book.PeerAccount("bob", usd)
		require.NoError(t, err)
		_, err = recorder.Prepare(t.Context(), transfers.Packet{From: handles[0], To: bob, In: 1, Out: 1, Hold: time.Minute})
		require.ErrorIs(t, err, accounts.ErrNotProvisioned, "a peer whose caps can never be loaded")
		away.isFailing.Store(true)
		require.NoError(t, book.SuspendPeer(t.Context(), handles[0]))
		time.Sleep(3500 * time.Millisecond) //nolint:forbidigo // virtual time
		require.Equal(t, int64(3), failed.Load())
		away.isFailing.Store(false)
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		synctest.Wait()
		own, err := book.OwnAccount(usd)
		require.NoError(t, err)
		_, err = recorder.Prepare(t.Context(), transfers.Packet{From: handles[0], To: own, In: 1, Out: 1, Hold: time.Minute})
		require.ErrorIs(t, err, accounts.ErrSuspended, "a later refresh reads the missed suspension")
		require.NoError(t, recorder.Close(t.Context()))
		ledgertest.RequireNothingHeld(t, l)
		require.NoError(t, l.Close())
	})
}
