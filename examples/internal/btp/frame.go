// Package btp is the Bilateral Transfer Protocol (RFC 0023), version 2.0, over websockets, as far as
// a connector needs it that settles outside of BTP: a peer logs in with a token, and then both sides
// send ILP packets and answer them.
//
// A [Client] logs in at a peer, again and again with pauses while the peer is away. A [Server] takes
// the log-ins of peers. Either gives a [Peer], whose Send sends a packet and waits for its answer.
// A packet that left without an answer has an unknown outcome ([ErrUnknown]): the peer may have
// fulfilled it. A lost link is no answer. Requests outlive links: the answer may come over the next
// link, where ilp-plugin-btp 1.5.0 sends it, and Send takes it there.
//
// Everything is bounded: frames by [MaxFrame], a log-in and the writing of a frame by a time, the
// packets of a peer that are answered at once by maxHandled. A peer that does not read or does not
// answer pings is cut off.
//
// A TRANSFER is answered with an error: bare plugins book it as paid and move no money.
//
// Sources: https://interledger.org/rfcs/0023-bilateral-transfer-protocol/ and
// https://interledger.org/rfcs/0030-notes-on-oer-encoding/.
package btp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// Type is the first byte of a frame.
type Type uint8

// The types of frames.
const (
	TypeResponse Type = 1
	TypeError    Type = 2
	TypeMessage  Type = 6
	TypeTransfer Type = 7
)

// ContentType is the kind of the data of a [SubProtocol].
type ContentType uint8

// The kinds of data.
const (
	ContentOctets ContentType = 0
	ContentText   ContentType = 1 // UTF-8
	ContentJSON   ContentType = 2
)

// SubProtocol is a part of a frame, for example an ILP packet under the name "ilp".
type SubProtocol struct {
	Name        string
	ContentType ContentType
	Data        []byte
}

// ErrorFields are the fields of a frame of TypeError.
type ErrorFields struct {
	Code        string // three characters, such as F00
	Name        string // such as NotAcceptedError
	TriggeredAt string // a time, as text
	Data        string
}

// Frame is a BTP packet: the body of one binary websocket message.
type Frame struct {
	Type         Type
	RequestID    uint32 // of a request, and of the response or error that answers it
	Amount       uint64 // of a TypeTransfer, otherwise 0
	Error        ErrorFields
	SubProtocols []SubProtocol // up to 255
}

// MaxFrame is the largest size of a frame, in bytes. The largest ILP packet has 66566.
const MaxFrame = 1 << 17

// maxSubProtocols is the most that a count of one byte tells.
const maxSubProtocols = 255

// errorCodeSize is the size of the code of an error.
const errorCodeSize = 3

// ErrMalformed is matched by every error of [ParseFrame] and [Frame.AppendBinary].
var ErrMalformed = errors.New("btp: malformed frame")

// ILP returns the data of the first sub-protocol "ilp", nil if there is none.
func (f *Frame) ILP() []byte { return f.find("ilp") }

// find returns the data of the first sub-protocol of a name, nil if there is none.
func (f *Frame) find(name string) []byte {
	for _, s := range f.SubProtocols {
		if s.Name == name {
			return s.Data
		}
	}
	return nil
}

// AppendBinary appends the encoding to b. The error matches [ErrMalformed]: the frame has an unknown
// type, an error code that has not three bytes, too many sub-protocols, or is above [MaxFrame].
func (f *Frame) AppendBinary(b []byte) ([]byte, error) {
	var body []byte
	switch f.Type {
	case TypeResponse, TypeMessage:
	case TypeTransfer:
		body = binary.BigEndian.AppendUint64(body, f.Amount)
	case TypeError:
		if len(f.Error.Code) != errorCodeSize {
			return b, fmt.Errorf("%w: code: %q has not %d bytes", ErrMalformed, f.Error.Code, errorCodeSize)
		}
		body = append(body, f.Error.Code...)
		for _, text := range [...]string{f.Error.Name, f.Error.TriggeredAt, f.Error.Data} {
			body = appendOctets(body, text)
		}
	default:
		return b, fmt.Errorf("%w: type: %d is no type of BTP", ErrMalformed, f.Type)
	}
	if len(f.SubProtocols) > maxSubProtocols {
		return b, fmt.Errorf("%w: sub-protocols: %d, at most %d are allowed", ErrMalformed, len(f.SubProtocols), maxSubProtocols)
	}
	body = append(body, 1, byte(len(f.SubProtocols)))
	for _, s := range f.SubProtocols {
		body = appendOctets(body, s.Name)
		body = append(body, byte(s.ContentType))
		body = appendOctets(body, s.Data)
	}
	frame := binary.BigEndian.AppendUint32([]byte{byte(f.Type)}, f.RequestID)
	if frame = appendOctets(frame, body); len(frame) > MaxFrame {
		return b, fmt.Errorf("%w: size: %d bytes, at most %d are allowed", ErrMalformed, len(frame), MaxFrame)
	}
	return append(b, frame...), nil
}

// appendOctets appends a variable-length string: its length in the shortest form, then its bytes.
func appendOctets[S string | []byte](b []byte, s S) []byte {
	n := len(s)
	switch {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 1<<8:
		b = append(b, 0x81, byte(n))
	case n < 1<<16:
		b = append(b, 0x82, byte(n>>8), byte(n))
	default: // a longer one is refused for the size of its frame
		b = append(b, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(b, s...)
}

// newPacketFrame returns a frame with an ILP packet, or with no sub-protocol for an empty packet.
func newPacketFrame(kind Type, id uint32, packet []byte) *Frame {
	f := &Frame{Type: kind, RequestID: id}
	if len(packet) > 0 {
		f.SubProtocols = []SubProtocol{{Name: "ilp", Data: packet}}
	}
	return f
}

// newErrorFrame returns the answer to a request that is not accepted.
func newErrorFrame(id uint32, reason string, now time.Time) *Frame {
	return &Frame{Type: TypeError, RequestID: id, Error: ErrorFields{
		Code: "F00", Name: "NotAcceptedError", TriggeredAt: now.UTC().Format("20060102150405.000Z"), Data: reason,
	}}
}
