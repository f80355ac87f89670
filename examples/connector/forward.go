package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/examples/internal/btp"
	"github.com/peerledger/peerledger/internal/ilp"
	"github.com/peerledger/peerledger/transfers"
)

const (
	// messageWindow is how much earlier our PREPARE expires than the sender's: the time to pass a
	// FULFILL back.
	messageWindow = time.Second
	// maxHold is how long a packet is held at most.
	maxHold = 30 * time.Second
	// bookWithin bounds the booking of an answer. A fulfillment is passed on even if the ledger is
	// silent for longer: the recorder goes on.
	bookWithin = 30 * time.Second
)

// handlerFor answers the packets of a peer.
func (n *network) handlerFor(from *neighbour) btp.Handler {
	return func(ctx context.Context, b []byte) []byte {
		packet, err := ilp.Decode(b)
		prepare, is := packet.(ilp.Prepare)
		var answer ilp.Packet
		switch {
		case err != nil:
			answer = n.newReject("F01", "invalid packet")
		case !is:
			answer = n.newReject("F01", "not a PREPARE")
		case prepare.Destination == settleAddress && from.engine == nil:
			answer = n.newReject("F02", "no settlement engine for this peer")
		case prepare.Destination == settleAddress:
			return n.answerMessage(ctx, from, prepare, b)
		default:
			answer = n.forwardPrepare(ctx, from, prepare)
		}
		if answer == nil {
			return nil
		}
		encoded, err := answer.AppendBinary(nil)
		if err != nil { // a text that no packet may have
			n.log.Error("answer", "peer", from.cfg.ID, "err", err)
			return nil
		}
		return encoded
	}
}

// busyAnswer answers a packet that is not looked at, since too many packets of its peer are under way.
// The code is T03: the sender may send again later.
func (n *network) busyAnswer() []byte {
	encoded, err := n.newReject("T03", "too many packets are under way").AppendBinary(nil)
	if err != nil { // the address was checked, so this does not happen; the sender then gets no answer
		n.log.Error("answer", "err", err)
	}
	return encoded
}

// forwardPrepare books a PREPARE, sends it on, and books the answer before it returns the answer.
// Each PREPARE is a packet of its own, also one with the same bytes as an earlier one: it is booked
// as often as it leaves. Without an answer (nil) the sender learns no outcome.
func (n *network) forwardPrepare(ctx context.Context, from *neighbour, p ilp.Prepare) ilp.Packet {
	if !n.begin() {
		return n.newReject("T00", "the connector is closing")
	}
	defer n.busy.Done()
	to := n.findRoute(p.Destination)
	if to == nil {
		return n.newReject("F02", "no route to the destination")
	}
	packet, err := newPacket(from, to, p)
	if err != nil {
		return n.newRefusal(err)
	}
	held, err := n.c.client.Recorder.Prepare(ctx, packet)
	if err != nil {
		n.log.Warn("refused", "peer", from.cfg.ID, "code", transfers.ILPCode(err), "err", err)
		return n.newRefusal(err)
	}
	p.Amount, p.ExpiresAt = held.Packet.Out, held.Packet.Expiry
	sending, cancel := context.WithDeadline(ctx, held.Packet.Expiry)
	answer, err := n.sendTo(sending, to, p)
	cancel()
	if errors.Is(err, btp.ErrNotSent) {
		n.book(ctx, transfers.RejectOp(held.Packet))
		return n.newReject("T01", "the next connector cannot be reached")
	}
	if err != nil {
		return n.awaitExpiry(ctx, to, held.Packet, err)
	}
	return n.bookAnswer(ctx, from, to, held.Packet, answer)
}

// newPacket returns the packet to book for a PREPARE. The converted amount is checked here, before
// any packet is made of it.
func newPacket(from, to *neighbour, p ilp.Prepare) (transfers.Packet, error) {
	packet := transfers.Packet{From: from.account, To: to.account, In: p.Amount, Out: p.Amount, Condition: p.Condition}
	if from.asset != to.asset {
		converter, err := newConverter(from, to)
		if err != nil {
			return packet, err
		}
		if packet.Out, packet.Dust, err = converter.ConvertPacket(p.Amount); err != nil {
			return packet, err
		}
	}
	now := time.Now()
	packet.Expiry = p.ExpiresAt.Add(-messageWindow)
	if latest := now.Add(maxHold); packet.Expiry.After(latest) {
		packet.Expiry = latest
	}
	packet.Expiry = packet.Expiry.Truncate(time.Millisecond) // as in a packet
	if packet.Expiry.Before(now.Add(messageWindow)) {
		return packet, fmt.Errorf("%w: the packet expires %v", transfers.ErrHoldTooShort, p.ExpiresAt)
	}
	return packet, nil
}

// sendTo sends a PREPARE on. An error matches btp.ErrNotSent or btp.ErrUnknown.
func (n *network) sendTo(ctx context.Context, to *neighbour, p ilp.Prepare) (ilp.Packet, error) {
	if to.peer == nil {
		return n.askCustomer(ctx, p)
	}
	b, err := p.AppendBinary(nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", btp.ErrNotSent, err)
	}
	if b, err = to.peer.Send(ctx, b); err != nil {
		return nil, err
	}
	answer, err := ilp.Decode(b)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", btp.ErrUnknown, err)
	case answer.Type() == ilp.TypePrepare:
		return nil, fmt.Errorf("%w: a PREPARE for an answer", btp.ErrUnknown)
	default:
		return answer, nil
	}
}

// askCustomer gives a PREPARE to the customer. An error matches btp.ErrUnknown.
func (n *network) askCustomer(ctx context.Context, p ilp.Prepare) (ilp.Packet, error) {
	n.mu.Lock()
	receive := n.receive
	n.mu.Unlock()
	answer := receive(ctx, p)
	if answer == nil {
		return nil, fmt.Errorf("%w: the customer has not answered", btp.ErrUnknown)
	}
	if reject, is := answer.(ilp.Reject); is && reject.TriggeredBy == "" {
		reject.TriggeredBy = n.address
		return reject, nil
	}
	return answer, nil
}

// awaitExpiry holds a packet of unknown outcome until it expires: a fulfillment may come until then
// only. The code is R00, and no final one: to the sender nothing has failed for good. If ctx ends
// first there is no answer.
func (n *network) awaitExpiry(ctx context.Context, to *neighbour, p transfers.Packet, cause error) ilp.Packet {
	to.tally.countUnknown(p.Out)
	n.log.Warn("unknown outcome", "peer", to.cfg.ID, "packet", p.ID, "until", p.Expiry, "err", cause)
	timer := time.NewTimer(time.Until(p.Expiry))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-timer.C:
	}
	n.book(ctx, transfers.RejectOp(p))
	return n.newReject("R00", "no answer before the packet expired")
}

// bookAnswer books the answer of the next connector, and returns the answer for the sender.
func (n *network) bookAnswer(ctx context.Context, from, to *neighbour, p transfers.Packet, answer ilp.Packet) ilp.Packet {
	if fulfill, is := answer.(ilp.Fulfill); is {
		if fulfill.Fulfills(p.Condition) {
			from.tally.countFulfilled(true)
			to.tally.countFulfilled(false)
			n.book(ctx, transfers.FulfillOp(p)) // the fulfillment goes on in any case: it is worth money to us
			return fulfill
		}
		answer = n.newReject("F05", "the fulfillment does not match the condition")
	}
	n.book(ctx, transfers.RejectOp(p))
	if reject, is := answer.(ilp.Reject); is && reject.Code == "T04" && to.peer != nil {
		n.c.client.Settlement.NotifyRefused(to.account)
	}
	return answer
}

// book records an operation, also when ctx has ended.
func (n *network) book(ctx context.Context, op transfers.Op) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), bookWithin)
	defer cancel()
	if _, err := n.c.client.Recorder.Record(ctx, op); err != nil {
		n.log.Error("not booked yet", "operation", op.Kind, "packet", op.Packet.ID, "err", err)
	}
}

// newRefusal returns the REJECT for an error of our books.
func (n *network) newRefusal(err error) ilp.Packet {
	reject := n.newReject(transfers.ILPCode(err), "refused by the books")
	reject.Data = transfers.RejectData(err)
	return reject
}

// newReject returns a REJECT of ours.
func (n *network) newReject(code, message string) ilp.Reject {
	return ilp.Reject{Code: code, TriggeredBy: n.address, Message: message}
}
