package transfers_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// submit submits operations and returns their futures.
func (f *fixture) submit(t *testing.T, ops ...transfers.Op) (futures []transfers.Future) {
	t.Helper()
	for _, op := range ops {
		future, err := f.recorder.Submit(t.Context(), op)
		require.NoError(t, err)
		futures = append(futures, future)
	}
	return futures
}

// More prepares wait than fit into one request. Operations on promised money overtake the
// prepares, and no operation overtakes an earlier operation of the same packet.
func TestPromisesOvertakeALongBacklog(t *testing.T) {
	t.Parallel()
	f, slow := newStalledFixture(t, transfers.Config{Lanes: 1})
	held, err := f.hold(t, slow, f.packet(1, 1))
	require.NoError(t, err)
	f.submit(t, transfers.ForwardOp(f.packet(1, 1)))
	<-slow.requests // all that follows waits for it
	own := f.packet(1, 1)
	own.ID = ledger.NewID(1<<8, 1)
	f.submit(t, transfers.PrepareOp(own))
	for range ledger.BatchMax {
		f.submit(t, transfers.PrepareOp(f.packet(1, 1)))
	}
	last := f.submit(t, transfers.FulfillOp(own), transfers.FulfillOp(held.Packet))
	slow.proceed <- nil
	batch := <-slow.requests
	require.Len(t, batch, ledger.BatchMax)
	require.Equal(t, held.Packet.ID.Lo|1, batch[0].ID.Lo, "the fulfill of a packet that is held")
	require.Equal(t, own.ID, batch[1].ID, "then the prepares, as they came")
	slow.proceed <- nil
	batch = <-slow.requests
	require.Equal(t, own.ID, batch[len(batch)-1].PendingID, "behind its prepare, and all others")
	go func() {
		slow.proceed <- nil
		slow.answerAll(t.Context())
	}()
	require.NoError(t, last[0].Wait(t.Context()).Err)
	require.NoError(t, f.recorder.Close(t.Context()))
	ledgertest.RequireConserved(t, f.embedded)
}

// hold prepares a packet on a stalled ledger.
func (f *fixture) hold(t *testing.T, slow *stalledLedger, p transfers.Packet) (transfers.Result, error) {
	t.Helper()
	future, err := f.recorder.Submit(t.Context(), transfers.PrepareOp(p))
	require.NoError(t, err)
	<-slow.requests
	slow.proceed <- nil
	r := future.Wait(t.Context())
	return r, r.Err
}

// A full backlog takes no prepare until it has fallen to BacklogResume. It takes operations on
// promised money as soon as there is a place.
func TestPromisesEnterAFullBacklogFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var told []bool
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1, MaxBacklog: 4, BacklogResume: 1, Events: transfers.Events{
			BacklogFull: func(full bool) { mu.Lock(); told = append(told, full); mu.Unlock() },
		}})
		held, err := f.hold(t, slow, f.packet(1, 1))
		require.NoError(t, err)
		f.submit(t, transfers.PrepareOp(f.packet(1, 1)))
		<-slow.requests // alone
		f.submit(t, transfers.PrepareOp(f.packet(2, 2)), transfers.PrepareOp(f.packet(3, 3)), transfers.PrepareOp(f.packet(4, 4)))
		entered := make(chan transfers.Kind, 2)
		for _, op := range []transfers.Op{transfers.PrepareOp(f.packet(5, 5)), transfers.FulfillOp(held.Packet)} {
			go func() {
				_, err := f.recorder.Submit(t.Context(), op)
				require.NoError(t, err)
				entered <- op.Kind
			}()
		}
		synctest.Wait()
		require.Empty(t, entered)
		require.Equal(t, []bool{true}, told)
		slow.proceed <- nil // one is answered: there is a place, above the low mark
		<-slow.requests
		synctest.Wait()
		require.Equal(t, transfers.KindFulfill, <-entered)
		require.Empty(t, entered)
		_, err = f.recorder.TrySubmit(transfers.PrepareOp(f.packet(1, 1)))
		require.ErrorIs(t, err, transfers.ErrBacklogFull)
		slow.proceed <- nil
		<-slow.requests
		require.Equal(t, transfers.KindPrepare, <-entered)
		require.Equal(t, []bool{true, false}, told)
		go func() {
			slow.proceed <- nil
			slow.answerAll(t.Context())
		}()
		require.NoError(t, f.recorder.Close(t.Context()))
		ledgertest.RequireConserved(t, f.embedded)
	})
}

// Flush waits for all operations submitted before the Flush, also for overtaken operations, and
// not for later operations.
func TestFlush(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1})
		require.NoError(t, f.recorder.Flush(t.Context()), "nothing to wait for")
		first := f.submit(t, transfers.PrepareOp(f.packet(1, 1)))
		<-slow.requests
		second := f.submit(t, transfers.PrepareOp(f.packet(1, 1)))
		flushed := make(chan struct{})
		go func() {
			defer close(flushed)
			require.NoError(t, f.recorder.Flush(t.Context()))
		}()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, f.recorder.Flush(short), context.DeadlineExceeded)
		slow.proceed <- nil
		<-slow.requests
		later := f.submit(t, transfers.PrepareOp(f.packet(1, 1)))
		synctest.Wait()
		select {
		case <-flushed:
			require.Fail(t, "the second one is not answered")
		default:
		}
		slow.proceed <- nil
		<-flushed
		require.NoError(t, first[0].Wait(canceled(t.Context())).Err)
		require.NoError(t, second[0].Wait(canceled(t.Context())).Err)
		require.ErrorIs(t, later[0].Wait(canceled(t.Context())).Err, ledger.ErrOutcomeUnknown)
		go slow.answerAll(t.Context())
		require.NoError(t, f.recorder.Close(t.Context()))
		require.NoError(t, f.recorder.Flush(t.Context()))
		require.NoError(t, later[0].Wait(canceled(t.Context())).Err, "Flush after Close waits for the end")
		ledgertest.RequireConserved(t, f.embedded)
	})
}

// A reply is lost. The lane resends the request and sends nothing else meanwhile. The other
// lane goes on.
func TestLaneStaysWithALostReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1})
		first := f.submit(t, transfers.PrepareOp(f.packet(1, 1)))
		sent := <-slow.requests
		id := sent[0].ID
		second := f.submit(t, transfers.PrepareOp(f.packet(2, 2)))
		for range 20 {
			slow.proceed <- ledger.ErrOutcomeUnknown
			again := <-slow.requests
			require.Len(t, again, 1)
			require.Equal(t, id, again[0].ID)
		}
		require.ErrorIs(t, first[0].Wait(canceled(t.Context())).Err, ledger.ErrOutcomeUnknown)
		slow.proceed <- nil
		require.NoError(t, first[0].Wait(t.Context()).Err)
		require.NotEqual(t, id, (<-slow.requests)[0].ID)
		slow.proceed <- nil
		require.NoError(t, second[0].Wait(t.Context()).Err)
		require.NoError(t, f.recorder.Close(t.Context()))
		ledgertest.RequireConserved(t, f.embedded)
	})
}

// The same packets give the same books with any number of lanes, any backlog and any request
// size.
func TestSettingsDoNotChangeTheBooks(t *testing.T) {
	t.Parallel()
	var want [4]int64
	for i, setting := range []struct{ lanes, backlog, most int }{
		{1, 1 << 16, ledger.BatchMax}, {1, 1, 3}, {2, 5, 7}, {4, 100, 253}, {7, 1000, 10},
	} {
		f := newFixture(t, transfers.Config{Lanes: setting.lanes, MaxBacklog: setting.backlog},
			func(l ledger.Ledger) ledger.Ledger { return narrowLedger{l, setting.most} })
		var ops []transfers.Op
		for n := range uint64(300) {
			p := f.packet(n%3, n%3)
			if n%7 == 0 {
				p = transfers.Packet{From: f.alice, To: f.bobEUR, In: 3, Out: 1, Dust: 1, Hold: time.Minute}
			}
			p.ID = ledger.NewID((n+1)<<8, 1)
			end := transfers.FulfillOp
			if n%5 == 0 {
				end = transfers.RejectOp
			}
			ops = append(ops, transfers.PrepareOp(p), end(p), end(p))
		}
		results, err := f.recorder.RecordAll(t.Context(), ops...)
		require.NoError(t, err)
		for _, r := range results {
			require.True(t, r.Outcome.Done())
		}
		got := [4]int64{f.position(t, f.alice), f.position(t, f.bob), f.position(t, f.bobEUR), f.suspense(t)}
		if i == 0 {
			want = got
		}
		require.Equal(t, want, got, setting)
		f.closeAndCheck(t)
	}
}

// More than a batch of forwards is waiting all the time. Flush waits only for the forwards
// before it.
func TestFlushUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, transfers.Config{Lanes: 1, MaxBacklog: 100}, func(l ledger.Ledger) ledger.Ledger {
			return &slowLedger{Ledger: narrowLedger{l, 10}, delay: 5 * time.Millisecond}
		})
		var stop atomic.Bool
		var callers sync.WaitGroup
		for range 200 {
			callers.Go(func() {
				for !stop.Load() {
					_, err := f.recorder.Forward(t.Context(), f.packet(1, 1))
					require.NoError(t, err)
				}
			})
		}
		time.Sleep(time.Second) //nolint:forbidigo // virtual time
		began := time.Now()
		require.NoError(t, f.recorder.Flush(t.Context()))
		require.Less(t, time.Since(began), time.Second, "a backlog of 100 takes a tenth of that")
		stop.Store(true)
		callers.Wait() // more callers wait than the backlog has places
		f.closeAndCheck(t)
	})
}
