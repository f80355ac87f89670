package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"sync/atomic"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// recording is the [transfers.Recorder] of one measurement, with its engine and journal.
type recording struct {
	recorder *transfers.Recorder
	engine   *settlement.Engine // nil: no engine
	journal  string             // a folder; "": no journal

	operations, requests atomic.Int64 // counted by Events.Batch
	orders               atomic.Int64
	failed               atomic.Pointer[error] // the last error of the engine or the journal
}

// startRecording starts a recorder for the peers of w. The engine, if the scenario has one, pays a
// peer when we owe it at.
func (w *workload) startRecording(ctx context.Context, l ledger.Ledger, s scenario, at ledger.Amount) (*recording, error) {
	book, err := accounts.NewBook(l, w.cfg)
	if err != nil {
		return nil, err
	}
	r := &recording{}
	cfg := transfers.Config{Lanes: s.lanes, Events: transfers.Events{
		Batch: r.countBatch, JournalFailed: r.noteFailure, Replayed: func([]transfers.Result) {}, // never called: the folder is new
	}}
	if s.settle {
		if r.engine, err = settlement.NewEngine(l, book, r.newEngineConfig(at)); err != nil {
			return nil, err
		}
		cfg.Events.BalancesChanged = r.engine.NotifyBalances
	}
	if s.journal {
		// The folder determines the disk, and so the speed of the journal.
		if r.journal, err = os.MkdirTemp("", "peerledger-bench-"); err != nil {
			return nil, errors.Join(err, r.closeRecording(ctx))
		}
		cfg.JournalFolder = r.journal
	}
	if r.recorder, err = transfers.NewRecorder(l, book, cfg); err != nil {
		return nil, errors.Join(err, r.closeRecording(ctx))
	}
	return r, nil
}

// computeThreshold returns the settlement threshold in units, given in packets. The default for 0
// is about the distance that a position strays when peers send as much as they receive. The engine
// then looks at balances after every batch, and a measurement has a few payments, not thousands.
func computeThreshold(given uint64, packets, peers int) ledger.Amount {
	if given > 0 {
		return ledger.NewAmount(unit * given)
	}
	ofEach := 2 * float64(packets) / float64(peers)
	return ledger.NewAmount(unit * uint64(max(10, math.Sqrt(ofEach))))
}

// newEngineConfig configures a [settlement.Engine] with a rail that pays at once.
func (r *recording) newEngineConfig(at ledger.Amount) settlement.Config {
	atOnce := settlement.SettlerFunc(func(_ context.Context, order settlement.Order) (ledger.Amount, error) {
		return order.Amount, nil
	})
	return settlement.Config{
		Rails:    settlement.Rails{Default: &settlement.Rail{Settler: atOnce}},
		Policies: settlement.Policies{Default: settlement.Threshold{SettleThreshold: at}},
		Events:   settlement.Events{Paid: func(settlement.Payment) { r.orders.Add(1) }, Failed: r.noteFailure},
	}
}

func (r *recording) countBatch(b transfers.Batch) {
	r.operations.Add(int64(b.Operations))
	r.requests.Add(int64(b.Requests))
}

func (r *recording) noteFailure(err error) { r.failed.Store(&err) }

// closeWithin is the time for closing the recorder, also after an interrupt.
const closeWithin = 10 * time.Second

// closeRecording closes the recorder, the engine and the journal, even after a failed start. The
// error includes the last error of the engine or the journal.
func (r *recording) closeRecording(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	var errs []error
	if r.recorder != nil {
		errs = append(errs, r.recorder.Close(ctx))
	}
	if r.engine != nil {
		errs = append(errs, r.engine.Close(ctx))
	}
	if r.journal != "" {
		errs = append(errs, os.RemoveAll(r.journal))
	}
	if failed := r.failed.Load(); failed != nil {
		errs = append(errs, *failed)
	}
	return errors.Join(errs...)
}

// recorderRun writes packets through a [transfers.Recorder].
type recorderRun struct {
	recorder  *transfers.Recorder
	traffic   traffic
	phase     phase
	quota     *quota
	latencies *latencies

	held func(i int64, p transfers.Packet) // learns the packets whose holds are in the ledger, from submitters; nil: no one does
}

// newFirstOperation returns the first operation of packet i.
func (r *recorderRun) newFirstOperation(i int64) transfers.Op {
	from, to := r.traffic.choosePeers(i)
	p := transfers.Packet{From: from, To: to, In: unit, Out: unit, Hold: holdSeconds * time.Second}
	binary.BigEndian.PutUint64(p.Condition[:8], computeConditionTag(i))
	if r.phase == phaseSingle {
		return transfers.ForwardOp(p)
	}
	return transfers.PrepareOp(p)
}

// recordAll returns one worker per caller. Each waits for every answer of
// [transfers.Recorder.Record].
func (r *recorderRun) recordAll(callers int) (workers []worker) {
	for i := range callers {
		w := r.latencies.newTimer(i, callers)
		workers = append(workers, func(ctx context.Context) error {
			for {
				first, n := r.quota.takePackets(1)
				if n == 0 {
					return nil
				}
				if err := r.recordOne(ctx, w, first); err != nil {
					return err
				}
			}
		})
	}
	return workers
}

func (r *recorderRun) recordOne(ctx context.Context, w callTimer, i int64) error {
	op := r.newFirstOperation(i)
	began := w.startTimer(i)
	result, err := r.recorder.Record(ctx, op)
	if err != nil {
		return err
	}
	w.stopTimer(began)
	if r.phase == phaseSingle {
		return nil
	}
	began = w.startTimer(i)
	if _, err = r.recorder.Record(ctx, transfers.FulfillOp(result.Packet)); err != nil {
		return err
	}
	w.stopTimer(began)
	return nil
}
