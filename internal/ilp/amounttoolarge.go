package ilp

import (
	"encoding/binary"
	"fmt"
)

// CodeAmountTooLarge is the code of a [Reject] with an [AmountTooLarge] as its Data.
const CodeAmountTooLarge = "F08"

// AmountTooLarge is the Data of a REJECT F08 (RFC 0027): the packet's amount exceeds the largest
// amount forwarded by the node. Both are in units of the asset in which the node received the
// packet.
type AmountTooLarge struct {
	Received uint64 // the packet's amount
	Maximum  uint64 // the largest amount forwarded
}

// Data returns the encoding: 16 bytes.
func (a AmountTooLarge) Data() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 2*amountSize), a.Received)
	return binary.BigEndian.AppendUint64(b, a.Maximum)
}

// DecodeAmountTooLarge reads the Data of a REJECT F08. The error matches [ErrMalformed]: data does
// not have 16 bytes, for example when the node left the amounts out.
func DecodeAmountTooLarge(data []byte) (AmountTooLarge, error) {
	if len(data) != 2*amountSize {
		return AmountTooLarge{}, fmt.Errorf("%w: data: %d bytes with %s, want %d", ErrMalformed, len(data), CodeAmountTooLarge, 2*amountSize)
	}
	return AmountTooLarge{Received: binary.BigEndian.Uint64(data), Maximum: binary.BigEndian.Uint64(data[amountSize:])}, nil
}
