package settlement_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

func TestCloseWaitsForTheSettler(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		r.before = func(settlement.Order) error { sleepVirtual(3 * time.Second); return nil }
		e := w.engine(automaticConfig(r))
		w.earn(w.alice, 200)
		r.pays = func(settlement.Order) ledger.Amount { return units(50) } // there would be more
		e.NotifyBalances(w.peers)
		synctest.Wait()
		began := time.Now()
		require.NoError(t, e.Close(t.Context()))
		require.Equal(t, 3*time.Second, time.Since(began))
		require.Equal(t, units(50), w.balance(w.alice).SettledOut, "what was under way, and no further order")
		require.NoError(t, e.Close(t.Context()), "twice")

		e.NotifyBalances(w.peers)
		_, err := e.Settle(t.Context(), w.alice)
		require.ErrorIs(t, err, settlement.ErrEngineClosed)
		_, err = e.RecordIncoming(t.Context(), settlement.IncomingPayment{Account: w.alice, Key: "a"})
		require.ErrorIs(t, err, settlement.ErrEngineClosed)
		w.requireConserved(r)
	})
}

func TestCloseEndsSettlersWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		hangs := settlement.SettlerFunc(func(ctx context.Context, o settlement.Order) (ledger.Amount, error) {
			_, _ = r.Settle(ctx, o)
			<-ctx.Done()
			return ledger.Amount{}, ctx.Err()
		})
		e := w.engine(automaticConfig(hangs))
		w.earn(w.alice, 100)
		e.NotifyBalances(w.peers)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		err := e.Close(ctx)
		require.Equal(t, 2*time.Second, time.Since(began))
		require.ErrorIs(t, err, settlement.ErrOrdersOpen)
		var open *settlement.OpenOrdersError
		require.ErrorAs(t, err, &open)
		require.Len(t, open.Orders, 1)
		require.Equal(t, units(80), open.Orders[0].Amount)
		require.Equal(t, w.alice, open.Orders[0].Account)
		require.ErrorIs(t, open.Orders[0].LastErr, context.Canceled)
		require.ErrorContains(t, err, "alice")

		paid, err := w.engine(manualConfig(r, at100)).Settle(t.Context(), w.alice)
		require.NoError(t, err)
		require.Equal(t, []uint64{80}, paidAmounts(paid))
		w.requireConserved(r)
	})
}

func TestCloseLeavesADeafSettlerBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		release := make(chan struct{})
		r.before = func(settlement.Order) error { <-release; return nil }
		e := w.engine(automaticConfig(r))
		w.earn(w.alice, 100)
		e.NotifyBalances(w.peers)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		began := time.Now()
		require.ErrorIs(t, e.Close(ctx), settlement.ErrOrdersOpen)
		require.Equal(t, 5*time.Second, time.Since(began))
		close(release)
		require.ErrorIs(t, e.Close(t.Context()), settlement.ErrOrdersOpen, "it paid, and could not book it any more")

		paid, err := w.engine(manualConfig(r, at100)).Settle(t.Context(), w.alice)
		require.NoError(t, err)
		require.Equal(t, []uint64{80}, paidAmounts(paid))
		w.requireConserved(r)
	})
}

// While a visit waits for the ledger or the rail, Close names the order that the visit has open, also
// with its calls of the Settler.
func TestCloseNamesTheOrderOfAHangingVisit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		resumed, hangsInSettler bool
		attempts                int
	}{
		"after placing":  {},
		"after a claim":  {resumed: true},
		"in the Settler": {hangsInSettler: true, attempts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, r := newWorld(t), newRail()
				w.earn(w.alice, 100)
				if c.resumed {
					_, err := w.engine(manualConfig(brokenSettler, at100)).Settle(t.Context(), w.alice)
					require.ErrorIs(t, err, errRail)
				}
				hang, written := make(chan struct{}), false
				release := sync.OnceFunc(func() { close(hang) })
				defer release()
				l := &faultyLedger{Ledger: w.ledger, fault: func(request call) fault {
					if written && !request.creates && !c.hangsInSettler {
						<-hang
					}
					written = written || request.creates
					return noFault
				}}
				r.before = func(settlement.Order) error { <-hang; return nil }
				e := w.engineOn(l, manualConfig(r, at100))
				settled := make(chan struct{})
				go func() {
					defer close(settled)
					_, _ = e.Settle(t.Context(), w.alice)
				}()
				synctest.Wait()

				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				var open *settlement.OpenOrdersError
				require.ErrorAs(t, e.Close(ctx), &open)
				require.Len(t, open.Orders, 1)
				require.Equal(t, w.alice, open.Orders[0].Account)
				require.Equal(t, c.attempts, open.Orders[0].Attempts)
				release()
				<-settled
			})
		})
	}
}

// While an Engine closes, it finishes the order being paid, and places no other order.
func TestNoOrderIsPlacedWhileClosing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, r := newWorld(t), newRail()
		e := w.engine(manualConfig(r, payAll))
		closed := make(chan error, 1)
		r.after = func(settlement.Order) error {
			if len(r.calls) == 1 {
				w.earn(w.alice, 50) // more is due
				go func() { closed <- e.Close(t.Context()) }()
				sleepVirtual(time.Second)
			}
			return nil
		}
		w.earn(w.alice, 100)
		paid, err := e.Settle(t.Context(), w.alice)
		require.NoError(t, err)
		require.Equal(t, []uint64{100}, paidAmounts(paid))
		require.NoError(t, <-closed)
	})
}
