package transfers

import (
	"fmt"
	"math"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// initOperation fills an operation in from the caller's request, finds every fault that
// needs no ledger, and fixes the fields that a retry must repeat unchanged.
func (r *Recorder) initOperation(o *operation, op *Op) error {
	if err := op.Validate(); err != nil {
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
	o.kind, o.packet, o.phase, o.fromAsset, o.toAsset = op.Kind, op.Packet, firstPhase(op.Kind), from, to
	o.packet.Expiry = o.packet.Expiry.Round(0) // by the wall clock, which goes on while the machine is suspended
	var array [maxLegs]leg
	legs, err := appendLegs(array[:0], &o.packet, from, to)
	if err != nil {
		return wrapError(op.Kind, op.Packet.ID, err)
	}
	o.legCount = uint8(len(legs))
	if !op.Kind.beginsPacket() {
		return nil
	}
	now := r.cfg.Clock()
	if o.generatedID = o.packet.ID.IsZero(); o.generatedID {
		o.packet.ID = r.newPacketID(now)
	}
	if op.Kind != KindPrepare {
		return nil
	}
	if err = r.applyPacketLimits(o, now); err == nil && o.legCount > 0 {
		o.packet.Hold, err = r.holdDuration(&o.packet, now)
	}
	return err
}

// maxLaneImbalance is the load above the least loaded lane at which a lane gets no new
// packets: half a full request.
const maxLaneImbalance = ledger.BatchMax / 2

// newPacketID generates an id, and so picks the packet's lane. Sessions differ in speed and
// share a backlog: with evenly spread ids the slowest lane would come to hold the whole
// backlog, and faster lanes would have nothing to send.
func (r *Recorder) newPacketID(now time.Time) ledger.ID {
	id := r.ids.NextID(now)
	if len(r.lanes) == 1 {
		return id
	}
	least := r.lanes[0].load.Load()
	for _, ln := range r.lanes[1:] {
		least = min(least, ln.load.Load())
	}
	// With two lanes half of the ids go to either lane, so few attempts are needed.
	// The last attempt may stay in an overloaded lane.
	for range 16 {
		if r.laneOf(id).load.Load()-least <= maxLaneImbalance {
			break
		}
		id = r.ids.NextID(now)
	}
	return id
}

// holdDuration returns how long the ledger holds a packet, in whole seconds.
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
