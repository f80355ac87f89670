package accounts_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
)

func TestPacketLimitsByLevel(t *testing.T) {
	t.Parallel()
	book := bookWith(t, accounts.Rules[accounts.Limits]{
		PeerAsset: map[accounts.PeerAsset]accounts.Limits{{Peer: "alice", Asset: usd}: {MaxPacket: "5", AmountRate: "2.5/1h"}},
		Peer:      map[string]accounts.Limits{"alice": {MaxPacket: "4", MaxHold: time.Hour}, "bob": {MaxPacket: "unlimited", PacketRate: "unlimited"}},
		Asset:     map[accounts.Asset]accounts.Limits{usd: {MaxPacket: "1", MaxHold: time.Minute, PacketRate: "100/1m", AmountRate: "unlimited"}},
	})
	require.True(t, book.HasPacketLimits())
	require.False(t, book.HasCaps())
	perMinute, perHour := accounts.Rate{Count: 100, Per: time.Minute}, accounts.Rate{Count: 2_500_000_000, Per: time.Hour}
	for _, c := range []struct {
		peer  string
		asset accounts.Asset
		max   string // whole units
		want  accounts.PacketLimits
	}{
		{"alice", usd, "5", accounts.PacketLimits{MaxHold: time.Hour, PacketRate: perMinute, AmountRate: perHour}},
		{"alice", xrp, "4", accounts.PacketLimits{MaxHold: time.Hour}},
		{"bob", usd, "0", accounts.PacketLimits{MaxHold: time.Minute}},
		{"carol", usd, "1", accounts.PacketLimits{MaxHold: time.Minute, PacketRate: perMinute}},
		{"carol", xrp, "0", accounts.PacketLimits{}},
	} {
		a, err := book.PeerAccount(c.peer, c.asset)
		require.NoError(t, err)
		got, err := book.EffectiveLimits(a)
		require.NoError(t, err)
		require.Equal(t, c.max, c.asset.WholeUnits(got.MaxPacket).String(), c)
		c.want.MaxPacket = got.MaxPacket
		require.Equal(t, c.want, got.PacketLimits, c)
	}
	require.False(t, bookWith(t, accounts.Rules[accounts.Limits]{}).HasPacketLimits())
	for _, l := range []accounts.Limits{{MaxPacket: "1"}, {MaxHold: 1}, {PacketRate: "1/1s"}, {AmountRate: "1/1s"}} {
		require.True(t, bookWith(t, accounts.Rules[accounts.Limits]{Peer: map[string]accounts.Limits{"bob": l}}).HasPacketLimits())
	}
}

func TestPacketLimitFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limits accounts.Limits
		want   string
	}{
		"packet of 0":       {accounts.Limits{MaxPacket: "0"}, "MaxPacket must be above 0"},
		"packet of a name":  {accounts.Limits{MaxPacket: "much"}, "MaxPacket cannot be used"},
		"hold below 0":      {accounts.Limits{MaxHold: -1}, "MaxHold must not be negative"},
		"rate without time": {accounts.Limits{PacketRate: "100"}, `PacketRate is "100"`},
		"rate in no time":   {accounts.Limits{PacketRate: "100/0s"}, `PacketRate is "100/0s"`},
		"half a packet":     {accounts.Limits{PacketRate: "0.5/1s"}, `PacketRate is "0.5/1s"`},
		"no packet":         {accounts.Limits{PacketRate: "0/1s"}, `PacketRate is "0/1s"`},
		"too much amount":   {accounts.Limits{AmountRate: "18446744073.709551616/1s"}, "AmountRate is"},
		"negative time":     {accounts.Limits{AmountRate: "1/-1s"}, `AmountRate is "1/-1s"`},
	} {
		_, err := accounts.NewBook(nil, accounts.Config{
			Assets: []accounts.Asset{usd}, Limits: accounts.Rules[accounts.Limits]{Peer: map[string]accounts.Limits{"bob": c.limits}},
		})
		require.ErrorIs(t, err, accounts.ErrInvalid, name)
		require.ErrorContains(t, err, c.want, name)
		require.ErrorContains(t, err, "bob", name)
	}
	for _, text := range []accounts.Decimal{"", "--1", "1.0000000001"} {
		_, err := accounts.NewBook(nil, accounts.Config{
			Assets: []accounts.Asset{usd}, LiquidityFloors: map[accounts.Asset]accounts.Decimal{usd: text},
		})
		requireField(t, err, "LiquidityFloors")
	}
	_, err := accounts.NewBook(nil, accounts.Config{
		Assets: []accounts.Asset{usd}, LiquidityFloors: map[accounts.Asset]accounts.Decimal{xrp: "1"},
	})
	require.ErrorContains(t, err, "no asset of the Book")
}
