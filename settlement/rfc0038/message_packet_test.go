package rfc0038_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/ilp"
	"github.com/peerledger/peerledger/settlement/rfc0038"
)

func TestMessagePacket(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.FixedZone("east", 3600))
	packet, err := rfc0038.NewMessagePacket([]byte("hello"), now)
	require.NoError(t, err)
	decoded, err := ilp.Decode(packet)
	require.NoError(t, err)
	prepare, is := decoded.(ilp.Prepare)
	require.True(t, is)
	require.Equal(t, "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925", hex.EncodeToString(prepare.Condition[:]))
	prepare.Condition = [32]byte{}
	require.Equal(t, ilp.Prepare{ExpiresAt: now.UTC().Add(30 * time.Second), Destination: "peer.settle", Data: []byte("hello")}, prepare)
	_, err = rfc0038.NewMessagePacket([]byte(strings.Repeat("x", 32768)), now)
	require.ErrorContains(t, err, "rfc0038: message:")
}

// A peer's packet is a message with the condition that works, and with the one of the RFC.
func TestReadMessagePacket(t *testing.T) {
	t.Parallel()
	for name, condition := range map[string]string{
		"of 32 zero bytes": "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925",
		"of the RFC":       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := ilp.Prepare{ExpiresAt: time.Unix(1e9, 0).UTC(), Destination: "peer.settle", Data: []byte("hello")}
			_, err := hex.Decode(p.Condition[:], []byte(condition))
			require.NoError(t, err)
			message, isMessage, err := rfc0038.ReadMessagePacket(encodePacket(t, p))
			require.NoError(t, err)
			require.True(t, isMessage)
			require.Equal(t, "hello", string(message))

			withAmount := p
			withAmount.Amount = 1
			_, isMessage, err = rfc0038.ReadMessagePacket(encodePacket(t, withAmount))
			require.ErrorIs(t, err, rfc0038.ErrMessagePacket)
			require.ErrorContains(t, err, "the amount is 1")
			require.False(t, isMessage)
			for _, destination := range []string{"peer.config", "peer.settle.alice", "g.alice"} {
				other := p
				other.Destination = destination
				_, isMessage, err = rfc0038.ReadMessagePacket(encodePacket(t, other))
				require.NoError(t, err)
				require.False(t, isMessage, destination)
			}
		})
	}
	packet, err := rfc0038.NewMessagePacket([]byte("x"), time.Unix(1e9, 0))
	require.NoError(t, err)
	message, isMessage, err := rfc0038.ReadMessagePacket(packet)
	require.NoError(t, err)
	require.True(t, isMessage)
	require.Equal(t, "x", string(message))
	_, _, err = rfc0038.ReadMessagePacket(encodePacket(t, ilp.Prepare{ExpiresAt: time.Unix(1e9, 0).UTC(), Destination: "peer.settle"}))
	require.ErrorContains(t, err, "the condition is 0000")
	_, isMessage, err = rfc0038.ReadMessagePacket(encodePacket(t, ilp.Fulfill{}))
	require.NoError(t, err)
	require.False(t, isMessage)
	_, isMessage, err = rfc0038.ReadMessagePacket([]byte("garbage"))
	require.ErrorIs(t, err, rfc0038.ErrMessagePacket)
	require.False(t, isMessage)
}

// The answers to a peer's message are read by the peer.
func TestAnswerToMessagePacket(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 32767} {
		packet, err := rfc0038.NewMessageAnswer(make([]byte, size))
		require.NoError(t, err)
		answer, err := rfc0038.ReadMessageAnswer(packet)
		require.NoError(t, err)
		require.Len(t, answer, size)
	}
	_, err := rfc0038.NewMessageAnswer(make([]byte, 32768))
	require.ErrorIs(t, err, rfc0038.ErrAnswerTooLarge)
	require.Equal(t, "T00", rfc0038.MessageRejectCode(err))
	for _, c := range []struct {
		err        error
		code, text string
	}{
		{err, "T00", "no answer of the settlement engine"},
		{rfc0038.ErrEmptyMessage, "F00", "the settlement engine refuses the message"},
		{&rfc0038.AnswerError{Status: 400}, "F00", "the settlement engine refuses the message"},
		{&rfc0038.AnswerError{Status: 503}, "T00", "no answer of the settlement engine"},
		{rfc0038.ErrMessagePacket, "F01", "the packet is invalid"},
	} {
		_, err := rfc0038.ReadMessageAnswer(rfc0038.NewMessageReject(c.err))
		var reject *rfc0038.RejectError
		require.ErrorAs(t, err, &reject)
		require.Equal(t, rfc0038.RejectError{Code: c.code, TriggeredBy: "peer.settle", Message: c.text}, *reject)
	}
}

func encodePacket(t *testing.T, p ilp.Packet) []byte {
	t.Helper()
	packet, err := p.AppendBinary(nil)
	require.NoError(t, err)
	return packet
}

func TestMessageAnswer(t *testing.T) {
	t.Parallel()
	encode := func(p ilp.Packet) []byte { return encodePacket(t, p) }
	data, err := rfc0038.ReadMessageAnswer(encode(ilp.Fulfill{Data: []byte("hi")}))
	require.NoError(t, err)
	require.Equal(t, "hi", string(data))
	_, err = rfc0038.ReadMessageAnswer(encode(ilp.Reject{Code: "F02", TriggeredBy: "g.a", Message: "no engine"}))
	var reject *rfc0038.RejectError
	require.ErrorAs(t, err, &reject)
	require.Equal(t, rfc0038.RejectError{Code: "F02", TriggeredBy: "g.a", Message: "no engine"}, *reject)
	require.EqualError(t, err, `rfc0038: the message was rejected by "g.a" with F02: no engine`)
	for packet, want := range map[string]string{
		"":        "answer to a message",
		"garbage": "answer to a message",
		string(encode(ilp.Fulfill{Fulfillment: [32]byte{1}})):                               "the fulfillment is wrong",
		string(encode(ilp.Prepare{Destination: "g.a", ExpiresAt: time.Unix(1e9, 0).UTC()})): "it is a PREPARE",
	} {
		_, err := rfc0038.ReadMessageAnswer([]byte(packet))
		require.ErrorContains(t, err, want)
	}
}
