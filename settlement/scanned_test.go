package settlement_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// The look-ups of a round that pays n accounts whose newest orders are known: the balances that show that they are
// due, the pauses, the balances after the payments, and for each order the order and the balance of its check.
func lookUpsOfRound(n int64) int64 { return 3 + 2*n }

// paidRound pays each peer 80, and returns the look-ups of the round.
func paidRound(t *testing.T, w *world, c *countingLedger, e *settlement.Engine, meanwhile func()) int64 {
	t.Helper()
	for _, a := range w.peers {
		w.earn(a, 80)
	}
	sleepVirtual(time.Millisecond)
	meanwhile()
	c.takeCounts()
	paid, err := e.Settle(t.Context(), w.peers...)
	require.NoError(t, err)
	require.Len(t, paid, len(w.peers))
	for _, p := range paid {
		require.Equal(t, units(80), p.Paid)
	}
	return c.takeCounts()[1]
}

// The first order of a visit rests on the balance that showed that the account is due, while that balance is new and
// no packet from the peer is in flight.
func TestOrdersRestOnScannedBalances(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]struct {
		takes time.Duration // a payment
		held  bool          // a packet from each peer is in flight
		more  int64         // look-ups
	}{
		"new":       {0, false, 0},
		"in flight": {0, true, 2},
		"one old":   {200 * time.Millisecond, false, 1}, // the second account waits for the first
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t, "bob"), newRail()
				r.before = func(settlement.Order) error {
					sleepVirtual(run.takes)
					return nil
				}
				for _, a := range w.peers {
					w.earn(a, 20)
				}
				c := &countingLedger{Ledger: w.ledger}
				cfg := manualConfig(r, at100)
				cfg.Rails.Default.Concurrency = 1
				cfg.Lease = time.Hour // no claims are renewed
				e := w.engineOn(c, cfg)
				require.Equal(t, lookUpsOfRound(2)+2, paidRound(t, w, c, e, func() {}), "the newest orders are not known yet")
				var held []ledger.ID
				got := paidRound(t, w, c, e, func() {
					for _, a := range w.peers {
						if run.held {
							held = append(held, w.holdPacket(a, 1))
						}
					}
				})
				require.Equal(t, lookUpsOfRound(2)+run.more, got)
				for _, id := range held {
					w.writeRow(ledger.Transfer{PendingID: id, Flags: ledger.TransferVoidPending})
				}
				require.NoError(t, e.Close(t.Context()))
				w.requireConserved(r)
			})
		})
	}
}

// Visits that wait until the balance that showed that they are due is old look their balances up together.
func TestOldScansAreRenewedTogether(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]struct {
		concurrency int
		held        bool  // packets from all peers are in flight since the first payment
		more        int64 // look-ups
	}{
		"one at a time":            {1, false, 7}, // each visit waits for the one before, longer than a look-up stays new
		"one at a time, in flight": {1, true, 7},
		"three at a time":          {3, false, 2}, // the second three, and the last two
		"all at once":              {8, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t, "b", "c", "d", "e", "f", "g", "h"), newRail()
				var held []ledger.ID
				var hold atomic.Bool
				r.before = func(settlement.Order) error {
					if hold.Swap(false) {
						for _, a := range w.peers {
							held = append(held, w.holdPacket(a, 1))
						}
					}
					sleepVirtual(200 * time.Millisecond)
					return nil
				}
				for _, a := range w.peers {
					w.earn(a, 20)
				}
				c := &countingLedger{Ledger: w.ledger}
				cfg := manualConfig(r, at100)
				cfg.Rails.Default.Concurrency, cfg.Lease = run.concurrency, time.Hour
				e := w.engineOn(c, cfg)
				paidRound(t, w, c, e, func() {}) // the newest orders are known from here on
				require.Equal(t, lookUpsOfRound(8)+run.more, paidRound(t, w, c, e, func() { hold.Store(run.held) }))
				for _, id := range held {
					w.writeRow(ledger.Transfer{PendingID: id, Flags: ledger.TransferVoidPending})
				}
				require.NoError(t, e.Close(t.Context()))
				w.requireConserved(r)
			})
		})
	}
}

// A renewed balance is as good as the one before: an order rests on what is owed then.
func TestRenewedScanIsOfItsMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob", "carol"), newRail()
		for _, a := range w.peers {
			w.earn(a, 100)
		}
		cfg := manualConfig(r, at100)
		cfg.Rails.Default.Concurrency, cfg.Lease = 1, time.Hour
		e := w.engine(cfg)
		_, err := e.Settle(t.Context(), w.peers...)
		require.NoError(t, err)
		for _, a := range w.peers {
			w.earn(a, 100)
		}
		sleepVirtual(time.Millisecond)
		calls := 0
		r.before = func(settlement.Order) error {
			if calls++; calls == 1 { // the others wait meanwhile, and earn
				for _, a := range w.peers[1:] {
					w.earn(a, 30)
				}
				sleepVirtual(200 * time.Millisecond)
			}
			return nil
		}
		paid, err := e.Settle(t.Context(), w.peers...)
		require.NoError(t, err)
		require.Len(t, paid, len(w.peers))
		for i, p := range paid {
			require.Equal(t, units(map[bool]uint64{true: 100, false: 130}[i == 0]), p.Paid)
		}
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}

// interruptedLedger calls a function once, before a kind of request.
type interruptedLedger struct {
	ledger.Ledger
	interrupt    func()
	beforeCreate bool // else before a query
	once         sync.Once
}

func (l *interruptedLedger) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if l.beforeCreate {
		l.once.Do(l.interrupt)
	}
	return l.Ledger.CreateTransfers(ctx, rows)
}

func (l *interruptedLedger) GetAccountTransfers(ctx context.Context, f ledger.AccountFilter) ([]ledger.Transfer, error) {
	if !l.beforeCreate {
		l.once.Do(l.interrupt)
	}
	return l.Ledger.GetAccountTransfers(ctx, f)
}

// Another engine pays between the balance that showed that the account is due and our next step: before we place
// the order, or before we read which order is the newest. No second order is placed.
func TestScannedBalanceIsOlderThanAnOrder(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"newest order known": true, "newest order read": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t), newRail()
				otherCfg := manualConfig(r, at100)
				otherCfg.Instance = "other"
				other := w.engine(otherCfg)
				cfg := manualConfig(r, at100)
				placed := 0
				cfg.Events.Placed = func(settlement.Order) { placed++ }
				cfg.Events.Voided = func(o settlement.Order, err error) { t.Error(o, err) }
				var otherPaid []settlement.Payment
				l := &interruptedLedger{Ledger: w.ledger, beforeCreate: known, interrupt: func() {
					sleepVirtual(time.Millisecond)
					var err error
					otherPaid, err = other.Settle(t.Context(), w.alice)
					require.NoError(t, err)
					sleepVirtual(time.Millisecond)
				}}
				if known {
					l.once.Do(func() {}) // not in the first round
				}
				e := w.engineOn(l, cfg)
				if known {
					w.earn(w.alice, 100)
					_, err := e.Settle(t.Context(), w.alice)
					require.NoError(t, err)
					l.once, placed = sync.Once{}, 0
				}
				w.earn(w.alice, 100)
				sleepVirtual(time.Millisecond)
				paid, err := e.Settle(t.Context(), []accounts.PeerAccount{w.alice}...)
				require.NoError(t, err)
				require.Empty(t, paid)
				require.Len(t, otherPaid, 1)
				require.Zero(t, placed)
				require.NoError(t, e.Close(t.Context()))
				require.NoError(t, other.Close(t.Context()))
				w.requireConserved(r)
			})
		})
	}
}

// SettleNow pays what is owed at its call, also by a visit that began before the call and waited: first the visit's
// balance is read, then packets are booked, then SettleNow is called, and then the visit places its order.
func TestSettleNowDuringAVisit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t, "bob"), newRail()
		for _, a := range w.peers {
			w.earn(a, 100)
		}
		cfg := manualConfig(r, at100)
		cfg.Rails.Default.Concurrency = 1 // the second visit waits for the first
		e := w.engine(cfg)
		_, err := e.Settle(t.Context(), w.peers...) // the newest orders are known from here on
		require.NoError(t, err)
		for _, a := range w.peers {
			w.earn(a, 80)
		}
		sleepVirtual(time.Millisecond)
		paying, proceed := make(chan struct{}), make(chan struct{})
		var once sync.Once
		r.before = func(settlement.Order) error {
			once.Do(func() { close(paying); <-proceed })
			return nil
		}
		var calls sync.WaitGroup
		calls.Go(func() {
			_, err := e.Settle(t.Context(), w.peers...)
			require.NoError(t, err)
		})
		<-paying
		waiting := w.peers[1]
		w.earn(waiting, 30)
		calls.Go(func() {
			_, err := e.SettleNow(t.Context(), waiting)
			require.NoError(t, err)
		})
		synctest.Wait()
		close(proceed)
		calls.Wait()
		require.Equal(t, "20", w.balance(waiting).Position().String())
		require.NoError(t, e.Close(t.Context()))
		w.requireConserved(r)
	})
}
