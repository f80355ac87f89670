package aggregate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/internal/retryledger"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// Recorder records operations on packets in rounds. All methods may be called concurrently.
// Several recorders, each with its own journal, may work on the same ledger; a packet must be
// resolved by the recorder that prepared it.
//
// A Recorder owns goroutines until [Recorder.Close].
type Recorder struct {
	cfg     Config
	book    *accounts.Book
	ledger  ledger.Ledger
	journal *journal

	mu      sync.Mutex
	machine *machine
	clock   clock
	closed  bool          // no more operations
	flushes []flushWaiter // of Flush
	failed  bool          // Events.Stopped was called
	backlog backlog

	packetIDs chart.PacketIDs
	wake      chan struct{} // holds one token: the machine may have a request
	closeOnce sync.Once
	loopDone  chan struct{} // closed when runRounds has ended
	clockDone chan struct{} // closed when runClock has ended

	checkpointing chan struct{} // has room for one token: a checkpoint is being written
	closeErr      error         // set before loopDone is closed
	ctx           context.Context
	cancel        context.CancelCauseFunc

	canceledCtx context.Context // ended from the start: asks the log without waiting

	withArrears map[accounts.PeerAccount]struct{} // have arrears accounts; of the loop alone
	trace       roundTrace                        // of the loop alone
}

// flushWaiter waits until the ledger has the fulfills up to a number.
type flushWaiter struct {
	through uint64
	done    chan struct{}
}

// NewRecorder starts a recorder for packets between the peers of a book. It creates the transit
// accounts, and books the fulfills that an earlier recorder left in [Config].JournalFolder with the
// first round. NewRecorder returns when the ledger has answered, or the context has ended.
//
// The error is of [Config.Validate], matches [transfers.ErrJournal], [ErrOldJournal]
// or [ErrRequestSize], or is of a request. Close the recorder before the ledger.
func NewRecorder(ctx context.Context, l ledger.Ledger, book *accounts.Book, cfg Config) (*Recorder, error) {
	return newRecorder(ctx, l, book, cfg, defaultCheckpointInterval)
}

func newRecorder(ctx context.Context, l ledger.Ledger, book *accounts.Book, cfg Config, checkpointInterval int64) (*Recorder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := checkRequestSize(ctx, l, cfg.RequestSize); err != nil {
		return nil, err
	}
	if err := ensureTransit(ctx, book); err != nil {
		return nil, err
	}
	r := &Recorder{
		cfg: cfg, book: book, ledger: l, clock: newClock(cfg.Clock), wake: make(chan struct{}, 1), checkpointing: make(chan struct{}, 1),
		loopDone: make(chan struct{}), clockDone: make(chan struct{}), withArrears: make(map[accounts.PeerAccount]struct{}),
	}
	if err := r.openMachine(ctx, checkpointInterval); err != nil {
		return nil, err
	}
	if err := r.recoverMachine(ctx); err != nil {
		return nil, errors.Join(err, r.journal.close())
	}
	//nolint:forbidigo // requests serve many callers: Close ends them, and no caller's context
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	var cancel context.CancelFunc
	r.canceledCtx, cancel = context.WithCancel(r.ctx)
	cancel()
	go r.runClock()
	go r.runRounds()
	return r, nil
}

// checkRequestSize asks the ledger whether it takes requests of n events. The events are invalid and
// change nothing.
func checkRequestSize(ctx context.Context, l ledger.Ledger, n int) error {
	_, err := retryledger.Ledger{Ledger: l}.CreateTransfers(ctx, make([]ledger.Transfer, n))
	if errors.Is(err, ledger.ErrTooMuchData) {
		return fmt.Errorf("%w than RequestSize, %d: %w", ErrRequestSize, n, err)
	}
	return err
}

// ensureTransit creates the transit accounts. While answers are lost, it tries again.
func ensureTransit(ctx context.Context, book *accounts.Book) (err error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		if err = book.EnsureTransit(ctx); !errors.Is(err, ledger.ErrOutcomeUnknown) || !waitPause(ctx, pause) {
			return err
		}
	}
}

// openMachine opens the journal and restores the machine from it.
func (r *Recorder) openMachine(ctx context.Context, checkpointInterval int64) (err error) {
	r.journal = &journal{
		folder: r.cfg.JournalFolder, checkpointInterval: checkpointInterval, retention: r.cfg.ArchiveRetention,
		memory: r.cfg.HoldMargin + r.cfg.Horizon, maxUnsynced: maxUnsyncedBytes,
	}
	newID := func() ledger.ID { return chart.TimedID(time.Unix(0, r.clock.last.wall)) }
	r.machine = newMachine(r.book, r.cfg.rules(r.book.SuspensionPollInterval()), r.journal, newID, r.clock.now())
	replay := &replayer{machine: r.machine, namespace: r.book.Namespace(), account: r.book.AccountIn}
	if err := r.journal.open(replay); err != nil {
		return err
	}
	r.journal.number = r.machine.rules.journal
	if !replay.ownerRead {
		// On disk before the first request: the next recorder finds this one's reservations by the number.
		r.machine.appendRecord(packetlog.KindOwner, encodeOwner(r.machine.rules.journal, r.book.Namespace()))
		if err := r.syncAttempt(ctx); err != nil {
			return errors.Join(err, r.journal.close())
		}
		return nil
	}
	if err := replay.restore(); err != nil {
		return errors.Join(r.journal.wrapError(err), r.journal.close())
	}
	if err := r.journal.restoreRecent(replay); err != nil {
		return errors.Join(err, r.journal.close())
	}
	return nil
}

// recoverMachine sends the machine's requests until it takes operations.
func (r *Recorder) recoverMachine(ctx context.Context) (err error) {
	defer func() { r.leaveRoundTrace(err) }()
	for !r.machine.isReady() {
		request := r.machine.nextRequest(r.clock.now())
		r.startRoundTrace(ctx, r.machine.describeStart())
		if request == nil {
			if r.machine.stopped != nil {
				return r.machine.stopped
			}
			if err := r.syncAttempt(ctx); err != nil {
				return err
			}
			continue
		}
		if err := r.sendRequest(ctx, request); err != nil {
			return err
		}
	}
	return nil
}

// clock reads the time. Its owner's lock protects it.
type clock struct {
	wall func() time.Time // nil: time.Now
	last moment           // at which both clocks were read
	read time.Time        // of last
}

// wallInterval is how much later, by the monotonic clock, a jump of the wall clock is noticed at the most.
const wallInterval = time.Millisecond

func newClock(wall func() time.Time) clock {
	c := clock{wall: wall, read: time.Now()}
	c.last.wall = c.wallAt(c.read)
	return c
}

// wallAt returns the wall clock, in ns since the Unix epoch. now is the time just read.
func (c *clock) wallAt(now time.Time) int64 {
	if c.wall == nil {
		return now.UnixNano()
	}
	return c.wall().UnixNano()
}

// now returns the moment. Go's monotonic clock may stand still while the machine is suspended, and
// the wall clock may jump, so the step of the larger one counts: a reservation must never seem
// younger than it is. One clock is read in less than half of the time of two, so the wall clock is read
// once in an interval.
func (c *clock) now() moment {
	if passed := time.Since(c.read); c.wall == nil && passed < wallInterval {
		return moment{wall: c.last.wall + int64(passed), mono: c.last.mono + passed}
	}
	read := time.Now()
	wall := c.wallAt(read)
	step := max(read.Sub(c.read), time.Duration(wall-c.last.wall))
	c.last, c.read = moment{wall: wall, mono: c.last.mono + max(step, 0)}, read
	return c.last
}

// Prepare decides whether the sender's headroom covers the packet, in memory if the sender's
// reservation has room. Keep [transfers.Result].Packet. See [Recorder.Record].
func (r *Recorder) Prepare(ctx context.Context, p transfers.Packet) (transfers.Result, error) {
	op := transfers.PrepareOp(p)
	return r.record(ctx, &op)
}

// Fulfill books a packet and returns when the fulfill is in the journal on disk. The next round
// writes it. p is the Packet of the prepare's result; a packet that a restart has forgotten is
// booked by its own fields. Pass a context that outlives the sender's. See [Recorder.Record].
func (r *Recorder) Fulfill(ctx context.Context, p transfers.Packet) (transfers.Result, error) {
	op := transfers.FulfillOp(p)
	return r.record(ctx, &op)
}

// Reject ends the hold of a packet and returns when the reject is in the journal on disk. Rejects
// of expired and of forgotten packets succeed. See [Recorder.Record].
func (r *Recorder) Reject(ctx context.Context, p transfers.Packet) (transfers.Result, error) {
	op := transfers.RejectOp(p)
	return r.record(ctx, &op)
}

// Forward books an already fulfilled packet without a prepare, as Fulfill does. See
// [Recorder.Record].
func (r *Recorder) Forward(ctx context.Context, p transfers.Packet) (transfers.Result, error) {
	op := transfers.ForwardOp(p)
	return r.record(ctx, &op)
}

// Record records one operation and waits for its result. The error is the Result's: nil if the
// operation is recorded, now or before. Otherwise the error matches:
//
//	transfers.ErrPacket, ErrAmounts,          not recorded: correct the operation
//	 ErrHoldTooShort, accounts.ErrUnknownAsset
//	transfers.ErrCreditLine, ErrInArrears,    not recorded: reject the PREPARE (transfers.ILPCode)
//	 ErrPayableCap, ErrInFlightShare,
//	 ErrLiquidity, ErrPacketTooLarge,
//	 ErrRateLimited, accounts.ErrSuspended,
//	 ErrPeerClosed, ErrNotProvisioned
//	transfers.ErrPacketConflict               resolved by the opposite operation before
//	ledger.ErrIDConflict                      the id belongs to another packet
//	ErrTooLate                                not recorded: the horizon has passed
//	transfers.ErrBacklogFull                  not recorded: ctx ended while the disk was behind
//	transfers.ErrRecorderClosed, ErrStopped   not recorded: record with the next recorder
//	transfers.ErrAbandoned                    a prepare whose ctx ended: do not forward the packet
//	ledger.ErrOutcomeUnknown                  unknown: record the same packet again
//
// A result comes before the round. So BookedAt is not set. Late means that the sender's reservation did
// not cover the packet, and ShortfallUnknown is then set too: a new reservation may cover the packet until its
// round is cut, and otherwise the round charges the sender's arrears. [Events].Late reports the packets of
// such senders, and [Events].Round the amounts.
func (r *Recorder) Record(ctx context.Context, op transfers.Op) (transfers.Result, error) {
	return r.record(ctx, &op)
}

// record is Record for an operation that no caller keeps.
func (r *Recorder) record(ctx context.Context, op *transfers.Op) (result transfers.Result, err error) {
	o, err := r.submitOp(ctx, op)
	if err != nil {
		return unrecorded(op, err), err
	}
	result = r.waitOrAbandon(ctx, op, &o)
	return result, result.Err
}

// Submit hands an operation over. The order of submissions is the order of recording. The errors are
// transfers.ErrBacklogFull and transfers.ErrRecorderClosed; all others are in the Future's result.
//
// [transfers.Future.Wait] waits for the decision of a prepare, and until a fulfill or reject is on
// disk: until then a crash may lose it. Journaled waits as long, and returns the result's error.
func (r *Recorder) Submit(ctx context.Context, op transfers.Op) (transfers.Future, error) {
	o, err := r.submitOp(ctx, &op)
	if err != nil {
		return transfers.Future{}, err
	}
	return r.futureOf(&op, &o), nil
}

// submitOp waits for the disk, and hands an operation over to the machine.
func (r *Recorder) submitOp(ctx context.Context, op *transfers.Op) (operation, error) {
	if err := r.waitForSpace(ctx); err != nil {
		return operation{}, err
	}
	return r.submit(op)
}

// submit hands an operation over to the machine.
func (r *Recorder) submit(op *transfers.Op) (o operation, err error) {
	op.Packet.Expiry = op.Packet.Expiry.Round(0) // by the wall clock alone
	generated := op.Packet.ID.IsZero() && (op.Kind == transfers.KindPrepare || op.Kind == transfers.KindForward)
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return operation{}, transfers.ErrRecorderClosed
	}
	now := r.clock.now()
	if generated {
		op.Packet.ID = r.packetIDs.NextID(time.Unix(0, now.wall))
	}
	reply, later := r.machine.submit(now, op)
	if later == nil {
		o.reply = reply
		r.machine.counts.countReply(op.Kind, &reply)
	} else {
		o.call = &call{recorder: r, op: *op, generated: generated, done: make(chan struct{})}
		later.token = o.call
	}
	work := r.takeWork()
	r.mu.Unlock()
	r.publish(work)
	return o, nil
}

// TrySubmit is Submit without waiting for the disk: the error matches [transfers.ErrBacklogFull] if it
// is too far behind.
func (r *Recorder) TrySubmit(op transfers.Op) (transfers.Future, error) {
	o, err := r.submitOp(r.canceledCtx, &op)
	if err != nil {
		return transfers.Future{}, err
	}
	return r.futureOf(&op, &o), nil
}

// RecordAll records operations in order and waits for all results, in the order of the operations.
// The error joins the errors of all.
func (r *Recorder) RecordAll(ctx context.Context, ops ...transfers.Op) ([]transfers.Result, error) {
	results := make([]transfers.Result, len(ops))
	submitted := make([]operation, len(ops))
	errs := make([]error, len(ops))
	ops = slices.Clone(ops) // the machine completes the packets
	for i := range ops {
		if submitted[i], errs[i] = r.submitOp(ctx, &ops[i]); errs[i] != nil {
			results[i] = unrecorded(&ops[i], errs[i])
		}
	}
	for i := range submitted {
		if errs[i] == nil {
			results[i] = r.waitOrAbandon(ctx, &ops[i], &submitted[i])
			errs[i] = results[i].Err
		}
	}
	return results, errors.Join(errs...)
}

func unrecorded(op *transfers.Op, err error) transfers.Result {
	return transfers.Result{Kind: op.Kind, Packet: op.Packet, Outcome: ledger.OutcomeRefused, Err: err}
}

// Flush waits until the ledger has all fulfills submitted before the call. The error is the
// context's, or the recorder's if it has stopped or was closed.
func (r *Recorder) Flush(ctx context.Context) error {
	w := flushWaiter{done: make(chan struct{})}
	r.mu.Lock()
	w.through = r.machine.summed
	r.machine.flushTo = w.through
	r.flushes = append(r.flushes, w)
	work := r.takeWork()
	r.mu.Unlock()
	work.wake = true
	r.publish(work)
	select {
	case <-w.done:
	case <-r.loopDone:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.machine.through >= w.through {
		return nil
	}
	return cmp.Or(r.machine.stopped, transfers.ErrRecorderClosed)
}

// Close refuses new operations, writes all fulfills, and releases what is reserved and not held by
// packets. If ctx ends first, the rest stays in the journal for the next recorder, and the error
// matches the context's; without a journal it is lost. Close may be called again and returns the
// same.
func (r *Recorder) Close(ctx context.Context) error {
	r.closeOnce.Do(func() {
		r.mu.Lock()
		r.closed = true
		r.machine.close()
		work := r.takeWork()
		r.mu.Unlock()
		work.wake = true
		r.publish(work)
	})
	select {
	case <-r.loopDone:
	case <-ctx.Done():
		r.cancel(context.Cause(ctx))
		<-r.loopDone
	}
	return r.closeErr
}
