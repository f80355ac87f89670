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

func TestMessageAnswer(t *testing.T) {
	t.Parallel()
	encode := func(p ilp.Packet) []byte {
		packet, err := p.AppendBinary(nil)
		require.NoError(t, err)
		return packet
	}
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
