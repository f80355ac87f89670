package ilp_test

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/ilp"
)

var (
	preimage  = [32]byte{31: 7}
	condition = sha256.Sum256(preimage[:])
)

// prepare is a packet whose fields the tests change one by one.
func prepare() ilp.Prepare {
	return ilp.Prepare{
		Amount:      107,
		ExpiresAt:   time.Date(2026, 11, 23, 1, 47, 25, 701_000_000, time.UTC),
		Condition:   condition,
		Destination: "test.hub.alice",
		Data:        []byte("hi"),
	}
}

func reject() ilp.Reject {
	return ilp.Reject{Code: "T04", TriggeredBy: "test.hub", Message: "später", Data: []byte{1}}
}

func encode(tb testing.TB, p ilp.Packet) []byte {
	tb.Helper()
	b, err := p.AppendBinary(nil)
	require.NoError(tb, err)
	return b
}

// TestWireFormat pins the bytes, written out by hand from the ASN.1.
func TestWireFormat(t *testing.T) {
	t.Parallel()
	key := hex.EncodeToString(preimage[:])
	for name, c := range map[string]struct {
		packet ilp.Packet
		wire   string
	}{
		"prepare": {prepare(), "0c4b" + "000000000000006b" +
			hex.EncodeToString([]byte("20261123014725701")) + hex.EncodeToString(condition[:]) +
			"0e" + hex.EncodeToString([]byte("test.hub.alice")) + "026869"},
		"fulfill":          {ilp.Fulfill{Fulfillment: preimage, Data: []byte{9}}, "0d22" + key + "0109"},
		"fulfill, no data": {ilp.Fulfill{Fulfillment: preimage, Data: []byte{}}, "0d21" + key + "00"},
		"reject": {reject(), "0e16" + "543034" + "08" + hex.EncodeToString([]byte("test.hub")) +
			"07" + hex.EncodeToString([]byte("später")) + "0101"},
		"reject of nobody": {ilp.Reject{Code: "F05", Data: []byte{}}, "0e06" + "463035" + "000000"},
		"length of one byte more": {
			ilp.Fulfill{Fulfillment: preimage, Data: make([]byte, 128)},
			"0d81a2" + key + "8180" + strings.Repeat("00", 128),
		},
		"length of two bytes more": {
			ilp.Fulfill{Fulfillment: preimage, Data: make([]byte, 256)},
			"0d820123" + key + "820100" + strings.Repeat("00", 256),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.wire, hex.EncodeToString(encode(t, c.packet)))
			b, err := hex.DecodeString(c.wire)
			require.NoError(t, err)
			got, err := ilp.Decode(b)
			require.NoError(t, err)
			require.Equal(t, c.packet, got)
		})
	}
}

// TestLargest has every field at its limit; the REJECT's length takes three bytes.
func TestLargest(t *testing.T) {
	t.Parallel()
	address, data := "g."+strings.Repeat("a", 1021), make([]byte, 32767)
	last := time.Date(9999, 12, 31, 23, 59, 59, 999_000_000, time.UTC)
	for _, p := range []ilp.Packet{
		ilp.Prepare{Amount: 1<<64 - 1, ExpiresAt: last, Destination: address, Data: data},
		ilp.Fulfill{Data: data},
		ilp.Reject{Code: "F99", TriggeredBy: address, Message: strings.Repeat("𝄞", 8191), Data: data},
	} {
		got, err := ilp.Decode(encode(t, p))
		require.NoError(t, err)
		require.Equal(t, p, got)
	}
}

func TestExpiryIsCutToMillisecondsInUTC(t *testing.T) {
	t.Parallel()
	p := prepare()
	p.ExpiresAt = time.Date(2017, 12, 24, 18, 14, 32, 279_999_999, time.FixedZone("", 2*60*60))
	got, err := ilp.Decode(encode(t, p))
	require.NoError(t, err)
	require.Equal(t, time.Date(2017, 12, 24, 16, 14, 32, 279_000_000, time.UTC), got.(ilp.Prepare).ExpiresAt)
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		packet []byte
		want   string
	}{
		"nothing":               {nil, "type at byte 0: the packet is cut"},
		"ILPv1 payment":         {[]byte{1, 0}, "type at byte 0: 1 is not a packet type"},
		"no length":             {[]byte{12}, "length at byte 1: the packet is cut"},
		"length of no bytes":    {[]byte{13, 0x80}, "length at byte 1: a length that is not in its shortest form"},
		"length with a zero":    {[]byte{13, 0x82, 0, 0x80}, "length at byte 1: a length that is not in its shortest form"},
		"long form of 127":      {[]byte{13, 0x81, 127}, "length at byte 1: a length that is not in its shortest form"},
		"length of four bytes":  {[]byte{13, 0x84, 1, 0, 0, 0}, "length at byte 1: a length of 4 bytes"},
		"length is cut":         {[]byte{13, 0x82, 1}, "length at byte 2: the packet is cut"},
		"announces too much":    {[]byte{13, 5, 0}, "the packet has 1 bytes after its length, not 5"},
		"bytes after it":        {append(encode(t, prepare()), 0), "the packet has 76 bytes after its length, not 75"},
		"bytes after the data":  {[]byte{14, 7, 'F', '0', '0', 0, 0, 0, 9}, "end at byte 8: 1 bytes follow the last field"},
		"no amount":             {[]byte{12, 7, 0, 0, 0, 0, 0, 0, 0}, "amount at byte 2: the packet is cut"},
		"no expiry":             {[]byte{12, 8, 0, 0, 0, 0, 0, 0, 0, 0}, "expiresAt at byte 10: the packet is cut"},
		"no condition":          {prepareOf(27), "executionCondition at byte 27: the packet is cut"},
		"no destination":        {prepareOf(59), "destination at byte 59: the packet is cut"},
		"short fulfillment":     {append([]byte{13, 31}, make([]byte, 31)...), "fulfillment at byte 2: the packet is cut: 1 bytes"},
		"code of two bytes":     {[]byte{14, 2, 'F', '0'}, "code at byte 2: the packet is cut"},
		"code that is no ASCII": {[]byte{14, 6, 'F', 0xC3, '0', 0, 0, 0}, "code at byte 2: byte 0xc3"},
		"message not UTF-8":     {[]byte{14, 7, 'F', '0', '0', 0, 1, 0xFF, 0}, "message at byte 6: not UTF-8"},
		"message too long":      {rejectWith(nil, make([]byte, 8192), nil), "message at byte 8: 8192 characters"},
		"triggeredBy too long":  {rejectWith(make([]byte, 1024), nil, nil), "triggeredBy at byte 7: an address of 1024 bytes"},
		"data too long":         {rejectWith(nil, nil, make([]byte, 32768)), "data at byte 9: 32768 bytes, at most 32767"},
		"an empty destination":  {prepareWith(59, 0), "destination at byte 59: an empty address"},
		"a space in an address": {prepareWith(60, ' '), "destination at byte 59: byte 0x20"},
		"a slash in an address": {prepareWith(61, '/'), "destination at byte 59: byte 0x2f"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := ilp.Decode(c.packet)
			require.Nil(t, p)
			require.ErrorIs(t, err, ilp.ErrMalformed)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// prepareOf encodes the first n bytes of prepare() as a packet.
func prepareOf(n int) []byte {
	b := prepareWith(1, byte(n-2))
	return b[:n]
}

// prepareWith encodes prepare() with one byte overwritten.
func prepareWith(offset int, value byte) []byte {
	b, _ := prepare().AppendBinary(nil)
	b[offset] = value
	return b
}

// rejectWith is a REJECT that AppendBinary would refuse to write. Its lengths
// have three bytes where they must, one where the part is empty.
func rejectWith(triggeredBy, message, data []byte) []byte {
	body := []byte("F00")
	for _, part := range [][]byte{triggeredBy, message, data} {
		if len(part) > 0 {
			body = append(body, 0x82, byte(len(part)>>8), byte(len(part)))
		} else {
			body = append(body, 0)
		}
		body = append(body, part...)
	}
	return slices.Concat([]byte{14, 0x82, byte(len(body) >> 8), byte(len(body))}, body)
}

func TestDecodeRefusesDates(t *testing.T) {
	t.Parallel()
	for _, date := range []string{
		"20171324161432200", // no month 13
		"20170024161432200", // no month 0
		"20170229161432200", // not a leap year
		"20171224240000000", // midnight belongs to the next day
		"20171224236000000", // no minute 60
		"20161231235960852", // a leap second is smeared, never written
		"2017122423000000.", // not a digit
		"2017122421530Z000", // not a digit
		"+2017122423000000", // not a digit
	} {
		b := encode(t, prepare())
		copy(b[10:], date)
		_, err := ilp.Decode(b)
		require.ErrorIs(t, err, ilp.ErrMalformed, date)
		require.ErrorContains(t, err, "expiresAt at byte 10", date)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	tooMuch := make([]byte, 32768)
	for name, c := range map[string]struct {
		packet ilp.Packet
		want   string
	}{
		"year of five digits":  {changed(func(p *ilp.Prepare) { p.ExpiresAt = p.ExpiresAt.AddDate(8000, 0, 0) }), "expiresAt: year 10026"},
		"negative year":        {changed(func(p *ilp.Prepare) { p.ExpiresAt = p.ExpiresAt.AddDate(-2027, 0, 0) }), "expiresAt: year -1"},
		"no destination":       {changed(func(p *ilp.Prepare) { p.Destination = "" }), "destination: an empty address"},
		"long destination":     {changed(func(p *ilp.Prepare) { p.Destination = strings.Repeat("a", 1024) }), "destination: an address of 1024"},
		"prepare data":         {changed(func(p *ilp.Prepare) { p.Data = tooMuch }), "data: 32768 bytes"},
		"fulfill data":         {ilp.Fulfill{Data: tooMuch}, "data: 32768 bytes"},
		"reject data":          {ilp.Reject{Code: "F00", Data: tooMuch}, "data: 32768 bytes"},
		"short code":           {ilp.Reject{Code: "F0"}, "code: an error code of 2 bytes"},
		"code that is no IA5":  {ilp.Reject{Code: "Fé"}, "code: byte 0xc3"},
		"triggered by a slash": {ilp.Reject{Code: "F00", TriggeredBy: "a/b"}, "triggeredBy: byte 0x2f"},
		"message not UTF-8":    {ilp.Reject{Code: "F00", Message: "\xff"}, "message: not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := c.packet.AppendBinary([]byte("kept"))
			require.Equal(t, "kept", string(b))
			require.ErrorIs(t, err, ilp.ErrMalformed)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func changed(change func(*ilp.Prepare)) ilp.Prepare {
	p := prepare()
	change(&p)
	return p
}

// TestDataAliases: the Data of a packet is no copy, and appending to it does not reach the bytes
// behind it.
func TestDataAliases(t *testing.T) {
	t.Parallel()
	wire := encode(t, prepare())
	shared := append(wire, "next"...)
	p, err := ilp.Decode(shared[:len(wire)])
	require.NoError(t, err)
	data := p.(ilp.Prepare).Data
	require.Same(t, &shared[len(wire)-2], &data[0])
	_ = append(data, 'X')
	require.Equal(t, "next", string(shared[len(wire):]))
}

// The amounts of RFC 0027, and what nodes send that leave them out.
func TestAmountTooLarge(t *testing.T) {
	t.Parallel()
	want := ilp.AmountTooLarge{Received: 1<<64 - 1, Maximum: 0x0102030405060708}
	data := want.Data()
	require.Equal(t, "ffffffffffffffff0102030405060708", hex.EncodeToString(data))
	got, err := ilp.DecodeAmountTooLarge(data)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for _, wrong := range [][]byte{nil, data[:15], append(data, 0)} {
		_, err = ilp.DecodeAmountTooLarge(wrong)
		require.ErrorIs(t, err, ilp.ErrMalformed)
	}
}

func TestFulfills(t *testing.T) {
	t.Parallel()
	require.True(t, ilp.Fulfill{Fulfillment: preimage}.Fulfills(condition))
	require.False(t, ilp.Fulfill{Fulfillment: condition}.Fulfills(condition))
}

func TestTypeNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, "PREPARE", prepare().Type().String())
	require.Equal(t, "FULFILL", ilp.Fulfill{}.Type().String())
	require.Equal(t, "REJECT", reject().Type().String())
	require.Equal(t, "type 8", ilp.Type(8).String())
}

// FuzzDecode: an accepted packet has one encoding, the bytes that were read.
func FuzzDecode(f *testing.F) {
	for _, p := range []ilp.Packet{
		prepare(),
		ilp.Prepare{Destination: "peer.config"},
		ilp.Fulfill{Fulfillment: preimage, Data: make([]byte, 300)},
		reject(),
		ilp.Reject{Code: "F05"},
	} {
		f.Add(encode(f, p))
	}
	f.Add([]byte{})
	f.Add([]byte{13, 0x80})
	f.Add([]byte{14, 0x81, 6, 'F', '0', '0', 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ilp.Decode(b)
		if err != nil {
			require.ErrorIs(t, err, ilp.ErrMalformed)
			require.Nil(t, p)
			return
		}
		again := encode(t, p)
		require.Equal(t, b, again)
		q, err := ilp.Decode(again)
		require.NoError(t, err)
		require.Equal(t, p, q)
	})
}
