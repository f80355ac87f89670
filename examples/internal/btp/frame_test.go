package btp_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/examples/internal/btp"
)

// frames are the layouts of RFC 0023, byte by byte.
var frames = []struct {
	title string
	hex   string
	frame btp.Frame
}{
	{"answer to a log-in", "01 00000001 02 01 00", btp.Frame{Type: btp.TypeResponse, RequestID: 1}},
	{
		"log-in", "06 00000001 29 01 03 04 61757468 00 00 0d 617574685f757365726e616d65 01 00 0a 617574685f746f6b656e 01 03 616263",
		btp.Frame{Type: btp.TypeMessage, RequestID: 1, SubProtocols: []btp.SubProtocol{
			{Name: "auth", Data: []byte{}},
			{Name: "auth_username", ContentType: btp.ContentText, Data: []byte{}},
			{Name: "auth_token", ContentType: btp.ContentText, Data: []byte("abc")},
		}},
	},
	{
		"packet", "06 fffffffe 0a 01 01 03 696c70 00 02 0c00",
		btp.Frame{Type: btp.TypeMessage, RequestID: 0xfffffffe, SubProtocols: []btp.SubProtocol{{Name: "ilp", Data: []byte{12, 0}}}},
	},
	{
		"error", "02 00000007 0c 463030 01 4e 01 54 02 6e6f 01 00",
		btp.Frame{Type: btp.TypeError, RequestID: 7, Error: btp.ErrorFields{Code: "F00", Name: "N", TriggeredAt: "T", Data: "no"}},
	},
	{"transfer", "07 00000009 0a 8000000000000000 01 00", btp.Frame{Type: btp.TypeTransfer, RequestID: 9, Amount: 1 << 63}},
}

func TestFrames(t *testing.T) {
	t.Parallel()
	for _, c := range frames {
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			want, err := hex.DecodeString(strings.ReplaceAll(c.hex, " ", ""))
			require.NoError(t, err)
			got, err := c.frame.AppendBinary(nil)
			require.NoError(t, err)
			require.Equal(t, want, got)
			frame, err := btp.ParseFrame(want)
			require.NoError(t, err)
			require.Equal(t, c.frame, frame)
			for cut := range want {
				_, err := btp.ParseFrame(want[:cut])
				require.ErrorIs(t, err, btp.ErrMalformed, "cut after %d bytes", cut)
			}
		})
	}
}

func TestFramesThatCannotBe(t *testing.T) {
	t.Parallel()
	for text, field := range map[string]string{
		"":                                "type: ",
		"03 00000001 02 01 00":            "type: 3",
		"01 00000001 02 01 00 00":         "frame: 1 bytes",
		"01 00000001 03 01 00 00":         "body: 1 bytes",
		"01 00000001 81 02 01 00":         "body: a length that is not in its shortest form",
		"01 00000001 82 0002 01 00":       "body: a length that is not in its shortest form",
		"01 00000001 80 01 00":            "body: a length of 0 bytes",
		"01 00000001 84 00000002 01 00":   "body: a length of 4 bytes",
		"01 00000001 03 02 00 00":         "count: a count of 2 bytes",
		"01 00000001 02 01 01":            "name: the frame is cut",
		"02 00000007 02 01 00":            "code: the frame is cut",
		"07 00000007 02 01 00":            "amount: the frame is cut",
		"06 00000001 83 ffffff 01 00":     "body: the frame is cut: 16777213 bytes are missing",
		strings.Repeat("00", 1+(1<<17)):   "size: 131073 bytes",
		"06 00000001 06 01 01 03 696c 00": "content type: ",
	} {
		body, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		require.NoError(t, err)
		_, err = btp.ParseFrame(body)
		require.ErrorIs(t, err, btp.ErrMalformed, text)
		require.ErrorContains(t, err, field, text[:min(len(text), 60)])
	}
	for _, f := range []btp.Frame{
		{Type: 3},
		{Type: btp.TypeError, Error: btp.ErrorFields{Code: "F0"}},
		{Type: btp.TypeMessage, SubProtocols: make([]btp.SubProtocol, 256)},
		{Type: btp.TypeMessage, SubProtocols: []btp.SubProtocol{{Data: make([]byte, btp.MaxFrame)}}},
	} {
		b, err := f.AppendBinary([]byte("x"))
		require.ErrorIs(t, err, btp.ErrMalformed)
		require.Equal(t, "x", string(b))
	}
}

// Lengths around each limit of their prefix come back as they were.
func TestFramesOfEverySize(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 126, 127, 128, 255, 256, 65535, 65536, 120000} {
		f := btp.Frame{Type: btp.TypeMessage, RequestID: uint32(n), SubProtocols: []btp.SubProtocol{
			{Name: strings.Repeat("n", min(n, 300)), ContentType: 9, Data: bytes.Repeat([]byte{7}, n)}, {Name: "ilp", Data: []byte{1}},
		}}
		b, err := f.AppendBinary(nil)
		require.NoError(t, err)
		got, err := btp.ParseFrame(b)
		require.NoError(t, err)
		require.Equal(t, f, got)
		require.Equal(t, []byte{1}, got.ILP())
	}
}

// Whatever the bytes are, the parser ends, and a frame that it accepts is encoded as the same bytes.
func FuzzParseFrame(f *testing.F) {
	for _, c := range frames {
		b, err := c.frame.AppendBinary(nil)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add([]byte{6, 0, 0, 0, 1, 0x83, 0xff, 0xff, 0xff, 1, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := btp.ParseFrame(b)
		if err != nil {
			require.ErrorIs(t, err, btp.ErrMalformed)
			return
		}
		again, err := frame.AppendBinary(nil)
		require.NoError(t, err)
		require.Equal(t, b, again)
	})
}

func Example() {
	request := btp.Frame{Type: btp.TypeMessage, RequestID: 7, SubProtocols: []btp.SubProtocol{{Name: "ilp", Data: []byte{12, 0}}}}
	b, err := request.AppendBinary(nil)
	if err != nil {
		panic(err)
	}
	frame, err := btp.ParseFrame(b)
	fmt.Println(frame.RequestID, len(frame.ILP()), err)
	_, err = btp.ParseFrame(b[:8])
	fmt.Println(err)
	// Output:
	// 7 2 <nil>
	// btp: malformed frame: body: the frame is cut: 8 bytes are missing
}
