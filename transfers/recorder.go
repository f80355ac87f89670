package transfers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Recorder records operations on packets in batches. Its methods may be called
// concurrently. Several recorders, in one process or many, may work on one
// ledger, and resolve each other's packets.
//
// It owns one goroutine for each lane, which Close ends.
type Recorder struct {
	cfg    Config
	assets map[uint32]assetOf
	ids    idSource
	lanes  []*lane
	room   chan struct{} // one element for each operation in the backlog

	running sync.WaitGroup
	drained chan struct{}           // closed when every lane has ended
	life    context.Context         // of the requests; ended by Close, with the reason
	end     context.CancelCauseFunc // of life
}

// NewRecorder starts a recorder for packets between the peers of a book. The
// errors are those of Config.Validate.
func NewRecorder(l ledger.Ledger, book *accounts.Book, cfg Config) (*Recorder, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	//nolint:forbidigo // a recorder's requests serve many callers, and end with Close and with no caller's context
	life, end := context.WithCancelCause(context.Background())
	r := &Recorder{
		cfg: cfg, assets: make(map[uint32]assetOf), ids: idSource{clock: cfg.Clock},
		room: make(chan struct{}, cfg.Backlog), drained: make(chan struct{}), life: life, end: end,
	}
	for _, a := range book.Assets() {
		ids, _ := book.AssetIDs(a.Ledger)
		r.assets[a.Ledger] = assetOf{ids: ids, allowLoss: a.AllowLoss}
	}
	for range cfg.Lanes {
		ln := newLane(l, &r.cfg)
		r.lanes = append(r.lanes, ln)
		r.running.Go(func() { ln.run(life) })
	}
	go func() {
		r.running.Wait()
		close(r.drained)
	}()
	return r, nil
}

// Prepare holds the packet's amounts and waits for the ledger's answer. Keep the
// Result's Packet: it is what Fulfill and Reject take. See Record.
func (r *Recorder) Prepare(ctx context.Context, p Packet) (Result, error) {
	return r.Record(ctx, Prepare(p))
}

// Fulfill posts what a prepare holds and waits for the ledger's answer; p is the
// packet as it was prepared, with all its amounts. See Record. Give it a context
// that outlives the sender's: the money is owed from the moment that the
// fulfillment is known.
func (r *Recorder) Fulfill(ctx context.Context, p Packet) (Result, error) {
	return r.Record(ctx, Fulfill(p))
}

// Reject gives back what a prepare holds and waits for the ledger's answer; p is
// the packet as it was prepared, with all its amounts. See Record.
func (r *Recorder) Reject(ctx context.Context, p Packet) (Result, error) {
	return r.Record(ctx, Reject(p))
}

// Forward books a packet that was fulfilled already, in one phase, and waits for
// the ledger's answer. See Record.
func (r *Recorder) Forward(ctx context.Context, p Packet) (Result, error) {
	return r.Record(ctx, Forward(p))
}

// Record records one operation and waits for the ledger's answer. The error is
// the Result's: nil if the operation is in the books, now or since an earlier
// request, else
//
//   - one that matches ErrPacket, ErrAmounts, ErrHoldTooShort or
//     accounts.ErrUnknownAsset: the operation cannot be recorded. ErrBacklogFull:
//     the context ended before there was room. ErrClosed, or the context's own
//     error: it was not handed over. ledger.ErrTooMuchData: the ledger takes no
//     request with as many transfers as it has legs. Nothing was recorded, and
//     nothing will be;
//   - a *RefusedError: the ledger refused;
//   - ledger.ErrOutcomeUnknown: the context ended before the ledger had answered.
//     The operation goes on all the same. A prepare is abandoned (ErrAbandoned):
//     its packet must not be forwarded. If the recorder drew the packet's id, it
//     gives back what the prepare came to hold, or the hold's timeout does if the
//     recorder is closed before it can. If the caller gave the id, the caller may
//     ask again with the same packet, or Reject it.
//
// Code gives the ILP error code that fits.
func (r *Recorder) Record(ctx context.Context, op Op) (Result, error) {
	ticket, err := r.Submit(ctx, op)
	if err != nil {
		return notRecorded(op, err), err
	}
	result := ticket.waitOrAbandon(ctx)
	return result, result.Err
}

// RecordAll records operations and waits for all answers. Operations on one
// packet are recorded in the order given; there is none between packets. The
// results are in the order of the operations; the error joins theirs, which are
// those of Record, and is nil if every operation is in the books.
func (r *Recorder) RecordAll(ctx context.Context, ops ...Op) ([]Result, error) {
	results := make([]Result, len(ops))
	tickets := make([]Ticket, len(ops))
	errs := make([]error, len(ops))
	for i, op := range ops {
		if tickets[i], errs[i] = r.Submit(ctx, op); errs[i] != nil {
			results[i] = notRecorded(op, errs[i])
		}
	}
	for i, ticket := range tickets {
		if errs[i] == nil {
			results[i] = ticket.waitOrAbandon(ctx)
			errs[i] = results[i].Err
		}
	}
	return results, errors.Join(errs...)
}

// Submit hands one operation over as soon as there is room in the backlog, and
// does not wait for the ledger: the Ticket does. The errors are those of Record
// that say that nothing was recorded.
func (r *Recorder) Submit(ctx context.Context, op Op) (Ticket, error) {
	if ctx.Err() != nil {
		return Ticket{}, context.Cause(ctx)
	}
	p, err := r.pend(op)
	if err != nil {
		return Ticket{}, err
	}
	select {
	case r.room <- struct{}{}:
	default:
		select {
		case r.room <- struct{}{}:
		case <-ctx.Done():
			return Ticket{}, fmt.Errorf("%w: %w", ErrBacklogFull, context.Cause(ctx))
		case <-r.drained:
			return Ticket{}, ErrClosed
		}
	}
	return r.enqueue(p)
}

// TrySubmit hands one operation over if there is room in the backlog, and answers
// ErrBacklogFull at once if there is none. It never waits. Otherwise it is as
// Submit.
func (r *Recorder) TrySubmit(op Op) (Ticket, error) {
	p, err := r.pend(op)
	if err != nil {
		return Ticket{}, err
	}
	select {
	case r.room <- struct{}{}:
		return r.enqueue(p)
	default:
		return Ticket{}, ErrBacklogFull
	}
}

// Flush waits until every operation handed over before the call was answered. The
// error is that of the context.
func (r *Recorder) Flush(ctx context.Context) error {
	targets := make([]uint64, len(r.lanes))
	for i, ln := range r.lanes {
		targets[i] = ln.count()
	}
	for i, ln := range r.lanes {
		if err := ln.flush(ctx, targets[i]); err != nil {
			return err
		}
	}
	return nil
}

// Close refuses new operations and waits until all that were handed over are
// answered. If the context ends first, the requests under way are given up and
// the error is a *CloseError that says what is unknown and what was never sent.
// Close may be called again, also while another Close waits: the context that ends
// first ends the wait of both, and all return the same.
func (r *Recorder) Close(ctx context.Context) error {
	for _, ln := range r.lanes {
		ln.close()
	}
	select {
	case <-r.drained:
		r.end(ErrClosed)
	case <-ctx.Done():
		r.end(context.Cause(ctx))
		<-r.drained
	}
	left := &CloseError{}
	for _, ln := range r.lanes {
		ln.leftovers(left)
	}
	if len(left.Unknown)+len(left.Unsent) == 0 {
		return nil
	}
	if deadline := context.Cause(r.life); deadline != ErrClosed { //nolint:errorlint // set above, as it is
		left.Deadline = deadline
	}
	return left
}

// pend makes an operation ready for its lane: all that can be found wrong without
// the ledger is found here, and what a retry must repeat unchanged is fixed here.
func (r *Recorder) pend(op Op) (*pending, error) {
	if err := op.validate(); err != nil {
		return nil, err
	}
	from, knownFrom := r.assets[op.Packet.From.Ledger()]
	to, knownTo := r.assets[op.Packet.To.Ledger()]
	if !knownFrom || !knownTo {
		return nil, fmt.Errorf("%w: packet from %v to %v", accounts.ErrUnknownAsset, op.Packet.From, op.Packet.To)
	}
	p := &pending{result: Result{Kind: op.Kind, Packet: op.Packet}, room: r.room, done: make(chan struct{})}
	packet := &p.result.Packet
	var err error
	if p.legs, err = appendLegs(p.legArray[:0], packet, &from, &to); err != nil {
		return nil, err
	}
	if p.drawn = packet.ID.IsZero(); p.drawn {
		packet.ID = r.ids.next()
	}
	if op.Kind == KindPrepare && len(p.legs) > 0 {
		if packet.Hold, err = r.hold(packet); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// hold is how long the ledger is to hold a packet, in whole seconds.
func (r *Recorder) hold(p *Packet) (time.Duration, error) {
	hold := p.Hold
	if hold == 0 {
		if p.Expiry.IsZero() {
			return 0, &PacketError{Kind: KindPrepare, ID: p.ID, Field: "Expiry", Reason: "is missing, and so is Hold"}
		}
		left := p.Expiry.Sub(r.cfg.Clock())
		if left < r.cfg.MinHold {
			return 0, fmt.Errorf("%w: %v until %v, want %v", ErrHoldTooShort, left, p.Expiry, r.cfg.MinHold)
		}
		hold = left + r.cfg.HoldMargin
	}
	if hold < 0 || hold > math.MaxUint32*time.Second {
		return 0, &PacketError{Kind: KindPrepare, ID: p.ID, Field: "Hold", Reason: "must be up to 2^32-1 seconds"}
	}
	return (hold + time.Second - 1) / time.Second * time.Second, nil
}

// enqueue gives a pending operation, for which there is room, to its lane.
func (r *Recorder) enqueue(p *pending) (Ticket, error) {
	ln := r.laneOf(p.result.Packet.ID)
	switch {
	case len(p.legs) > 0 && ln.push(p):
	case len(p.legs) == 0 && !ln.isClosed():
		p.result.Outcome = ledger.OutcomeApplied
		p.answer()
		p.finish()
	default:
		<-r.room
		return Ticket{}, ErrClosed
	}
	return Ticket{p}, nil
}

// laneOf is the lane of a packet, the same for all its operations.
func (r *Recorder) laneOf(id ledger.ID) *lane {
	mixed := (id.Lo>>reservedLow ^ id.Hi) * 0x9e3779b97f4a7c15
	return r.lanes[(mixed>>32)%uint64(len(r.lanes))]
}
