package transfers

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// testParties are accounts of a book without a ledger.
type testParties struct {
	assets                map[uint32]*assetInfo
	alice, bob, us, usEUR accounts.PeerAccount
	aliceEUR, bobEUR      accounts.PeerAccount
	usd, eur              accounts.AssetIDs
}

func newParties(t *testing.T) testParties {
	t.Helper()
	usd := accounts.Asset{Code: "USD", Ledger: 1}
	eur := accounts.Asset{Code: "EUR", Ledger: 2, AllowLoss: true}
	book, err := accounts.NewBook(nil, accounts.Config{Assets: []accounts.Asset{usd, eur}})
	require.NoError(t, err)
	account := func(peer string, asset accounts.Asset) accounts.PeerAccount {
		a, err := book.PeerAccount(peer, asset)
		require.NoError(t, err)
		return a
	}
	p := testParties{
		alice: account("alice", usd), bob: account("bob", usd),
		aliceEUR: account("alice", eur), bobEUR: account("bob", eur),
	}
	p.us, err = book.OwnAccount(usd)
	require.NoError(t, err)
	p.usEUR, err = book.OwnAccount(eur)
	require.NoError(t, err)
	p.usd, _ = book.AssetIDs(1)
	p.eur, _ = book.AssetIDs(2)
	p.assets = map[uint32]*assetInfo{1: {ids: p.usd}, 2: {ids: p.eur, allowLoss: true}}
	return p
}

func (p *testParties) legsOf(packet Packet) ([]leg, error) {
	from, to := p.assets[packet.From.Ledger()], p.assets[packet.To.Ledger()]
	return appendLegs(nil, &packet, from, to)
}

type legsCase struct {
	packet Packet
	want   []leg
}

func legsCases(p *testParties) map[string]legsCase {
	alice, bob := p.alice.ID(), p.bob.ID()
	return map[string]legsCase{
		"same amount": {
			Packet{From: p.alice, To: p.bob, In: 10, Out: 10},
			[]leg{{alice, bob, 10, 1, chart.CodePacket, 0}},
		},
		"fee": {
			Packet{From: p.alice, To: p.bob, In: 10, Out: 9},
			[]leg{{alice, bob, 9, 1, chart.CodePacket, 0}, {alice, p.usd.Revenue, 1, 1, chart.CodeFee, 1}},
		},
		"all of it is a fee": {
			Packet{From: p.alice, To: p.bob, In: 10},
			[]leg{{alice, p.usd.Revenue, 10, 1, chart.CodeFee, 1}},
		},
		"loss": {
			Packet{From: p.aliceEUR, To: p.bobEUR, In: 10, Out: 12},
			[]leg{
				{p.aliceEUR.ID(), p.bobEUR.ID(), 10, 2, chart.CodePacket, 0},
				{p.eur.Liquidity, p.bobEUR.ID(), 2, 2, chart.CodeConversion, 1},
			},
		},
		"two assets": {
			Packet{From: p.alice, To: p.bobEUR, In: 1005, Out: 1, Dust: 5},
			[]leg{
				{alice, p.usd.Liquidity, 1000, 1, chart.CodeConversion, 0},
				{p.eur.Liquidity, p.bobEUR.ID(), 1, 2, chart.CodeConversion, 1},
				{alice, p.usd.Dust, 5, 1, chart.CodeDustLeg, 2},
			},
		},
		"two assets, dust only": {
			Packet{From: p.alice, To: p.bobEUR, In: 5, Dust: 5},
			[]leg{{alice, p.usd.Dust, 5, 1, chart.CodeDustLeg, 2}},
		},
		"from us": {
			Packet{From: p.us, To: p.bob, In: 3, Out: 10},
			[]leg{{p.usd.Liquidity, bob, 10, 1, chart.CodePacket, 0}},
		},
		"to us": {
			Packet{From: p.alice, To: p.us, In: 10, Out: 9},
			[]leg{{alice, p.usd.Liquidity, 10, 1, chart.CodePacket, 0}},
		},
		"from us to us": {Packet{From: p.us, To: p.us, In: 10, Out: 9}, nil},
		"from us to another asset": {
			Packet{From: p.us, To: p.bobEUR, In: 10, Out: 7},
			[]leg{{p.eur.Liquidity, p.bobEUR.ID(), 7, 2, chart.CodeConversion, 1}},
		},
		"back to the sender": {
			Packet{From: p.alice, To: p.alice, In: 10, Out: 8},
			[]leg{
				{alice, p.usd.Liquidity, 8, 1, chart.CodePacket, 0},
				{p.usd.Liquidity, alice, 8, 1, chart.CodePacket, 1},
				{alice, p.usd.Revenue, 2, 1, chart.CodeFee, 2},
			},
		},
		"nothing": {Packet{From: p.alice, To: p.bob}, nil},
	}
}

func TestLegs(t *testing.T) {
	t.Parallel()
	p := newParties(t)
	for name, test := range legsCases(&p) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := p.legsOf(test.packet)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
	_, err := p.legsOf(Packet{From: p.alice, To: p.bob, In: 9, Out: 10})
	require.ErrorIs(t, err, ErrAmounts)
	require.Equal(t, "R01", ILPCode(err))
}

// For every packet the sender is debited In, the receiver is credited Out, and the difference
// is in the right account.
func TestLegsMoveInAndOut(t *testing.T) {
	t.Parallel()
	p := newParties(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	peers := []accounts.PeerAccount{p.alice, p.bob, p.aliceEUR, p.bobEUR}
	for range 10_000 {
		packet := Packet{
			From: peers[random.IntN(4)], To: peers[random.IntN(4)], In: random.Uint64N(20), Out: random.Uint64N(20),
		}
		if packet.From.Ledger() != packet.To.Ledger() {
			packet.Dust = random.Uint64N(packet.In + 1)
		}
		legs, err := p.legsOf(packet)
		if err != nil {
			require.ErrorIs(t, err, ErrAmounts)
			require.Less(t, packet.In, packet.Out)
			require.Equal(t, uint32(1), packet.From.Ledger())
			continue
		}
		require.LessOrEqual(t, len(legs), maxLegs)
		net := map[ledger.ID]int64{}
		for _, l := range legs {
			net[l.debit] -= int64(l.amount)
			net[l.credit] += int64(l.amount)
		}
		want := map[ledger.ID]int64{}
		want[packet.From.ID()] -= int64(packet.In)
		want[packet.To.ID()] += int64(packet.Out)
		rest := int64(packet.In) - int64(packet.Out)
		switch {
		case packet.From.Ledger() != packet.To.Ledger():
			own, other := p.assets[packet.From.Ledger()].ids, p.assets[packet.To.Ledger()].ids
			want[own.Liquidity] += int64(packet.In - packet.Dust)
			want[own.Dust] += int64(packet.Dust)
			want[other.Liquidity] -= int64(packet.Out)
		case rest > 0:
			want[p.assets[packet.From.Ledger()].ids.Revenue] += rest
		default:
			want[p.assets[packet.From.Ledger()].ids.Liquidity] += rest
		}
		for id, n := range want {
			require.Equal(t, n, net[id], "%+v: %+v", packet, legs)
		}
		for id, n := range net {
			require.Equal(t, want[id], n, "%+v: %+v", packet, legs)
		}
	}
}

func TestHashNoticesEveryPart(t *testing.T) {
	t.Parallel()
	p := newParties(t)
	base := []leg{{p.alice.ID(), p.bob.ID(), 9, 1, 1, 0}, {p.alice.ID(), p.usd.Revenue, 1, 1, 2, 1}}
	seen := map[uint32]int{hashLegs(base): -1, hashLegs(base[:1]): -2}
	change := func(i int, by func(*leg)) {
		legs := append([]leg(nil), base...)
		by(&legs[1])
		h := hashLegs(legs)
		require.NotContains(t, seen, h)
		seen[h] = i
	}
	change(0, func(l *leg) { l.number = 2 })
	change(1, func(l *leg) { l.debit = p.bob.ID() })
	change(2, func(l *leg) { l.credit = p.bob.ID() })
	change(3, func(l *leg) { l.amount = 2 })
	change(4, func(l *leg) { l.ledger = 2 })
	change(5, func(l *leg) { l.code = 1 })
	change(6, func(l *leg) { l.amount = 1 | 1<<63 })
	require.Equal(t, uint32(0x60a350af), hashLegs([]leg{{ledger.NewID(1, 2), ledger.NewID(3, 4), 5, 6, 7, 0}}),
		"the hash is in ledgers already")
}

func TestTransferIDsOfAPacketDiffer(t *testing.T) {
	t.Parallel()
	seen := map[ledger.ID]bool{}
	packet := ledger.NewID(7<<8, 9)
	check := func(ph phase) {
		for _, leg := range []uint8{0, 1, 2, legCollect} {
			id := transferID(packet, leg, ph)
			require.False(t, seen[id])
			require.Equal(t, packet.Lo, id.Lo&^0xff)
			seen[id] = true
		}
	}
	check(firstPhase(KindPrepare))
	check(firstPhase(KindForward))
	check(phaseCorrection)
	check(phaseWithoutSender)
	for _, kind := range []Kind{KindFulfill, KindReject} {
		ph, attempts := firstPhase(kind), 1
		for check(ph); ph.nextAttempt() != ph; attempts++ {
			ph = ph.nextAttempt()
			check(ph)
		}
		require.Equal(t, 5, attempts)
	}
	require.Len(t, seen, 14*4)
}
