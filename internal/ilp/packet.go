// Package ilp reads and writes Interledger packets, PREPARE, FULFILL and REJECT (RFC 0027), in
// their canonical octet encoding (RFC 0030).
//
// Decoding is strict: a packet is accepted only if encoding it again gives the same bytes, so two
// readers cannot understand one packet differently. Therefore [Decode] also refuses
//
//   - lengths not in their shortest form. RFC 0030 forbids them; some decoders
//     let them pass;
//   - bytes after the packet, or after its last field. RFC 0030 asks most
//     readers to skip them, for fields of a later version. No such version
//     exists, and here they are more likely a damaged recording.
//
// A destination must be an address by RFC 0015: up to 1023 characters, a known allocation scheme,
// and at least one segment behind it, without empty segments. Only the triggeredBy of a REJECT may
// be empty or without a known scheme. Deployed connectors send such a triggeredBy before they have
// an address, and a refused REJECT would leave its amount on hold.
//
// All functions are safe for concurrent use.
//
// Sources: https://interledger.org/rfcs/0015-ilp-addresses/,
// https://interledger.org/rfcs/0027-interledger-protocol-4/,
// https://interledger.org/rfcs/0030-notes-on-oer-encoding/ and
// https://github.com/interledger/rfcs/blob/main/asn1/InterledgerProtocol.asn.
package ilp

import (
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"time"
)

// ErrMalformed matches every error of the package. The message adds the field, the reason, and for
// a decoded packet the offset of the byte.
var ErrMalformed = errors.New("ilp: malformed packet")

// Type is the first byte of a packet.
type Type uint8

// The packet types of RFC 0027.
const (
	TypePrepare Type = 12
	TypeFulfill Type = 13
	TypeReject  Type = 14
)

// String returns the type's name in RFC 0027, in capitals.
func (t Type) String() string {
	switch t {
	case TypePrepare:
		return "PREPARE"
	case TypeFulfill:
		return "FULFILL"
	case TypeReject:
		return "REJECT"
	default:
		return fmt.Sprintf("type %d", uint8(t))
	}
}

// Packet is a [Prepare], a [Fulfill] or a [Reject].
type Packet interface {
	// Type returns the packet's type.
	Type() Type
	// AppendBinary appends the packet's canonical encoding. A field out of its range gives
	// [ErrMalformed] and appends nothing.
	encoding.BinaryAppender
}

// Prepare offers Amount for the preimage of Condition, until ExpiresAt.
type Prepare struct {
	Amount      uint64    // units of the asset that sender and receiver of this hop agreed on
	ExpiresAt   time.Time // UTC, year 0 to 9999; cut to milliseconds, so never later
	Condition   [32]byte  // SHA-256 of the fulfillment
	Destination string    // ILP address (RFC 0015), 3 to 1023 characters
	Data        []byte    // end to end, at most 32767 bytes
}

// Fulfill accepts a [Prepare].
type Fulfill struct {
	Fulfillment [32]byte // the preimage of the condition
	Data        []byte   // end to end, at most 32767 bytes
}

// Fulfills reports whether the fulfillment is the preimage of condition. Only then does the FULFILL
// move money.
func (p Fulfill) Fulfills(condition [32]byte) bool {
	return sha256.Sum256(p.Fulfillment[:]) == condition
}

// Reject refuses a [Prepare].
type Reject struct {
	Code        string // three ASCII characters, such as T04
	TriggeredBy string // ILP address of the refusing node, at most 1023 characters, or empty
	Message     string // for people, at most 8191 characters of UTF-8
	Data        []byte // its meaning depends on Code; at most 32767 bytes
}

// Type returns [TypePrepare].
func (Prepare) Type() Type { return TypePrepare }

// Type returns [TypeFulfill].
func (Fulfill) Type() Type { return TypeFulfill }

// Type returns [TypeReject].
func (Reject) Type() Type { return TypeReject }
