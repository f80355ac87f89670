package btp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ParseFrame reads exactly one frame. It is strict: a frame is accepted only if encoding it again
// gives the same bytes. The data of the sub-protocols aliases b. The error matches [ErrMalformed] and
// names the field.
func ParseFrame(b []byte) (Frame, error) {
	if len(b) > MaxFrame {
		return Frame{}, fmt.Errorf("%w: size: %d bytes, at most %d are allowed", ErrMalformed, len(b), MaxFrame)
	}
	r := reader{rest: b}
	f := Frame{Type: Type(r.readByte("type"))}
	if id := r.readBytes("request id", 4); id != nil {
		f.RequestID = binary.BigEndian.Uint32(id)
	}
	body := r.readOctets("body")
	r.requireEnd("frame")
	r.rest = body
	r.readBody(&f)
	r.requireEnd("body")
	if r.err != nil {
		return Frame{}, r.err
	}
	return f, nil
}

// reader takes fields from the front of rest. After the first fault every read returns zeros.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) readBody(f *Frame) {
	switch f.Type {
	case TypeResponse, TypeMessage:
	case TypeTransfer:
		if amount := r.readBytes("amount", 8); amount != nil {
			f.Amount = binary.BigEndian.Uint64(amount)
		}
	case TypeError:
		f.Error.Code = string(r.readBytes("code", errorCodeSize))
		f.Error.Name = string(r.readOctets("name"))
		f.Error.TriggeredAt = string(r.readOctets("triggeredAt"))
		f.Error.Data = string(r.readOctets("data"))
	default:
		r.recordFault("type", fmt.Errorf("%d is no type of BTP", f.Type))
	}
	if size := r.readByte("count"); r.err == nil && size != 1 {
		r.recordFault("count", fmt.Errorf("a count of %d bytes, want 1", size))
	}
	for count := r.readByte("count"); count > 0 && r.err == nil; count-- {
		f.SubProtocols = append(f.SubProtocols, SubProtocol{
			Name: string(r.readOctets("name")), ContentType: ContentType(r.readByte("content type")), Data: r.readOctets("data"),
		})
	}
}

// readOctets reads a variable-length string, whose length has the shortest form.
func (r *reader) readOctets(field string) []byte {
	n := int(r.readByte(field))
	if n < 0x80 {
		return r.readBytes(field, n)
	}
	size := n & 0x7f
	if size == 0 || size > 3 {
		r.recordFault(field, fmt.Errorf("a length of %d bytes, want 1 to 3", size))
		return nil
	}
	n = 0
	digits := r.readBytes(field, size)
	for _, c := range digits {
		n = n<<8 | int(c)
	}
	if n < 0x80 || digits[0] == 0 {
		r.recordFault(field, errors.New("a length that is not in its shortest form"))
		return nil
	}
	return r.readBytes(field, n)
}

func (r *reader) readByte(field string) byte {
	if b := r.readBytes(field, 1); b != nil {
		return b[0]
	}
	return 0
}

// readBytes reads n bytes, nil after a fault. Appending to the result does not write into the frame.
func (r *reader) readBytes(field string, n int) []byte {
	if r.err == nil && n > len(r.rest) {
		r.recordFault(field, fmt.Errorf("the frame is cut: %d bytes are missing", n-len(r.rest)))
	}
	if r.err != nil {
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) requireEnd(part string) {
	if len(r.rest) > 0 {
		r.recordFault(part, fmt.Errorf("%d bytes follow the last field", len(r.rest)))
	}
}

// recordFault keeps the first fault; later faults follow from it.
func (r *reader) recordFault(field string, reason error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s: %w", ErrMalformed, field, reason)
	}
}
