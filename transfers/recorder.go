package transfers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Recorder records operations on packets in batches. Its methods may be called
// concurrently. Several recorders, in one process or many, may work on one
// ledger, and resolve each other's packets.
//
// It owns some goroutines for each lane and for its journal, which Close ends.
type Recorder struct {
	cfg             Config
	assets          map[uint32]*assetOf
	ids             idSource
	lanes           []*lane
	backlog         *backlog
	admission       *admission
	arrearsAccounts *arrearsAccounts
	journal         *journal // nil if there is none
	slotPool        resultSlotPool
	callPool        recordCallPool

	ledgerClosed atomic.Bool // the ledger is closed
	closeOnce    sync.Once
	refresher    sync.WaitGroup          // the gate's loop, which ends with life
	lanesDone    chan struct{}           // closed when every lane has ended
	journalErr   error                   // what went wrong with the journal at the end; set before drained is closed
	ctx          context.Context         // of the requests; ended by Close, with the reason
	cancel       context.CancelCauseFunc // of life
}

// NewRecorder starts a recorder for packets between the peers of a book. If there
// is a journal, what is left in it is handed over first, and Events.Replayed tells
// what becomes of it. The errors are those of Config.Validate, or match ErrJournal;
// then nothing was changed. Close the recorder before the ledger.
func NewRecorder(l ledger.Ledger, book *accounts.Book, cfg Config) (*Recorder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	r := &Recorder{
		cfg: cfg, assets: make(map[uint32]*assetOf), lanesDone: make(chan struct{}),
		backlog:         newBacklog(cfg.MaxBacklog, cfg.BacklogResume, cfg.Events.BacklogFull),
		admission:       newAdmission(book, &cfg),
		arrearsAccounts: newArrearsAccounts(book),
	}
	//nolint:forbidigo // a recorder's requests serve many callers, and end with Close and with no caller's context
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	for _, a := range book.Assets() {
		ids, _ := book.AssetIDs(a.Ledger)
		r.assets[a.Ledger] = &assetOf{asset: a, ids: ids, allowLoss: a.AllowLoss, book: book}
	}
	for i := range cfg.Lanes {
		r.lanes = append(r.lanes, newLane(i, l, r))
	}
	if cfg.Journal != "" {
		owed, err := r.openJournal(book)
		if err != nil {
			r.cancel(err)
			return nil, err
		}
		r.replay(owed)
	}
	r.startGoroutines()
	return r, nil
}

func (r *Recorder) startGoroutines() {
	r.refresher.Go(func() { r.admission.runRefresher(r.ctx) })
	var running sync.WaitGroup
	for _, ln := range r.lanes {
		running.Go(func() { ln.send(r.ctx) })
		running.Go(ln.keep)
	}
	go func() {
		running.Wait()
		r.journalErr = r.journal.close()
		close(r.lanesDone)
	}()
}

// Prepare holds the packet's amounts and waits for the ledger's answer. Keep the
// Result's Packet: it is what Fulfill and Reject take. See Record.
func (r *Recorder) Prepare(ctx context.Context, p Packet) (Result, error) {
	return r.Record(ctx, PrepareOp(p))
}

// Fulfill posts what a prepare holds and waits for the ledger's answer; p is the
// packet as it was prepared, with all its amounts: another one is refused
// (ledger.ErrIDConflict), and nothing is posted. If the hold has expired a correction books it (Result.Late), also if a peer's account was closed since. See Record.
// Give it a context that outlives the sender's: the money is owed from the moment that the
// fulfillment is known.
func (r *Recorder) Fulfill(ctx context.Context, p Packet) (Result, error) {
	return r.Record(ctx, FulfillOp(p))
}

// Reject gives back what a prepare holds and waits for the ledger's answer; p is
// the packet as it was prepared, with all its amounts, as for Fulfill. If the hold has
// expired there is nothing to give back, and it is done; so it does not notice a late fulfill. See
// Record.
func (r *Recorder) Reject(ctx context.Context, p Packet) (Result, error) {
	return r.Record(ctx, RejectOp(p))
}

// Forward books a packet that was fulfilled already, in one phase, and waits for
// the ledger's answer. It is for packets that were never prepared: beside a fulfill
// it would book twice. The receiver is paid whatever the sender's line or account
// allows (Result.Late). See Record.
func (r *Recorder) Forward(ctx context.Context, p Packet) (Result, error) {
	return r.Record(ctx, ForwardOp(p))
}

// Record records one operation and waits for the ledger's answer. The error is
// the Result's: nil if the operation is in the books, now or since an earlier
// request, else
//
//   - one that matches ErrPacket, ErrAmounts, ErrHoldTooShort or
//     accounts.ErrUnknownAsset: the operation cannot be recorded. ErrBacklogFull:
//     the context ended before there was room. ErrRecorderClosed, ledger.ErrClosed, or the
//     context's own error: it was not handed over. ledger.ErrTooMuchData: the
//     ledger takes no request with as many transfers as it has legs. Nothing was
//     recorded, and nothing will be (but a fulfill with a Journal that meets Close
//     may be, by the next recorder: record it again under its own id only);
//   - one that matches accounts.ErrSuspended or ErrInArrears, or a *PacketLimitError: a new packet
//     was not taken, since a peer is suspended, its sender is in arrears, or a cap leaves no
//     room (accounts.Limits). What is
//     held already can be fulfilled and rejected. ErrLimitsNotLoaded: the context ended
//     before the caps of a peer were known. Nothing was recorded;
//   - a *RefusedError: the ledger refused. A fulfill that is refused with
//     accounts.ErrPeerClosed is taken again when the account is open, up to four times;
//     then it is refused with ledger.ErrIDSpent, and what is owed can be booked
//     with Forward under another id, when the hold has expired;
//   - ErrHoldExpired: a prepare was applied, and its hold may have ended before the
//     answer came: the packet must not be forwarded;
//   - ledger.ErrOutcomeUnknown: the context ended before the ledger had answered,
//     and the operation goes on; or the recorder or the ledger was closed first, and
//     it does not: record the same packet again, with the next recorder. When the
//     context has ended, a prepare is abandoned (ErrAbandoned):
//     its packet must not be forwarded. If the recorder drew the packet's id, it
//     gives back what the prepare came to hold, or the hold's timeout does if the
//     recorder is closed before it can. If the caller gave the id, the caller may
//     ask again with the same packet, or Reject it. A fulfill goes on even if the
//     recorder is closed or the process ends, if there is a Journal and the error
//     does not match ErrJournal.
//
// Code gives the ILP error code that fits.
func (r *Recorder) Record(ctx context.Context, op Op) (Result, error) {
	mine := r.callPool.takeCall()
	ticket, err := r.submitOp(ctx, op, &mine.slot)
	if err != nil {
		return notRecorded(op, err), err
	}
	result, final := ticket.waitOrAbandon(ctx)
	if final {
		r.callPool.putCall(mine)
	}
	return result, result.Err
}

// RecordAll records operations and waits for all answers. Operations on one
// packet are recorded in the order given; there is none between packets. The
// results are in the order of the operations; the error joins theirs, which are
// those of Record, and is nil if every operation is in the books.
func (r *Recorder) RecordAll(ctx context.Context, ops ...Op) ([]Result, error) {
	results := make([]Result, len(ops))
	tickets := make([]Future, len(ops))
	errs := make([]error, len(ops))
	for i, op := range ops {
		if tickets[i], errs[i] = r.submitOp(ctx, op, r.slotPool.takeSlot()); errs[i] != nil {
			results[i] = notRecorded(op, errs[i])
		}
	}
	for i, ticket := range tickets {
		if errs[i] == nil {
			results[i], _ = ticket.waitOrAbandon(ctx)
			errs[i] = results[i].Err
		}
	}
	return results, errors.Join(errs...)
}

// Submit hands one operation over as soon as there is room in the backlog, and
// does not wait for the ledger: the Ticket does. It does not allocate for each
// operation, but for fulfills with a Journal. The errors are those of Record that
// say that nothing was recorded.
//
// With a Journal, Submit of a fulfill also waits until it is on disk. If that
// fails (ErrJournal), or the context ends first (ledger.ErrOutcomeUnknown), the
// fulfill was handed over all the same: there is an error, which matches ErrJournal,
// and a Ticket, which tells when the money is booked.
func (r *Recorder) Submit(ctx context.Context, op Op) (Future, error) {
	ticket, err := r.submitOp(ctx, op, r.slotPool.takeSlot())
	if err != nil || ticket.journalPos == 0 {
		return ticket, err
	}
	if err := ticket.Journaled(ctx); err != nil {
		return ticket, wrapError(op.Kind, ticket.packet.ID, err)
	}
	return ticket, nil
}

// TrySubmit hands one operation over if there is room in the backlog, and answers
// ErrBacklogFull at once if there is none, or if too much is on its way to the
// Journal's disk. It never waits: Ticket.Journaled tells when a fulfill is on disk.
// Otherwise it is as Submit.
func (r *Recorder) TrySubmit(op Op) (Future, error) {
	var o operation
	if err := r.initOperation(&o, &op); err != nil {
		return Future{}, err
	}
	if op.Kind == KindFulfill && r.journal != nil && r.journal.crowded() || !r.backlog.tryAcquire(op.isPromised()) {
		return Future{}, wrapError(op.Kind, o.packet.ID, ErrBacklogFull)
	}
	o.slot = r.slotPool.takeSlot()
	return r.enqueueOperation(&o)
}

// submitOp hands an operation over whose answer goes into a slot.
func (r *Recorder) submitOp(ctx context.Context, op Op, s *resultSlot) (Future, error) {
	if ctx.Err() != nil {
		return Future{}, wrapError(op.Kind, op.Packet.ID, context.Cause(ctx))
	}
	o := operation{slot: s}
	if err := r.initOperation(&o, &op); err != nil {
		return Future{}, err
	}
	if op.Kind == KindFulfill && r.journal != nil {
		if err := r.journal.room(ctx); err != nil {
			return Future{}, wrapError(op.Kind, o.packet.ID, err)
		}
	}
	ticket, err := r.admitOp(ctx, &o)
	if err == nil || !r.admission.refreshStaleCap(ctx, r.ctx, err) {
		return ticket, err
	}
	return r.admitOp(ctx, &o)
}

// admitOp enqueues an operation when the gate can decide on it and there is room.
func (r *Recorder) admitOp(ctx context.Context, o *operation) (Future, error) {
	if o.kind == KindPrepare && r.admission.hasCaps {
		if err := r.admission.waitForPeers(ctx, r.ctx, &o.packet); err != nil {
			return Future{}, wrapError(o.kind, o.packet.ID, err)
		}
	}
	if err := r.backlog.acquirePlace(ctx, o.kind != KindPrepare); err != nil {
		return Future{}, wrapError(o.kind, o.packet.ID, err)
	}
	return r.enqueueOperation(o)
}

// Flush waits until every operation handed over before the call was answered or given
// up. The error is that of the context.
func (r *Recorder) Flush(ctx context.Context) error {
	marks := make([]resultSlot, len(r.lanes))
	for i, ln := range r.lanes {
		if !ln.mark(&marks[i]) {
			// Closed: all is answered when the lanes have ended.
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

// Close refuses new operations and waits until all that were handed over are
// answered. If the context ends first, the requests under way are given up and
// the error has a *CloseError that says what is unknown and what was never sent.
// With a Journal the fulfills among them stay in it for the next recorder; an
// error that matches ErrJournal says that it could not be left in order. Close may
// be called again, also while another Close waits: the context that ends first
// ends the wait of both, and all return the same. It waits for the Journal's disk
// whatever the context says.
func (r *Recorder) Close(ctx context.Context) error {
	r.closeOnce.Do(r.backlog.close)
	for _, ln := range r.lanes {
		ln.close()
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
		ln.leftovers(left)
	}
	if len(left.Unknown)+len(left.Unsent) == 0 {
		return r.journalErr
	}
	if deadline := context.Cause(r.ctx); deadline != ErrRecorderClosed { //nolint:errorlint // set above, as it is
		left.Deadline = deadline
	}
	return errors.Join(left, r.journalErr)
}

// initOperation makes an operation ready for its lane: all that can be found wrong without
// the ledger is found here, and what a retry must repeat unchanged is fixed here.
func (r *Recorder) initOperation(o *operation, op *Op) error {
	if err := op.checkFields(); err != nil {
		return err
	}
	if r.ledgerClosed.Load() {
		return wrapError(op.Kind, op.Packet.ID, ledger.ErrClosed)
	}
	from, knownFrom := r.assets[op.Packet.From.Ledger()]
	to, knownTo := r.assets[op.Packet.To.Ledger()]
	if !knownFrom || !knownTo {
		return wrapError(op.Kind, op.Packet.ID, fmt.Errorf("%w: from %v to %v", accounts.ErrUnknownAsset, op.Packet.From, op.Packet.To))
	}
	o.kind, o.packet, o.phase, o.from, o.to = op.Kind, op.Packet, firstPhase(op.Kind), from, to
	o.packet.Expiry = o.packet.Expiry.Round(0) // by the wall clock, which goes on while the machine is suspended
	var array [maxLegs]leg
	legs, err := appendLegs(array[:0], &o.packet, from, to)
	if err != nil {
		return wrapError(op.Kind, op.Packet.ID, err)
	}
	o.count = uint8(len(legs))
	if !op.Kind.beginsPacket() {
		return nil
	}
	now := r.cfg.Clock()
	if o.drawn = o.packet.ID.IsZero(); o.drawn {
		o.packet.ID = r.newPacketID(now)
	}
	if op.Kind != KindPrepare {
		return nil
	}
	if err = r.applyPacketLimits(o, now); err == nil && o.count > 0 {
		o.packet.Hold, err = r.holdDuration(&o.packet, now)
	}
	return err
}

// maxLaneImbalance is how many more operations than the least loaded one a lane may have
// before new packets go elsewhere: half a full request.
const maxLaneImbalance = ledger.BatchMax / 2

// newPacketID draws an id, which picks a lane too. Sessions are not equally fast, and the
// backlog is shared: without this the slowest lane would come to hold all of it, and
// the others would have nothing to send.
func (r *Recorder) newPacketID(now time.Time) ledger.ID {
	id := r.ids.nextID(now)
	if len(r.lanes) == 1 {
		return id
	}
	least := r.lanes[0].load.Load()
	for _, ln := range r.lanes[1:] {
		least = min(least, ln.load.Load())
	}
	// An id in two goes to one of two lanes, so this soon ends; it need not.
	for range 16 {
		if r.laneOf(id).load.Load()-least <= maxLaneImbalance {
			break
		}
		id = r.ids.nextID(now)
	}
	return id
}

// holdDuration is how long the ledger is to hold a packet, in whole seconds.
func (r *Recorder) holdDuration(p *Packet, now time.Time) (time.Duration, error) {
	hold := p.Hold
	if hold == 0 {
		if p.Expiry.IsZero() {
			return 0, &PacketError{Kind: KindPrepare, ID: p.ID, Field: "Expiry", Reason: "is missing, and so is Hold"}
		}
		left := p.Expiry.Sub(now)
		if left < r.cfg.MinHold {
			return 0, wrapError(KindPrepare, p.ID, fmt.Errorf("%w: %v until %v, want %v", ErrHoldTooShort, left, p.Expiry, r.cfg.MinHold))
		}
		hold = left + r.cfg.HoldMargin
	}
	if hold < 0 || hold > math.MaxUint32*time.Second {
		return 0, &PacketError{Kind: KindPrepare, ID: p.ID, Field: "Hold", Reason: "must be up to 2^32-1 seconds"}
	}
	return (hold + time.Second - 1) / time.Second * time.Second, nil
}

// enqueueOperation gives an operation, for which there is a place, to its lane.
func (r *Recorder) enqueueOperation(o *operation) (Future, error) {
	if err := r.admission.reserveLimits(o); err != nil {
		r.backlog.releasePlaces(1)
		return Future{}, wrapError(o.kind, o.packet.ID, err)
	}
	ticket := Future{recorder: r, slot: o.slot, kind: o.kind, packet: o.packet}
	ln := r.laneOf(o.packet.ID)
	switch {
	case o.count == 0 && o.verified() && !ln.isClosed():
		r.backlog.releasePlaces(1)
		o.slot.outcome = ledger.OutcomeApplied
		o.slot.markAnswered()
		o.slot.publishResult()
		return ticket, nil
	case o.count == 0 && o.verified():
	case o.kind == KindFulfill && r.journal != nil && ln.isClosed():
		// The journal would keep it, and nobody would ever take it out.
	default:
		if o.kind == KindFulfill && r.journal != nil {
			o.entry = r.journal.add(o.packet)
			ticket.journalPos = o.entry
		}
		if ln.push(o) {
			return ticket, nil
		}
		if o.entry != 0 {
			r.journal.forget([]answeredFulfill{{keyOf(&o.packet), true}}) // too late if the journal is closed by now
		}
	}
	r.admission.cancelReservation(o)
	r.backlog.releasePlaces(1)
	return Future{}, wrapError(o.kind, o.packet.ID, ErrRecorderClosed)
}

// laneOf is the lane of a packet, the same for all its operations.
func (r *Recorder) laneOf(id ledger.ID) *lane {
	mixed := (id.Lo>>reservedLow ^ id.Hi) * 0x9e3779b97f4a7c15
	return r.lanes[(mixed>>32)%uint64(len(r.lanes))]
}
