package transfers_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// batchLog collects the calls of Events.Batch.
type batchLog struct {
	mu   sync.Mutex
	list []transfers.Batch
}

func (b *batchLog) addBatch(batch transfers.Batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = append(b.list, batch)
}

func (b *batchLog) allBatches() []transfers.Batch {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]transfers.Batch(nil), b.list...)
}

func (b *batchLog) lastBatch() transfers.Batch { all := b.allBatches(); return all[len(all)-1] }

// advanceTime lets virtual time pass, and waits until all goroutines are idle.
func advanceTime(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // virtual time
	synctest.Wait()
}

// QueueWait is the time from the arrival of the batch's first operation to its first request.
func TestQueueWaitOfABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log batchLog
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1, Events: transfers.Events{Batch: log.addBatch}})
		submit := func() {
			_, err := f.recorder.Submit(t.Context(), transfers.PrepareOp(f.packet(1, 1)))
			require.NoError(t, err)
		}
		submit()
		<-slow.requests // an idle lane sends at once
		advanceTime(time.Second)
		submit()
		advanceTime(2 * time.Second)
		submit() // counts as arrived with the operation before
		advanceTime(4 * time.Second)
		slow.proceed <- nil
		require.Len(t, <-slow.requests, 2)
		advanceTime(8 * time.Second)
		slow.proceed <- nil
		synctest.Wait()
		require.Equal(t, []transfers.Batch{
			{Operations: 1, Transfers: 1, Requests: 1, Duration: 7 * time.Second, Applied: 1},
			{Operations: 2, Transfers: 2, Requests: 1, QueueWait: 6 * time.Second, Duration: 8 * time.Second, Applied: 2},
		}, log.allBatches())
		submit()
		<-slow.requests
		slow.proceed <- nil
		synctest.Wait()
		require.Zero(t, log.lastBatch().QueueWait, "earlier batches do not count")
		slow.closeAll(t, f)
	})
}

// More than one batch is waiting: operations that do not fit go on waiting, and later
// operations have waited less.
func TestQueueWaitOfALongBacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log batchLog
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1, Events: transfers.Events{Batch: log.addBatch}})
		fill := func(n int) {
			for range n {
				_, err := f.recorder.Submit(t.Context(), transfers.PrepareOp(f.packet(1, 1)))
				require.NoError(t, err)
			}
		}
		fill(1)
		<-slow.requests
		fill(ledger.BatchMax + 5)
		advanceTime(time.Second)
		fill(5)
		for range 2 {
			advanceTime(time.Second)
			slow.proceed <- nil
			<-slow.requests
		}
		advanceTime(time.Second)
		fill(1)
		slow.proceed <- nil
		<-slow.requests
		slow.proceed <- nil
		synctest.Wait()
		var waited []time.Duration
		for _, b := range log.allBatches() {
			waited = append(waited, b.QueueWait)
		}
		require.Equal(t, []time.Duration{0, 2 * time.Second, 3 * time.Second, 0}, waited)
		slow.closeAll(t, f)
	})
}

// Each outcome is counted once, with any answer and any number of requests.
func TestBatchCountsOutcomes(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var log batchLog
	f := newFixture(t, transfers.Config{Lanes: 1, Events: transfers.Events{Batch: log.addBatch}}, nil)
	held, err := f.recorder.Prepare(ctx, f.packet(10, 10))
	require.NoError(t, err)
	require.NoError(t, f.recorder.Flush(ctx)) // a caller has its answer before the batch is reported
	require.Equal(t, 1, log.lastBatch().Applied)

	again := transfers.PrepareOp(held.Packet)
	tooMuch := transfers.PrepareOp(f.packet(2000, 2000))
	unknown := f.packet(1, 1)
	unknown.ID = ledger.NewID(77<<8, 1)
	_, err = f.recorder.RecordAll(ctx, again, tooMuch, transfers.FulfillOp(held.Packet), transfers.RejectOp(unknown))
	require.Error(t, err)
	require.NoError(t, f.recorder.Flush(ctx))
	var sum transfers.Batch
	for _, b := range log.allBatches()[1:] {
		require.Equal(t, b.Operations, b.Applied+b.AlreadyApplied+b.Refused+b.Unknown)
		sum.Applied += b.Applied
		sum.AlreadyApplied += b.AlreadyApplied
		sum.Refused += b.Refused
		sum.Unknown += b.Unknown
	}
	require.Equal(t, transfers.Batch{Applied: 1, AlreadyApplied: 1, Refused: 2}, sum)
	f.closeAndCheck(t)
}

func TestBatchCountsWhatStaysUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log batchLog
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1, Events: transfers.Events{Batch: log.addBatch}})
		_, err := f.recorder.Submit(t.Context(), transfers.PrepareOp(f.packet(1, 1)))
		require.NoError(t, err)
		<-slow.requests
		for range 2 {
			_, err = f.recorder.Submit(t.Context(), transfers.PrepareOp(f.packet(1, 1)))
			require.NoError(t, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Error(t, f.recorder.Close(ctx))
		all := log.allBatches()
		require.Len(t, all, 2)
		require.Equal(t, transfers.Batch{Operations: 1, Transfers: 1, Requests: 1, Duration: time.Second, Queued: all[0].Queued, Unknown: 1}, all[0])
		require.Equal(t, 2, all[1].Refused, "the two operations were never sent")
		require.Zero(t, all[1].Unknown)
		require.Equal(t, time.Second, all[1].QueueWait)
	})
}

// Random operations on few packets: every operation is counted once, by the outcome of its
// result.
func TestCountsAgreeWithResults(t *testing.T) {
	t.Parallel()
	var log batchLog
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 1))
	f := newFixture(t, transfers.Config{Lanes: 2, Events: transfers.Events{Batch: log.addBatch}}, nil)
	want := map[ledger.Outcome]int{}
	var held []transfers.Packet
	for range 40 {
		ops := make([]transfers.Op, 1+random.IntN(30))
		for i := range ops {
			switch {
			case len(held) == 0 || random.IntN(3) == 0:
				ops[i] = transfers.PrepareOp(f.packet(1+random.Uint64N(100), 1))
			case random.IntN(2) == 0:
				ops[i] = transfers.FulfillOp(held[random.IntN(len(held))])
			default:
				ops[i] = transfers.RejectOp(held[random.IntN(len(held))])
			}
		}
		results, _ := f.recorder.RecordAll(t.Context(), ops...)
		for _, r := range results {
			if r.Outcome == ledger.OutcomeIDBurnt {
				r.Outcome = ledger.OutcomeRefused
			}
			want[r.Outcome]++
			if r.Kind == transfers.KindPrepare && r.Err == nil {
				held = append(held, r.Packet)
			}
		}
	}
	require.NoError(t, f.recorder.Flush(t.Context()))
	got := map[ledger.Outcome]int{}
	for _, b := range log.allBatches() {
		require.GreaterOrEqual(t, b.QueueWait, time.Duration(0))
		for outcome, n := range map[ledger.Outcome]int{
			ledger.OutcomeApplied: b.Applied, ledger.OutcomeAlreadyApplied: b.AlreadyApplied,
			ledger.OutcomeRefused: b.Refused, ledger.OutcomeUnknown: b.Unknown,
		} {
			if n > 0 {
				got[outcome] += n
			}
		}
	}
	require.Equal(t, want, got)
	require.NoError(t, f.recorder.Close(t.Context()))
}

func TestStats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, slow := newStalledFixture(t, transfers.Config{Lanes: 1, MaxBacklog: 4, BacklogResume: 2})
		require.Equal(t, transfers.Stats{BacklogMax: 4}, f.recorder.Stats())
		submit := func() {
			_, err := f.recorder.Submit(t.Context(), transfers.PrepareOp(f.packet(1, 1)))
			require.NoError(t, err)
		}
		submit()
		<-slow.requests
		submit()
		submit()
		require.Equal(t, transfers.Stats{Backlog: 3, BacklogMax: 4, InFlight: 1}, f.recorder.Stats())
		submit()
		require.Equal(t, transfers.Stats{Backlog: 4, BacklogMax: 4, BacklogFull: true, InFlight: 1}, f.recorder.Stats())
		slow.proceed <- nil
		<-slow.requests
		synctest.Wait()
		require.Equal(t, transfers.Stats{Backlog: 3, BacklogMax: 4, BacklogFull: true, InFlight: 3}, f.recorder.Stats(), "not down to BacklogResume yet")
		slow.proceed <- nil
		synctest.Wait()
		require.Equal(t, transfers.Stats{BacklogMax: 4}, f.recorder.Stats())
		require.NoError(t, f.book.SuspendPeer(t.Context(), f.alice))
		advanceTime(2 * f.book.SuspensionPollInterval())
		require.Equal(t, 1, f.recorder.Stats().SuspendedPeers)
		slow.closeAll(t, f)
		require.Equal(t, transfers.Stats{BacklogMax: 4, SuspendedPeers: 1}, f.recorder.Stats(), "also after Close")
	})
}
