package aggregate

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

type noJournal struct{}

func (noJournal) appendRecord(uint8, []byte) {}

// A packet's prepare and fulfill between 1,000 peers in the machine alone, without lock, clock, disk
// and rounds. A million ids stay in memory.
func BenchmarkMachine(b *testing.B) {
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(b, err)
	r := rules{
		journal: 1, seed: [2]uint64{3, 5}, timeout: 180, margin: 2 * time.Second, minHold: time.Second, maxHold: time.Minute,
		outage: time.Minute, horizon: time.Minute, maxLegs: ledger.BatchMax, sharePercent: 50,
	}
	now := moment{wall: base.UnixNano()}
	m := newMachine(book, r, noJournal{}, nil, now)
	var peers []accounts.PeerAccount
	for i := range 1000 {
		a, err := book.PeerAccount(fmt.Sprint("peer", i), usd)
		require.NoError(b, err)
		p, err := m.peerOf(a)
		require.NoError(b, err)
		p.known, p.holds = true, []hold{{amount: 1 << 60, endsAt: math.MaxInt64}}
		peers = append(peers, a)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if now.wall += 100_000; i%100_000 == 0 {
			m.tallies = nil
		}
		op := transfers.PrepareOp(transfers.Packet{
			ID: ledger.NewID(uint64(i+1)<<8, 9), From: peers[i*7%1000], To: peers[i*13%1000], In: 100, Out: 99, Expiry: time.Unix(0, now.wall+20e9),
		})
		if r, _ := m.submit(now, &op); r.err != nil {
			b.Fatal(r.err)
		}
		op.Kind = transfers.KindFulfill
		if r, _ := m.submit(now, &op); r.err != nil {
			b.Fatal(r.err)
		}
	}
	b.ReportMetric(float64(m.memory.bytes())/float64(max(m.memory.live, 1)), "B/id")
}
