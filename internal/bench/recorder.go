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

// recording is a recorder of one measurement, with what is attached to it.
type recording struct {
	recorder *transfers.Recorder
	engine   *settlement.Engine // nil without one
	journal  string             // a folder; "" without one

	operations, requests atomic.Int64 // as Events.Batch tells
	orders               atomic.Int64
	failed               atomic.Pointer[error] // of the engine or the journal, the last one
}

// startRecording starts a recorder for the peers of a market. The engine, if there is one, pays a
// peer when it is owed at.
func (m *workload) startRecording(ctx context.Context, l ledger.Ledger, s scenario, at ledger.Amount) (*recording, error) {
	book, err := accounts.NewBook(l, m.cfg)
	if err != nil {
		return nil, err
	}
	r := &recording{}
	cfg := transfers.Config{Lanes: s.lanes, Events: transfers.Events{
		Batch: r.countBatch, Journal: r.noteFailure, Replayed: func([]transfers.Result) {}, // the folder is a new one
	}}
	if s.settle {
		if r.engine, err = settlement.NewEngine(l, book, r.startEngine(at)); err != nil {
			return nil, err
		}
		cfg.Events.BalancesChanged = r.engine.NotifyBalances
	}
	if s.journal {
		// Where the folder is decides how fast its disk is.
		if r.journal, err = os.MkdirTemp("", "peerledger-bench-"); err != nil {
			return nil, errors.Join(err, r.closeRecording(ctx))
		}
		cfg.Journal = r.journal
	}
	if r.recorder, err = transfers.NewRecorder(l, book, cfg); err != nil {
		return nil, errors.Join(err, r.closeRecording(ctx))
	}
	return r, nil
}

// settleAt is what a peer is owed when it is paid, in units. If it is not given, it is about
// as far as a position strays when peers send as much as they receive: so the engine looks
// at balances after every batch, and a measurement sees a few payments and not thousands.
func settleAt(given uint64, packets, peers int) ledger.Amount {
	if given > 0 {
		return ledger.NewAmount(unit * given)
	}
	ofEach := 2 * float64(packets) / float64(peers)
	return ledger.NewAmount(unit * uint64(max(10, math.Sqrt(ofEach))))
}

// startEngine is an engine whose rail pays at once.
func (r *recording) startEngine(at ledger.Amount) settlement.Config {
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

// closeWithin is how long the recorder may take to end, also when the run was
// interrupted.
const closeWithin = 10 * time.Second

// closeRecording ends the recorder and what is attached to it, also one that is half made. The
// error tells of their faults too.
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

// recorderRun writes packets through a recorder.
type recorderRun struct {
	recorder  *transfers.Recorder
	traffic   traffic
	phase     phase
	quota     *quota
	latencies *latencies
}

// firstOperation is the first operation of packet i.
func (r *recorderRun) firstOperation(i int64) transfers.Op {
	from, to := r.traffic.peersOf(i)
	p := transfers.Packet{From: from, To: to, In: unit, Out: unit, Hold: holdSeconds * time.Second}
	binary.BigEndian.PutUint64(p.Condition[:8], conditionTag(i))
	if r.phase == phaseSingle {
		return transfers.ForwardOp(p)
	}
	return transfers.PrepareOp(p)
}

// recordAll is many goroutines that wait for each answer.
func (r *recorderRun) recordAll(callers int) (workers []worker) {
	for i := range callers {
		w := r.latencies.newWatch(i, callers)
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

func (r *recorderRun) recordOne(ctx context.Context, w watch, i int64) error {
	op := r.firstOperation(i)
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
