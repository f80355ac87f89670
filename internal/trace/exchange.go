package trace

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/peerledger/peerledger/internal/ilp"
)

// exchange is a packet from its in line to its in_reply.
type exchange struct {
	line    int      // number of the in line
	forward *Forward // From, In and InExpiry are set by the in line, the rest by the out line
	answer  *Answer  // set by the out_reply
	stage   stage
}

type stage int

const (
	received  stage = iota // in
	forwarded              // out
	answered               // out_reply
	closed                 // in_reply
)

func (s stage) String() string {
	return [...]string{
		received:  "received and not forwarded",
		forwarded: "forwarded and not answered",
		answered:  "answered by the peer that it was forwarded to",
		closed:    "answered to the peer that it came from",
	}[s]
}

func (p *parser) parseIncoming(at Origin, rec record) error {
	m, err := p.parseMessage(rec)
	if err != nil {
		return err
	}
	prepare, err := requirePrepare(m.packet)
	if err != nil {
		return err
	}
	if first, ok := p.exchanges[m.id]; ok {
		return fmt.Errorf("id %d was used on line %d", m.id, first.line)
	}
	p.exchanges[m.id] = &exchange{line: at.Line, forward: &Forward{
		ID:        m.id,
		From:      m.peer,
		In:        prepare.Amount,
		InExpiry:  prepare.ExpiresAt,
		Condition: prepare.Condition,
	}}
	return nil
}

func (p *parser) parseOutgoing(at Origin, rec record) error {
	m, err := p.parseMessage(rec)
	if err != nil {
		return err
	}
	prepare, err := requirePrepare(m.packet)
	if err != nil {
		return err
	}
	x, err := p.findExchange(rec.Ev, m.id, received)
	if err != nil {
		return err
	}
	if prepare.Condition != x.forward.Condition {
		return errors.New("the packet has another condition than the one received")
	}
	x.forward.Origin, x.forward.To = at, m.peer
	x.forward.Out, x.forward.OutExpiry = prepare.Amount, prepare.ExpiresAt
	x.stage = forwarded
	p.trace.Events = append(p.trace.Events, x.forward)
	return nil
}

func (p *parser) parseOutReply(at Origin, rec record) error {
	m, err := p.parseMessage(rec)
	if err != nil {
		return err
	}
	x, err := p.findExchange(rec.Ev, m.id, forwarded)
	if err != nil {
		return err
	}
	if m.peer != x.forward.To {
		return fmt.Errorf("peer %q replies to packet %d, which was forwarded to %q", m.peer, m.id, x.forward.To)
	}
	fulfilled, err := isFulfilled(m.packet, x.forward.Condition)
	if err != nil {
		return err
	}
	x.answer = &Answer{Origin: at, Forward: x.forward, Fulfilled: fulfilled}
	x.stage = answered
	p.trace.Events = append(p.trace.Events, x.answer)
	return nil
}

// parseInReply adds no event: an in_reply repeats the out_reply, or is the connector's own answer.
// It must agree with the other lines, or a replay of them would give wrong books.
func (p *parser) parseInReply(rec record) error {
	m, err := p.parseMessage(rec)
	if err != nil {
		return err
	}
	x, err := p.findExchange(rec.Ev, m.id, received, answered)
	if err != nil {
		return err
	}
	if m.peer != x.forward.From {
		return fmt.Errorf("peer %q gets the reply to packet %d, which came from %q", m.peer, m.id, x.forward.From)
	}
	fulfilled, err := isFulfilled(m.packet, x.forward.Condition)
	if err != nil {
		return err
	}
	x.stage = closed
	switch {
	case x.answer == nil && fulfilled && x.forward.In > 0:
		return fmt.Errorf("packet %d moved %d units and was not forwarded", m.id, x.forward.In)
	case x.answer != nil && x.answer.Fulfilled != fulfilled:
		return fmt.Errorf("the reply to packet %d is not the one on line %d", m.id, x.answer.Line)
	}
	return nil
}

// findUnanswered returns line and error of the first packet without an answer at the end of the
// trace, or 0 and nil.
func (p *parser) findUnanswered() (line int, err error) {
	for id, x := range p.exchanges {
		if x.stage == closed || (line != 0 && line < x.line) {
			continue
		}
		line, err = x.line, fmt.Errorf("packet %d is %v at the end of the trace", id, x.stage)
	}
	return line, err
}

// findExchange returns the exchange of a packet, which must be in one of the stages.
func (p *parser) findExchange(ev string, id uint64, stages ...stage) (*exchange, error) {
	x, ok := p.exchanges[id]
	if !ok {
		return nil, fmt.Errorf("ev %q for packet %d, which was never received", ev, id)
	}
	if !slices.Contains(stages, x.stage) {
		return nil, fmt.Errorf("ev %q for packet %d, which is %v", ev, id, x.stage)
	}
	return x, nil
}

// message is the common part of the four lines of an exchange.
type message struct {
	id     uint64
	peer   string
	packet ilp.Packet
}

func (p *parser) parseMessage(rec record) (message, error) {
	if rec.ID == nil {
		return message{}, errors.New("id is missing")
	}
	peer, err := p.parsePeer(rec.Peer)
	if err != nil {
		return message{}, err
	}
	if rec.Packet == nil {
		return message{}, errors.New("packet is missing")
	}
	oer, err := base64.StdEncoding.Strict().DecodeString(*rec.Packet)
	if err != nil {
		return message{}, fmt.Errorf("packet is not base64: %w", err)
	}
	packet, err := ilp.Decode(oer)
	if err != nil {
		return message{}, err
	}
	return message{id: *rec.ID, peer: peer.ID, packet: packet}, nil
}

func requirePrepare(packet ilp.Packet) (ilp.Prepare, error) {
	prepare, ok := packet.(ilp.Prepare)
	if !ok {
		return ilp.Prepare{}, fmt.Errorf("the packet is a %v, want a PREPARE", packet.Type())
	}
	return prepare, nil
}

// isFulfilled reports whether the packet is a FULFILL, and not a REJECT. A FULFILL that does not
// match the condition is an error: by RFC 0027 it has no effect, so it cannot be booked.
func isFulfilled(packet ilp.Packet, condition [32]byte) (bool, error) {
	switch packet := packet.(type) {
	case ilp.Fulfill:
		if !packet.Fulfills(condition) {
			return false, errors.New("the fulfillment does not match the packet's condition")
		}
		return true, nil
	case ilp.Reject:
		return false, nil
	default:
		return false, fmt.Errorf("the packet is a %v, want a FULFILL or a REJECT", packet.Type())
	}
}
