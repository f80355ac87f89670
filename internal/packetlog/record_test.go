package packetlog_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/ledger"
)

func TestRecords(t *testing.T) {
	t.Parallel()
	var d packetlog.Decoder
	alice, own := packetlog.Party{Ledger: 1, Peer: "alice"}, packetlog.Party{Ledger: math.MaxUint32}
	require.NoError(t, d.AddParty(packetlog.AppendParty(nil, 3, alice)))
	require.NoError(t, d.AddParty(packetlog.AppendParty(nil, 0, own)))
	p := packetlog.Packet{
		Number: 7, ResolvedAt: 5, Expiry: -1, ID: ledger.NewID(3, 4), From: alice, To: own,
		In: math.MaxUint64, Out: 1, Dust: 300, Condition: [32]byte{1, 31: 2},
	}
	data := packetlog.AppendPacket(nil, &p, 3, 0)
	require.LessOrEqual(t, len(data), packetlog.MaxPacketSize)
	got, from, to, err := d.ReadPacket(data)
	require.NoError(t, err)
	require.Equal(t, p, got)
	require.EqualValues(t, 3, from)
	require.EqualValues(t, 0, to)
	for i := range data {
		_, _, _, err := d.ReadPacket(data[:i])
		require.ErrorIs(t, err, packetlog.ErrRecord)
	}
	_, _, _, err = d.ReadPacket(append(data, 0))
	require.ErrorIs(t, err, packetlog.ErrRecord)
	_, _, _, err = d.ReadPacket(packetlog.AppendPacket(nil, &p, 2, 0))
	require.ErrorIs(t, err, packetlog.ErrRecord)
	require.ErrorContains(t, err, "party 2, which is unknown")

	r := packetlog.Round{Number: 1, Attempt: 2, Through: 3, Packets: 4, At: 5}
	read, err := packetlog.ReadRound(packetlog.AppendRound(nil, &r))
	require.NoError(t, err)
	require.Equal(t, r, read)
	_, err = packetlog.ReadRound([]byte{1})
	require.ErrorIs(t, err, packetlog.ErrRecord)
}
