package ilp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Decode reads exactly one packet. It gives a Prepare, a Fulfill or a Reject, by
// value, or no packet and an error that matches ErrMalformed. The Data of the
// packet aliases b: copy it if b is written to afterwards. The text fields are
// copies.
func Decode(b []byte) (Packet, error) {
	r := reader{b: b}
	packet := r.packet()
	if r.err == nil && r.left() > 0 {
		r.fail("end", r.off, fmt.Errorf("%d bytes follow the last field", r.left()))
	}
	if r.err != nil {
		return nil, r.err
	}
	return packet, nil
}

// reader walks through a packet. After the first fault every read gives zeros,
// so that only the end has to look at err.
type reader struct {
	b   []byte
	off int
	err error
}

func (r *reader) packet() Packet {
	switch kind := Type(r.byte("type")); kind {
	case TypePrepare:
		r.envelope()
		return r.prepare()
	case TypeFulfill:
		r.envelope()
		return r.fulfill()
	case TypeReject:
		r.envelope()
		return r.reject()
	default:
		r.fail("type", 0, fmt.Errorf("%d is not a packet type of ILPv4", uint8(kind)))
		return nil
	}
}

// envelope reads the length of all that follows the type.
func (r *reader) envelope() {
	at := r.off
	if length := r.length("length"); length != r.left() {
		r.fail("length", at, fmt.Errorf("the packet has %d bytes after its length, not %d", r.left(), length))
	}
}

func (r *reader) prepare() (p Prepare) {
	if amount := r.take("amount", amountSize); amount != nil {
		p.Amount = binary.BigEndian.Uint64(amount)
	}
	if expiry := r.take("expiresAt", timeSize); expiry != nil {
		var ok bool
		if p.ExpiresAt, ok = parseTime(expiry); !ok {
			r.fail("expiresAt", r.off-timeSize, fmt.Errorf("%q is not a date YYYYMMDDHHMMSSfff", expiry))
		}
	}
	copy(p.Condition[:], r.take("executionCondition", hashSize))
	p.Destination = r.text("destination", checkDestination)
	p.Data = r.data()
	return p
}

func (r *reader) fulfill() (p Fulfill) {
	copy(p.Fulfillment[:], r.take("fulfillment", hashSize))
	p.Data = r.data()
	return p
}

func (r *reader) reject() (p Reject) {
	p.Code = string(r.take("code", codeSize))
	if err := checkCode(p.Code); err != nil {
		r.fail("code", r.off-codeSize, err)
	}
	p.TriggeredBy = r.text("triggeredBy", checkAddress)
	p.Message = r.text("message", checkMessage)
	p.Data = r.data()
	return p
}

func (r *reader) data() []byte {
	at := r.off
	b := r.octets("data")
	if err := checkData(b); err != nil {
		r.fail("data", at, err)
	}
	return b
}

func (r *reader) text(field string, check func(string) error) string {
	at := r.off
	s := string(r.octets(field))
	if err := check(s); err != nil {
		r.fail(field, at, err)
	}
	return s
}

// octets reads a variable-length string.
func (r *reader) octets(field string) []byte {
	return r.take(field, r.length(field))
}

// maxLengthBytes is the most bytes that the length of a part of a packet takes:
// the largest REJECT has 66566.
const maxLengthBytes = 3

// length reads a length prefix and insists on its shortest form.
func (r *reader) length(field string) int {
	at := r.off
	first := r.byte(field)
	if first < longForm {
		return int(first)
	}
	size := int(first &^ longForm)
	if size > maxLengthBytes {
		r.fail(field, at, fmt.Errorf("a length of %d bytes, longer than any packet", size))
	}
	n := 0
	for _, c := range r.take(field, size) {
		n = n<<8 | int(c)
	}
	if size == 0 || lengthSize(n) != 1+size {
		r.fail(field, at, errors.New("a length that is not in its shortest form"))
	}
	return n
}

func (r *reader) byte(field string) byte {
	if b := r.take(field, 1); b != nil {
		return b[0]
	}
	return 0
}

// take reads n bytes, nil after a fault. Its capacity ends with it, so that
// appending to it does not write into the packet.
func (r *reader) take(field string, n int) []byte {
	if r.err != nil {
		return nil
	}
	if n > r.left() {
		r.fail(field, r.off, fmt.Errorf("the packet is cut: %d bytes are missing", n-r.left()))
		return nil
	}
	b := r.b[r.off : r.off+n : r.off+n]
	r.off += n
	return b
}

func (r *reader) left() int { return len(r.b) - r.off }

// fail keeps the first fault; those after it follow from it.
func (r *reader) fail(field string, at int, reason error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s at byte %d: %w", ErrMalformed, field, at, reason)
	}
}
