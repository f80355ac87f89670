package bench

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// A worker submits packets by the chunk. It has so many chunks whose packets are open, and so many
// whose fulfills are on their way to the disk.
const (
	chunkSize      = 256
	openChunks     = 32
	resolvedChunks = 256
)

// fulfillEvery is the sampling interval of fulfills: a goroutine waits for each sampled one.
const fulfillEvery = 1024

// roundsRun writes packets through recorders in rounds.
type roundsRun struct {
	recording *roundsRecording
	traffic   traffic
	quota     *quota
	rate      float64 // packets per second of all workers; 0: as fast as possible

	prepares *latencies
	atOnce   *latencies // of the prepares: those decided at once
	topUps   *latencies // of the prepares: those decided after a top-up, since the start
	fulfills *latencies // until on disk
}

func newRoundsRun(r *roundsRecording, t traffic, q *quota, rate float64) *roundsRun {
	n := len(r.recorders)
	return &roundsRun{
		recording: r, traffic: t, quota: q, rate: rate,
		prepares: newLatencies(n), atOnce: newLatencies(n), topUps: newLatencies(n), fulfills: newLatencies(n),
	}
}

// submitAll returns a worker for each recorder.
func (r *roundsRun) submitAll() (workers []worker) {
	for i, recorder := range r.recording.recorders {
		w := &roundsWorker{
			run: r, recorder: recorder, prefix: drawPrefix(),
			prepares: futureTimer{
				callTimer{r.prepares.selectShard(i), sampleEvery}, r.atOnce.selectShard(i), r.topUps.selectShard(i),
			},
			fulfills: futureTimer{callTimer: callTimer{r.fulfills.selectShard(i), fulfillEvery}},
		}
		workers = append(workers, w.submitPackets)
	}
	return workers
}

// drawPrefix draws the upper half of the ids of a worker. Never 0.
func drawPrefix() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:]) | 1
}

func (r *roundsRun) computePaced() (p pacedSample) {
	p.prepareP50, p.prepareP99, _ = r.atOnce.computePercentiles()
	p.topUps = r.topUps.countLatencies()
	p.topUpP50, p.topUpP99, _ = r.topUps.computePercentiles()
	p.fulfillP50, p.fulfillP99, _ = r.fulfills.computePercentiles()
	return p
}

// chunk is some packets in a row, prepared.
type chunk struct {
	first   int64 // number of the first packet
	count   int64
	futures [chunkSize]transfers.Future
}

// roundsWorker is the state of one worker. Its chunks have numbers: awaited <= fulfilled <= prepared.
type roundsWorker struct {
	run      *roundsRun
	recorder *aggregate.Recorder
	prefix   uint64 // of the ids

	open     [openChunks]chunk
	resolved [resolvedChunks]transfers.Future // of each chunk the last fulfill: the journal has an order

	prepared, fulfilled, awaited int // chunks
	ended                        bool

	prepares, fulfills futureTimer
	watchers           sync.WaitGroup
	began              time.Time       // of the pace
	canceled           context.Context // ended from the start: asks futures without waiting
}

func (w *roundsWorker) submitPackets(ctx context.Context) (err error) {
	watching, cancel := context.WithCancel(ctx)
	defer w.watchers.Wait()
	defer cancel()
	canceled, cancelNow := context.WithCancel(ctx)
	cancelNow()
	w.began, w.canceled = time.Now(), canceled
	for err == nil {
		switch open := w.prepared - w.fulfilled; {
		case !w.ended && open < openChunks:
			err = w.prepareChunk(ctx, watching)
		case open > 0 && w.fulfilled-w.awaited < resolvedChunks:
			err = w.fulfillOldest(ctx, watching)
		case w.fulfilled > w.awaited:
			err = w.awaitOldest(ctx)
		default:
			w.watchers.Wait()
			return w.recorder.Flush(ctx)
		}
	}
	return err
}

// prepareChunk submits the prepares of the next packets.
func (w *roundsWorker) prepareChunk(ctx, watching context.Context) (err error) {
	w.awaitTurn(ctx)
	c := &w.open[w.prepared%openChunks]
	if c.first, c.count = w.run.quota.takePackets(chunkSize); c.count == 0 {
		w.ended = true
		return nil
	}
	w.prepared++
	expiry := time.Now().Add(packetLife)
	for i := range c.count {
		op := transfers.Op{Kind: transfers.KindPrepare}
		w.fillPacket(&op.Packet, c.first+i, expiry)
		began := w.prepares.startTimer(c.first + i)
		if c.futures[i], err = w.recorder.Submit(ctx, op); err != nil {
			return err
		}
		if !began.IsZero() {
			w.stopTimer(watching, w.prepares, c.futures[i], began)
		}
	}
	return nil
}

// awaitTurn waits until the pace is due for the next chunk.
func (w *roundsWorker) awaitTurn(ctx context.Context) {
	if w.run.rate == 0 {
		return
	}
	ofWorker := w.run.rate / float64(len(w.run.recording.recorders))
	due := time.Duration(float64(w.prepared*chunkSize) / ofWorker * float64(time.Second))
	if pause := due - time.Since(w.began); pause > 0 {
		waitFor(ctx, pause)
	}
}

func (w *roundsWorker) fillPacket(p *transfers.Packet, i int64, expiry time.Time) {
	p.ID = ledger.NewID(uint64(i+1)<<8, w.prefix)
	p.From, p.To = w.run.traffic.choosePeers(i)
	p.In, p.Out, p.Expiry = unit, unit, expiry
	tag := computeConditionTag(i)
	for at := 0; at < len(p.Condition); at += 8 { // the archive must not find zeros
		binary.LittleEndian.PutUint64(p.Condition[at:], tag)
		tag = (tag ^ tag>>29) * 0xbf58476d1ce4e5b9
	}
}

// futureTimer times futures. Besides the shard of all, it may have shards for results that are there
// at once, and for later ones.
type futureTimer struct {
	callTimer
	atOnce, later *latencyShard // nil: not recorded
}

func (t futureTimer) record(took time.Duration, part *latencyShard) {
	t.shard.recordLatency(took)
	if part != nil {
		part.recordLatency(took)
	}
}

// stopTimer records the time since began when the result is there. A goroutine waits for a result
// that is not there at once.
func (w *roundsWorker) stopTimer(watching context.Context, t futureTimer, f transfers.Future, began time.Time) {
	if !errors.Is(f.Wait(w.canceled).Err, ledger.ErrOutcomeUnknown) {
		t.record(time.Since(began), t.atOnce)
		return
	}
	w.watchers.Go(func() {
		if f.Wait(watching).Err == nil {
			t.record(time.Since(began), t.later)
		}
	})
}

// fulfillOldest submits the fulfills of the oldest open packets.
func (w *roundsWorker) fulfillOldest(ctx, watching context.Context) error {
	c := &w.open[w.fulfilled%openChunks]
	for i := range c.count {
		held := c.futures[i].Wait(ctx)
		if held.Err != nil {
			return held.Err
		}
		began := w.fulfills.startTimer(c.first + i)
		resolved, err := w.recorder.Submit(ctx, transfers.FulfillOp(held.Packet))
		if err != nil {
			return err
		}
		if !began.IsZero() {
			w.stopTimer(watching, w.fulfills, resolved, began)
		}
		w.resolved[w.fulfilled%resolvedChunks] = resolved
	}
	w.fulfilled++
	return nil
}

// awaitOldest waits until the oldest chunk's fulfills are on disk. The books verify each of them.
func (w *roundsWorker) awaitOldest(ctx context.Context) error {
	last := w.resolved[w.awaited%resolvedChunks]
	w.awaited++
	return last.Wait(ctx).Err
}
