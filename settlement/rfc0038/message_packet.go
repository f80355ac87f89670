package rfc0038

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/internal/ilp"
)

// The packet that carries a message between the connectors of two engines.
const (
	messageDestination = "peer.settle"
	messageLifetime    = 30 * time.Second
	maxMessage         = 32767 // bytes of data in a PREPARE or FULFILL, RFC 0027
)

var (
	// messageCondition is the hash of the fulfillment of 32 zero bytes, by which any connector can fulfill the packet.
	messageCondition = sha256.Sum256(make([]byte, sha256.Size))
	// messageConditionInRFC is the condition that RFC 0038 lists: the hash of no bytes, which no fulfillment has.
	messageConditionInRFC = sha256.Sum256(nil)
)

// NewMessagePacket returns the ILP PREPARE (RFC 0027) in which a connector sends an engine's message to the peer: to
// peer.settle, amount 0, expiring in 30 s. The message has at most 32767 bytes. The peer reads it with
// [ReadMessagePacket].
func NewMessagePacket(message []byte, now time.Time) ([]byte, error) {
	packet, err := ilp.Prepare{
		ExpiresAt: now.UTC().Add(messageLifetime), Condition: messageCondition, Destination: messageDestination, Data: message,
	}.AppendBinary(nil)
	if err != nil {
		return nil, fmt.Errorf("rfc0038: message: %w", err)
	}
	return packet, nil
}

// ReadMessagePacket returns the message in a peer's ILP packet: a PREPARE to peer.settle, amount 0, with the condition of
// [NewMessagePacket] or the one that RFC 0038 lists. Give the message to the engine ([Client.SendMessage]), and answer with
// [NewMessageAnswer] or [NewMessageReject]. isMessage is false for other packets, which are not ours to answer. The error
// matches [ErrMessagePacket]: answer with NewMessageReject, and never forward a packet to peer.settle.
func ReadMessagePacket(packet []byte) (message []byte, isMessage bool, err error) {
	decoded, err := ilp.Decode(packet)
	if err != nil {
		return nil, false, fmt.Errorf("%w: %w", ErrMessagePacket, err)
	}
	prepare, isPrepare := decoded.(ilp.Prepare)
	switch {
	case !isPrepare || prepare.Destination != messageDestination:
		return nil, false, nil
	case prepare.Amount != 0:
		return nil, false, fmt.Errorf("%w: the amount is %d, must be 0", ErrMessagePacket, prepare.Amount)
	case prepare.Condition != messageCondition && prepare.Condition != messageConditionInRFC:
		return nil, false, fmt.Errorf("%w: the condition is %x, must be that of 32 zero bytes", ErrMessagePacket, prepare.Condition)
	default:
		return prepare.Data, true, nil
	}
}

// NewMessageAnswer returns the ILP FULFILL that brings an engine's answer to the peer, with a fulfillment of 32 zero bytes.
// The error is [ErrAnswerTooLarge] above 32767 bytes.
func NewMessageAnswer(answer []byte) ([]byte, error) {
	packet, err := ilp.Fulfill{Data: answer}.AppendBinary(nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrAnswerTooLarge, err)
	}
	return packet, nil
}

// NewMessageReject returns the ILP REJECT for a message that was not delivered, or not answered, because of err: an error of
// [ReadMessagePacket], [Client.SendMessage] or [NewMessageAnswer]. [MessageRejectCode] gives the code. The text tells the
// peer nothing of err, which may have addresses of ours.
func NewMessageReject(err error) []byte {
	code := MessageRejectCode(err)
	text := "no answer of the settlement engine"
	switch code {
	case codeBadRequest:
		text = "the settlement engine refuses the message"
	case codeInvalidPacket:
		text = "the packet is invalid"
	}
	packet, err := ilp.Reject{Code: code, TriggeredBy: messageDestination, Message: text}.AppendBinary(nil)
	if err != nil {
		panic(err) // each text above fits
	}
	return packet
}

// ReadMessageAnswer returns the data of the ILP FULFILL that answers a [NewMessagePacket]. The error is a *[RejectError]
// for a REJECT, and otherwise tells why the packet is no answer.
func ReadMessageAnswer(packet []byte) ([]byte, error) {
	decoded, err := ilp.Decode(packet)
	if err != nil {
		return nil, fmt.Errorf("rfc0038: answer to a message: %w", err)
	}
	switch p := decoded.(type) {
	case ilp.Fulfill:
		if !p.Fulfills(messageCondition) {
			return nil, fmt.Errorf("rfc0038: answer to a message: the fulfillment is wrong")
		}
		return p.Data, nil
	case ilp.Reject:
		return nil, &RejectError{Code: p.Code, TriggeredBy: p.TriggeredBy, Message: p.Message}
	default:
		return nil, fmt.Errorf("rfc0038: answer to a message: it is a %v", decoded.Type())
	}
}

// RejectError is returned when the peer's connector rejected a message.
type RejectError struct {
	Code        string // three ASCII characters, such as T00
	TriggeredBy string // ILP address, or empty
	Message     string
}

func (e *RejectError) Error() string {
	return fmt.Sprintf("rfc0038: the message was rejected by %q with %s: %s", e.TriggeredBy, e.Code, e.Message)
}
