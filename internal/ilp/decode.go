package ilp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Decode reads exactly one packet. It returns a [Prepare], a [Fulfill] or a [Reject], by value, or
// no packet and an error that matches [ErrMalformed]. The packet's Data aliases b: copy Data before
// writing to b. The text fields are copies.
func Decode(b []byte) (Packet, error) {
	r := reader{packet: b}
	packet := r.readPacket()
	if r.err == nil && r.bytesLeft() > 0 {
		r.recordFault("end", r.offset, fmt.Errorf("%d bytes follow the last field", r.bytesLeft()))
	}
	if r.err != nil {
		return nil, r.err
	}
	return packet, nil
}

// reader walks through a packet. After the first fault every read returns zeros, so only [Decode]
// looks at err.
type reader struct {
	packet []byte
	offset int
	err    error
}

func (r *reader) readPacket() Packet {
	switch kind := Type(r.readByte("type")); kind {
	case TypePrepare:
		r.readEnvelope()
		return r.readPrepare()
	case TypeFulfill:
		r.readEnvelope()
		return r.readFulfill()
	case TypeReject:
		r.readEnvelope()
		return r.readReject()
	default:
		r.recordFault("type", 0, fmt.Errorf("%d is not a packet type of ILPv4", uint8(kind)))
		return nil
	}
}

// readEnvelope reads the length of everything behind the type.
func (r *reader) readEnvelope() {
	at := r.offset
	if length := r.readLength("length"); length != r.bytesLeft() {
		r.recordFault("length", at, fmt.Errorf("the packet has %d bytes after its length, not %d", r.bytesLeft(), length))
	}
}

func (r *reader) readPrepare() (p Prepare) {
	if amount := r.readBytes("amount", amountSize); amount != nil {
		p.Amount = binary.BigEndian.Uint64(amount)
	}
	if expiry := r.readBytes("expiresAt", timeSize); expiry != nil {
		var ok bool
		if p.ExpiresAt, ok = parseTime(expiry); !ok {
			r.recordFault("expiresAt", r.offset-timeSize, fmt.Errorf("%q is not a date YYYYMMDDHHMMSSfff", expiry))
		}
	}
	copy(p.Condition[:], r.readBytes("executionCondition", hashSize))
	p.Destination = r.readText("destination", checkDestination)
	p.Data = r.readData()
	return p
}

func (r *reader) readFulfill() (p Fulfill) {
	copy(p.Fulfillment[:], r.readBytes("fulfillment", hashSize))
	p.Data = r.readData()
	return p
}

func (r *reader) readReject() (p Reject) {
	p.Code = string(r.readBytes("code", codeSize))
	if err := checkCode(p.Code); err != nil {
		r.recordFault("code", r.offset-codeSize, err)
	}
	p.TriggeredBy = r.readText("triggeredBy", checkAddress)
	p.Message = r.readText("message", checkMessage)
	p.Data = r.readData()
	return p
}

func (r *reader) readData() []byte {
	at := r.offset
	b := r.readOctets("data")
	if err := checkData(b); err != nil {
		r.recordFault("data", at, err)
	}
	return b
}

func (r *reader) readText(field string, check func(string) error) string {
	at := r.offset
	s := string(r.readOctets(field))
	if err := check(s); err != nil {
		r.recordFault(field, at, err)
	}
	return s
}

// readOctets reads a variable-length string.
func (r *reader) readOctets(field string) []byte {
	return r.readBytes(field, r.readLength(field))
}

// maxLengthBytes is the largest number of bytes in the length of a part of a packet: the largest
// REJECT has 66566 bytes.
const maxLengthBytes = 3

// readLength reads a length prefix and insists on its shortest form.
func (r *reader) readLength(field string) int {
	at := r.offset
	first := r.readByte(field)
	if first < longFormBit {
		return int(first)
	}
	size := int(first &^ longFormBit)
	if size > maxLengthBytes {
		r.recordFault(field, at, fmt.Errorf("a length of %d bytes, longer than any packet", size))
	}
	n := 0
	for _, c := range r.readBytes(field, size) {
		n = n<<8 | int(c)
	}
	if size == 0 || lengthSize(n) != 1+size {
		r.recordFault(field, at, errors.New("a length that is not in its shortest form"))
	}
	return n
}

func (r *reader) readByte(field string) byte {
	if b := r.readBytes(field, 1); b != nil {
		return b[0]
	}
	return 0
}

// readBytes reads n bytes, nil after a fault. The capacity of the result is n, so appending to it
// does not write into the packet.
func (r *reader) readBytes(field string, n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > r.bytesLeft() {
		r.recordFault(field, r.offset, fmt.Errorf("the packet is cut: %d bytes are missing", n-r.bytesLeft()))
		return nil
	}
	b := r.packet[r.offset : r.offset+n : r.offset+n]
	r.offset += n
	return b
}

func (r *reader) bytesLeft() int { return len(r.packet) - r.offset }

// recordFault keeps the first fault; later faults follow from it.
func (r *reader) recordFault(field string, at int, reason error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s at byte %d: %w", ErrMalformed, field, at, reason)
	}
}
