package server

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The examples were recorded: see testdata/recorded.
func TestBatches(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		element int
		counts  []int
		trailer string
	}{
		{"four calls", 128, []int{1, 2, 1, 1}, hexOf(0xFF, 118) + "0100" + "0100" + "0200" + "0100" + "0400"},
		{"their results", 16, []int{1, 2, 1, 1}, hexOf(0xFF, 6) + "0100" + "0100" + "0200" + "0100" + "0400"},
		{"two ids", 16, []int{2}, hexOf(0xFF, 12) + "0200" + "0100"},
		{"no row", 128, []int{0}, hexOf(0xFF, 124) + "0000" + "0100"},
		{"eight calls", 16, []int{1, 1, 1, 1, 1, 1, 1, 1}, hexOf(0xFF, 14) + strings.Repeat("0100", 8) + "0800"},
	} {
		sum := 0
		for _, n := range row.counts {
			sum += n
		}
		elements := bytes.Repeat([]byte{7}, sum*row.element)
		body := appendBatches(nil, batches{elements, row.counts}, row.element)
		require.Equal(t, row.trailer, hex.EncodeToString(body[len(elements):]), row.name)
		decoded, valid := decodeBatches(body, row.element)
		require.True(t, valid, row.name)
		require.Equal(t, batches{elements, row.counts}, decoded, row.name)
		for i := len(elements); i < len(body); i++ { // every byte of a trailer counts
			body[i] ^= 0x40
			_, valid := decodeBatches(body, row.element)
			require.False(t, valid, "%s, byte %d", row.name, i)
			body[i] ^= 0x40
		}
		_, valid = decodeBatches(body[row.element:], row.element)
		require.False(t, valid, "%s, an element short", row.name)
	}
	for _, body := range [][]byte{{}, make([]byte, 15), make([]byte, 16), bytes.Repeat([]byte{0xFF}, 16)} {
		_, valid := decodeBatches(body, 16)
		require.False(t, valid, "%x", body)
	}
}

func hexOf(b byte, n int) string { return hex.EncodeToString(bytes.Repeat([]byte{b}, n)) }

// A query batch is one filter, and the results of all filters fit a reply.
func TestFiltersOfARequest(t *testing.T) {
	t.Parallel()
	filters := func(limits ...uint32) []byte {
		var b batches
		for _, limit := range limits {
			filter := make([]byte, queryFilterSize)
			binary.LittleEndian.PutUint32(filter[56:], limit)
			b.elements = append(b.elements, filter...)
			b.counts = append(b.counts, 1)
		}
		return appendBatches(nil, b, queryFilterSize)
	}
	rules, _ := findRules(QueryTransfers)
	for _, row := range []struct {
		limits []uint32
		valid  bool
	}{
		{[]uint32{0}, true},
		{[]uint32{8189}, true},
		{[]uint32{1 << 31}, true}, // as 8189, as for clients before 0.17
		{[]uint32{8189, 0}, true},
		{[]uint32{8188, 1}, true},
		{[]uint32{8189, 1}, false},
		{[]uint32{1 << 31, 1 << 31}, false},
	} {
		_, valid := rules.decodeBody(filters(row.limits...))
		require.Equal(t, row.valid, valid, "%v", row.limits)
	}
	two := batches{make([]byte, 2*queryFilterSize), []int{2}}
	_, valid := rules.decodeBody(appendBatches(nil, two, queryFilterSize))
	require.False(t, valid, "two filters in a batch")

	events, _ := findRules(GetChangeEvents)
	for size, want := range map[int]bool{0: false, 63: false, 64: true, 128: false} {
		_, valid := events.decodeBody(make([]byte, size))
		require.Equal(t, want, valid, "%d bytes", size)
	}
}

// A look-up whose rows might not fit a reply is refused.
func TestLookupOfTooManyIDs(t *testing.T) {
	t.Parallel()
	rules, _ := findRules(LookupAccounts)
	for n, want := range map[int]bool{8189: true, 8190: false} {
		_, valid := rules.decodeBody(appendBatches(nil, batches{make([]byte, n*idSize), []int{n}}, idSize))
		require.Equal(t, want, valid, n)
	}
}

func FuzzBody(f *testing.F) {
	f.Add(uint8(CreateTransfers), appendBatches(nil, batches{make([]byte, 3*rowSize), []int{1, 0, 2}}, rowSize))
	f.Add(uint8(LookupAccounts), appendBatches(nil, batches{make([]byte, 2*idSize), []int{2}}, idSize))
	f.Add(uint8(QueryAccounts), appendBatches(nil, batches{make([]byte, 2*queryFilterSize), []int{1, 1}}, queryFilterSize))
	f.Add(uint8(GetChangeEvents), make([]byte, queryFilterSize))
	f.Add(uint8(createTransfersUnbatched), make([]byte, rowSize))
	f.Fuzz(func(t *testing.T, operation uint8, body []byte) {
		rules, known := findRules(Operation(operation))
		if !known {
			return
		}
		b, valid := rules.decodeBody(body)
		if !valid {
			return
		}
		sum := 0
		for _, n := range b.counts {
			sum += n
		}
		if sum*rules.event != len(b.elements) {
			t.Fatalf("%d elements in %d bytes", sum, len(b.elements))
		}
		again := b.elements
		if rules.multiBatch {
			again = appendBatches(nil, b, rules.event)
		}
		if !bytes.Equal(body, again) {
			t.Fatal("another body has the same batches")
		}
	})
}
