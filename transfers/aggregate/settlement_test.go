package aggregate_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

func units(n uint64) ledger.Amount { return ledger.NewAmount(n) }

// payer is a rail that pays each order once.
type payer struct {
	mu   sync.Mutex
	paid map[ledger.ID]settlement.Payment
	pays func(settlement.Order) (ledger.Amount, error) // asked once for each order, until it pays; nil: all is paid
}

func newPayer() *payer {
	return &payer{paid: map[ledger.ID]settlement.Payment{}}
}

func (p *payer) Settle(_ context.Context, o settlement.Order) (ledger.Amount, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, found := p.paid[o.ID]; found {
		return known.Paid, nil
	}
	amount := o.Amount
	if p.pays != nil {
		var err error
		if amount, err = p.pays(o); err != nil {
			return ledger.Amount{}, err
		}
	}
	p.paid[o.ID] = settlement.Payment{Order: o, Paid: amount}
	return amount, nil
}

// total is the sum paid to a peer.
func (p *payer) total(a accounts.PeerAccount) (sum uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, payment := range p.paid {
		if payment.Order.Account == a {
			n, _ := payment.Paid.Uint64()
			sum += n
		}
	}
	return sum
}

// countPaid returns the number of paid orders.
func (p *payer) countPaid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.paid)
}

// node is a recorder of rounds with the engine of its process.
type node struct {
	recorder *aggregate.Recorder
	engine   *settlement.Engine
}

// connect starts a node. isolated leaves the engine without the recorder's reservations.
func (f *fixture) connect(t *testing.T, cfg settlement.Config, isolated bool, change ...func(*aggregate.Config)) node {
	t.Helper()
	engine, err := settlement.NewEngine(f.ledger, f.book, cfg)
	require.NoError(t, err)
	rounds := aggregate.Config{LoseFulfillsWithProcess: true, Events: aggregate.Events{BalancesChanged: engine.NotifyBalances}}
	for _, c := range change {
		c(&rounds)
	}
	recorder, err := aggregate.NewRecorder(t.Context(), f.ledger, f.book, rounds)
	require.NoError(t, err)
	if !isolated {
		engine.UseReservations(recorder)
	}
	return node{recorder, engine}
}

func (n node) close(t *testing.T) {
	t.Helper()
	require.NoError(t, n.recorder.Close(t.Context()))
	require.NoError(t, n.engine.Close(t.Context()))
}

// settledBy is the configuration of an engine that looks often.
func settledBy(s settlement.Settler, policy settlement.Policy) settlement.Config {
	return settlement.Config{
		Rails: settlement.Rails{Default: &settlement.Rail{Settler: s}}, Policies: settlement.Policies{Default: policy},
		CheckCooldown: 10 * time.Millisecond,
	}
}

// inFull pays when a peer is owed as much, and no less.
func inFull(n uint64) settlement.Policy {
	return settlement.AtLeast{Amount: units(n), Of: settlement.Threshold{SettleThreshold: units(n)}}
}

// trade lets alice earn and send in each of some rounds.
func (f *fixture) trade(t *testing.T, n node, rounds int, earns, sends uint64) {
	t.Helper()
	for range rounds {
		_, err := n.recorder.Forward(t.Context(), f.packet(1, 0, earns, earns))
		require.NoError(t, err)
		pass()
		held, err := n.recorder.Prepare(t.Context(), f.packet(0, 2, sends, sends))
		if errors.Is(err, transfers.ErrCreditLine) { // an order has just taken all
			continue
		}
		require.NoError(t, err)
		_, err = n.recorder.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
	}
	pass()
}

// sleepVirtual waits, in a bubble without taking time.
func sleepVirtual(d time.Duration) { <-time.After(d) }

// pass lets a round and a look pass, in a bubble.
func pass() {
	sleepVirtual(51 * time.Millisecond)
	synctest.Wait()
}

// A peer in the thick of traffic is paid in full within a few rounds, although its reservations follow its earnings.
func TestOrderInTheThickOfTraffic(t *testing.T) {
	t.Parallel()
	for _, sends := range []uint64{1, 50, 90} {
		t.Run(fmt.Sprint("sends ", sends, " of 100"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const due = 1000
				f, pays := newFixture(t, embedded.New(), 0), newPayer()
				_, err := f.book.SetCreditLine(t.Context(), f.peers[1], units(1_000_000))
				require.NoError(t, err)
				n := f.connect(t, settledBy(pays, inFull(due)), false)
				f.trade(t, n, int(due/(100-sends))+4, 100, sends)
				require.GreaterOrEqual(t, pays.total(f.peers[0]), uint64(due))
				n.close(t)
				f.requireSettled(t, pays)
			})
		})
	}
}

// An order gets what is reserved and not used. An engine that does not know the reservations waits until as much
// more is earned.
func TestOrderTakesAReservation(t *testing.T) {
	t.Parallel()
	for _, isolated := range []bool{false, true} {
		t.Run(fmt.Sprint("isolated ", isolated), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f, pays := newFixture(t, embedded.New(), 0), newPayer()
				_, err := f.book.SetCreditLine(t.Context(), f.peers[1], units(1_000_000))
				require.NoError(t, err)
				n := f.connect(t, settledBy(pays, inFull(1000)), isolated)
				earn := func(amount uint64) {
					_, err := n.recorder.Forward(t.Context(), f.packet(1, 0, amount, amount))
					require.NoError(t, err)
					pass()
				}
				earn(700)
				held, err := n.recorder.Prepare(t.Context(), f.packet(0, 2, 300, 300))
				require.NoError(t, err)
				_, err = n.recorder.Reject(t.Context(), held.Packet)
				require.NoError(t, err)
				reserved := f.heldIn(t, 0)
				require.LessOrEqual(t, uint64(300), reserved)
				earn(300)
				if isolated {
					require.Zero(t, pays.total(f.peers[0]))
					earn(reserved)
					require.Equal(t, uint64(1000), pays.total(f.peers[0]))
				} else {
					require.Equal(t, uint64(1000), pays.total(f.peers[0]))
				}
				n.close(t)
				f.requireSettled(t, pays)
			})
		})
	}
}

// requireSettled checks that nothing is held or lost, and that the books have the payments of the rail.
func (f *fixture) requireSettled(t *testing.T, pays *payer) {
	t.Helper()
	ledgertest.RequireNothingHeld(t, f.ledger)
	for _, a := range f.peers {
		b, err := f.book.Balance(t.Context(), a)
		require.NoError(t, err)
		require.Equal(t, units(pays.total(a)), b.SettledOut, "%v", a)
		require.Zero(t, b.Arrears)
	}
}

// During a hold-back, prepares that fit what packets held go on, and others wait for release. After its limit a
// hold-back ends by itself.
func TestHoldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, embedded.New(), 1000)
		r := f.connect(t, settlement.Config{}, false).recorder
		release, err := r.HoldBack(t.Context(), f.peers[0])
		require.NoError(t, err, "of a peer without packets")
		release()
		first, err := r.Prepare(t.Context(), f.packet(0, 1, 100, 100))
		require.NoError(t, err)
		second, err := r.Prepare(t.Context(), f.packet(0, 1, 100, 100))
		require.NoError(t, err)
		require.Less(t, uint64(200), f.heldIn(t, 0), "more is reserved than packets hold")

		for _, isReleased := range []bool{true, false} {
			release, err = r.HoldBack(t.Context(), f.peers[0])
			require.NoError(t, err)
			require.Equal(t, uint64(200), f.heldIn(t, 0))
			_, err = r.Reject(t.Context(), second.Packet)
			require.NoError(t, err)
			second, err = r.Prepare(t.Context(), f.packet(0, 1, 100, 100))
			require.NoError(t, err, "it fits what the other one held")
			waiting, err := r.Submit(t.Context(), transfers.PrepareOp(f.packet(0, 1, 300, 300)))
			require.NoError(t, err)
			other, err := r.Prepare(t.Context(), f.packet(1, 2, 300, 300))
			require.NoError(t, err, "of a peer without a hold-back")
			_, err = r.Reject(t.Context(), other.Packet)
			require.NoError(t, err)
			began := time.Now()
			decided := make(chan transfers.Result, 1)
			go func() { decided <- waiting.Wait(context.Background()) }()
			sleepVirtual(2 * time.Second)
			synctest.Wait()
			require.Empty(t, decided)
			require.Equal(t, uint64(200), f.heldIn(t, 0))
			if isReleased {
				release()
			}
			result := <-decided
			require.NoError(t, result.Err)
			if isReleased {
				require.Less(t, time.Since(began), 2100*time.Millisecond)
			} else {
				require.Less(t, time.Since(began), 3100*time.Millisecond, "it ends by itself")
				release()
			}
			_, err = r.Reject(t.Context(), result.Packet)
			require.NoError(t, err)
		}
		for _, held := range []transfers.Result{first, second} {
			_, err = r.Fulfill(t.Context(), held.Packet)
			require.NoError(t, err)
		}
		require.NoError(t, r.Close(t.Context()))
		release, err = r.HoldBack(t.Context(), f.peers[0])
		require.NoError(t, err)
		release()
		f.requireSettled(t, newPayer())
	})
}

// heldIn returns what the ledger holds of a peer.
func (f *fixture) heldIn(t *testing.T, peer int) uint64 {
	t.Helper()
	b, err := f.book.LookUpBalances(t.Context(), f.peers[peer])
	require.NoError(t, err)
	n, _ := b[0].HeldIn.Uint64()
	return n
}

// A hold-back ends with its context while the ledger is away, and then prepares wait for nothing but the ledger.
func TestHoldBackWithoutTheLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lossy := &lossyLedger{Ledger: embedded.New()}
		f := newFixture(t, lossy, 1000)
		r := f.connect(t, settlement.Config{}, false).recorder
		held, err := r.Prepare(t.Context(), f.packet(0, 1, 100, 100))
		require.NoError(t, err)
		lossy.away.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = r.HoldBack(ctx, f.peers[0])
		require.ErrorIs(t, err, context.DeadlineExceeded)
		began := time.Now()
		_, err = r.HoldBack(t.Context(), f.peers[0])
		require.ErrorIs(t, err, context.DeadlineExceeded, "without an end of its own")
		require.LessOrEqual(t, time.Since(began), 5*time.Second)
		lossy.away.Store(false)
		other, err := r.Prepare(t.Context(), f.packet(0, 1, 500, 500))
		require.NoError(t, err)
		for _, result := range []transfers.Result{held, other} {
			_, err = r.Reject(t.Context(), result.Packet)
			require.NoError(t, err)
		}
		require.NoError(t, r.Close(t.Context()))
		f.requireSettled(t, newPayer())
	})
}
