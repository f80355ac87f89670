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
)

// messageCondition is the hash of the fulfillment of 32 zero bytes, by which any connector can fulfill the packet.
var messageCondition = sha256.Sum256(make([]byte, sha256.Size))

// NewMessagePacket returns the ILP PREPARE (RFC 0027) in which a connector sends an engine's message to the peer: to
// peer.settle, amount 0, expiring in 30 s. The message has at most 32767 bytes.
func NewMessagePacket(message []byte, now time.Time) ([]byte, error) {
	packet, err := ilp.Prepare{
		ExpiresAt: now.UTC().Add(messageLifetime), Condition: messageCondition, Destination: messageDestination, Data: message,
	}.AppendBinary(nil)
	if err != nil {
		return nil, fmt.Errorf("rfc0038: message: %w", err)
	}
	return packet, nil
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
