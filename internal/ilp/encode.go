package ilp

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// AppendBinary appends the packet's canonical encoding to b. See [Packet].
func (p Prepare) AppendBinary(b []byte) ([]byte, error) {
	err := firstError(
		fieldError("expiresAt", checkTime(p.ExpiresAt)),
		fieldError("destination", checkDestination(p.Destination)),
		fieldError("data", checkData(p.Data)))
	if err != nil {
		return b, err
	}
	b = append(b, byte(TypePrepare))
	b = appendLength(b, prepareSize+octetsSize(len(p.Destination))+octetsSize(len(p.Data)))
	b = binary.BigEndian.AppendUint64(b, p.Amount)
	b = appendTime(b, p.ExpiresAt)
	b = append(b, p.Condition[:]...)
	b = appendOctets(b, p.Destination)
	return appendOctets(b, p.Data), nil
}

// AppendBinary appends the packet's canonical encoding to b. See [Packet].
func (p Fulfill) AppendBinary(b []byte) ([]byte, error) {
	if err := fieldError("data", checkData(p.Data)); err != nil {
		return b, err
	}
	b = append(b, byte(TypeFulfill))
	b = appendLength(b, hashSize+octetsSize(len(p.Data)))
	b = append(b, p.Fulfillment[:]...)
	return appendOctets(b, p.Data), nil
}

// AppendBinary appends the packet's canonical encoding to b. See [Packet].
func (p Reject) AppendBinary(b []byte) ([]byte, error) {
	err := firstError(
		fieldError("code", checkCode(p.Code)),
		fieldError("triggeredBy", checkAddress(p.TriggeredBy)),
		fieldError("message", checkMessage(p.Message)),
		fieldError("data", checkData(p.Data)))
	if err != nil {
		return b, err
	}
	b = append(b, byte(TypeReject))
	b = appendLength(b, codeSize+octetsSize(len(p.TriggeredBy))+octetsSize(len(p.Message))+octetsSize(len(p.Data)))
	b = append(b, p.Code...)
	b = appendOctets(b, p.TriggeredBy)
	b = appendOctets(b, p.Message)
	return appendOctets(b, p.Data), nil
}

// fieldError is the error of a field that cannot be encoded, nil if reason is nil.
func fieldError(field string, reason error) error {
	if reason == nil {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrMalformed, field, reason)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// appendOctets appends a variable-length string: its length, then its bytes.
func appendOctets[S string | []byte](b []byte, s S) []byte {
	return append(appendLength(b, len(s)), s...)
}

// octetsSize is the size of a variable-length string of n bytes.
func octetsSize(n int) int { return lengthSize(n) + n }

// appendLength appends the shortest length prefix: n itself below 128, else 128 plus the number of
// bytes in n, and these bytes, big-endian.
func appendLength(b []byte, n int) []byte {
	size := lengthSize(n)
	if size == 1 {
		return append(b, byte(n))
	}
	b = append(b, longFormBit|byte(size-1))
	for i := size - 2; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}

// lengthSize is the size of the shortest length prefix of n.
func lengthSize(n int) int {
	if n < longFormBit {
		return 1
	}
	return 1 + (bits.Len(uint(n))+7)/8
}

// longFormBit is set in the first byte of a length prefix of several bytes. The other bits then
// count the bytes of the length behind it.
const longFormBit = 0x80
