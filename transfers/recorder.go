package transfers

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Recorder records operations on packets in batches. All methods may be called
// concurrently. Several recorders, in a single process or many, may work on the same
// ledger, and resolve each other's packets.
//
// A Recorder owns some goroutines for each lane and for the journal, until
// [Recorder.Close].
type Recorder struct {
	cfg             Config
	assets          map[uint32]*assetInfo // by ledger number
	ids             chart.PacketIDs
	lanes           []*lane
	backlog         *backlog
	admission       *admission
	arrearsAccounts *arrearsAccounts
	journal         *journal // nil without Config.JournalFolder
	slotPool        resultSlotPool
	callPool        recordCallPool
	operationTracer OperationTracer // Config.Tracer, if it follows operations; else nil

	ledgerClosed atomic.Bool
	closeOnce    sync.Once
	refresher    sync.WaitGroup          // admission.runRefresher, until ctx ends
	lanesDone    chan struct{}           // closed when every lane has ended
	journalErr   error                   // of closing the journal; set before lanesDone is closed
	ctx          context.Context         // of all requests; ended by Close, with the reason
	cancel       context.CancelCauseFunc // of ctx
}

// NewRecorder starts a recorder for packets between the peers of a book. Fulfills
// left in [Config].JournalFolder by an earlier recorder are enqueued first; [Events].Replayed
// reports the results.
//
// The error is an error of [Config.Validate], or matches [ErrJournal]. After an error
// nothing has changed. Close the recorder before the ledger.
func NewRecorder(l ledger.Ledger, book *accounts.Book, cfg Config) (*Recorder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	r := &Recorder{
		cfg: cfg, assets: make(map[uint32]*assetInfo), lanesDone: make(chan struct{}),
		backlog:         newBacklog(cfg.MaxBacklog, cfg.BacklogResume, cfg.Events.BacklogFull),
		arrearsAccounts: newArrearsAccounts(book),
	}
	r.operationTracer = operationTracerOf(cfg.Tracer)
	//nolint:forbidigo // requests serve many callers: Close ends them, and no caller's context
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	r.admission = newAdmission(book, &cfg, r.ctx.Done())
	for _, a := range book.Assets() {
		ids, _ := book.AssetIDs(a.Ledger)
		r.assets[a.Ledger] = &assetInfo{asset: a, ids: ids, allowLoss: a.AllowLoss, book: book}
	}
	for i := range cfg.Lanes {
		r.lanes = append(r.lanes, newLane(i, l, r))
	}
	if cfg.JournalFolder != "" {
		pending, err := r.openJournal(book)
		if err != nil {
			r.cancel(err)
			return nil, err
		}
		r.replayFulfills(pending)
	}
	r.startGoroutines()
	return r, nil
}

func (r *Recorder) startGoroutines() {
	r.refresher.Go(func() { r.admission.runRefresher(r.ctx) })
	var running sync.WaitGroup
	for _, ln := range r.lanes {
		running.Go(func() { ln.sender.runSender(r.ctx) })
		running.Go(ln.publisher.runPublisher)
	}
	go func() {
		running.Wait()
		r.journalErr = r.journal.closeLog()
		close(r.lanesDone)
	}()
}

// Flush waits until every operation submitted before the call has a result. The
// error is the context's.
func (r *Recorder) Flush(ctx context.Context) error {
	marks := make([]resultSlot, len(r.lanes))
	for i, ln := range r.lanes {
		if !ln.addFlushMark(&marks[i]) {
			// The lane is closed: when all lanes have ended, everything is answered.
			select {
			case <-r.lanesDone:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	for i := range marks {
		if !marks[i].waitPublished(ctx) {
			return context.Cause(ctx)
		}
	}
	return nil
}

// Close refuses new operations and waits until all submitted operations are
// answered. If ctx ends first, the requests under way are given up and the error contains a
// [*CloseError] with the operations of unknown outcome and those never sent.
//
// With [Config].JournalFolder, fulfills without an answer stay in the journal for the next
// recorder. The error matches [ErrJournal] if the journal's last write failed. Close
// waits for the journal's disk even when ctx has ended.
//
// Close may be called again, also while another Close waits: the first context that
// ends cuts both waits short, and all calls return the same.
func (r *Recorder) Close(ctx context.Context) error {
	r.closeOnce.Do(r.backlog.close)
	for _, ln := range r.lanes {
		ln.inbox.close()
	}
	select {
	case <-r.lanesDone:
		r.cancel(ErrRecorderClosed)
	case <-ctx.Done():
		r.cancel(context.Cause(ctx))
		<-r.lanesDone
	}
	r.refresher.Wait()
	left := &CloseError{}
	for _, ln := range r.lanes {
		ln.sender.reportAbandoned(left)
	}
	if len(left.UnknownOps)+len(left.UnsentOps) == 0 {
		return r.journalErr
	}
	if deadline := context.Cause(r.ctx); deadline != ErrRecorderClosed { //nolint:errorlint // set above, as it is
		left.Deadline = deadline
	}
	return errors.Join(left, r.journalErr)
}

// laneOf returns the lane of a packet, the same for all operations on the packet.
func (r *Recorder) laneOf(id ledger.ID) *lane {
	mixed := (id.Lo>>(phaseBits+legShift) ^ id.Hi) * 0x9e3779b97f4a7c15
	return r.lanes[(mixed>>32)%uint64(len(r.lanes))]
}
