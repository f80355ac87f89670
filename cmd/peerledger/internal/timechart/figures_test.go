package timechart_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/cmd/peerledger/internal/timechart"
	"github.com/peerledger/peerledger/ledger"
)

// The figures of random months: positions are the history of the book, and what moved in each step explains their change.
func TestReadAgreesWithTheBook(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b := newTestBook(t, "alice", "bob", "carol")
	b.fillMonth(random)
	steps := 1 + random.IntN(100)
	query := timechart.Query{From: november.AddDate(0, 0, random.IntN(5)), To: b.now.AddDate(0, 0, -random.IntN(5)), Steps: steps}
	for _, peers := range [][]accounts.PeerAccount{b.peers, b.peers[1:2]} {
		f, err := timechart.Read(t.Context(), b.Book, peers, query)
		require.NoError(t, err)
		require.Equal(t, usd, f.Asset)
		require.Len(t, f.Times, steps+1)
		require.Len(t, f.Settled, steps)
		require.Len(t, f.Packets, steps)
		all := make([]*big.Int, steps+1)
		for n, p := range f.Peers {
			require.Equal(t, peers[n].Peer(), p.ID)
			history, err := b.History(t.Context(), peers[n], accounts.HistoryQuery{From: query.From, To: query.To, Steps: steps})
			require.NoError(t, err)
			for i, point := range history.Points {
				require.Equal(t, point.Time, f.Times[i])
				require.Zero(t, point.Position.Cmp(p.Positions[i]), "%d", i)
				if n == 0 {
					all[i] = new(big.Int)
				}
				all[i].Add(all[i], p.Positions[i])
			}
			requireExplained(t, p.Positions[0], p.Positions[steps], p.Settled, p.Packets)
		}
		for i := range steps {
			requireExplained(t, all[i], all[i+1], f.Settled[i], f.Packets[i])
		}
	}
}

// requireExplained checks that money from the peer raises the position, and that packets from the peer lower it.
func requireExplained(t *testing.T, before, after *big.Int, settled, packets timechart.Flow) {
	t.Helper()
	want := new(big.Int).Add(before, settled.In)
	want.Sub(want, settled.Out).Sub(want, packets.In).Add(want, packets.Out)
	require.Equal(t, want.String(), after.String())
}

// A returned payment goes back to the peer, and an adjustment moves nothing between the sides.
func TestReturnsAndAdjustments(t *testing.T) {
	t.Parallel()
	b := newTestBook(t, "alice")
	b.receive(0, 500)
	_, err := b.Adjust(t.Context(), accounts.Adjustment{Account: b.peers[0], Key: "a", Credit: ledger.NewAmount(7), ReasonCode: 1})
	require.NoError(t, err)
	b.returnLast(0, 200)
	b.now = b.now.AddDate(0, 0, 1)
	f, err := timechart.Read(t.Context(), b.Book, b.peers, timechart.Query{To: b.now, Steps: 2})
	require.NoError(t, err)
	p := f.Peers[0]
	require.Equal(t, []string{"500", "200", "0", "0", "307"},
		[]string{p.Settled.In.String(), p.Settled.Out.String(), p.Packets.In.String(), p.Packets.Out.String(), p.Positions[2].String()})
	require.False(t, f.Times[0].Before(november), "it begins with the peer")
	require.Equal(t, "500", f.Settled[0].In.String())
	require.Equal(t, "0", f.Settled[1].In.String())
}

// A booking at the very end of a step belongs to the next one, as the position at that moment is without it.
func TestBookingAtTheEndOfAStep(t *testing.T) {
	t.Parallel()
	b := newTestBook(t, "alice")
	b.now = november.Add(time.Hour)
	end := b.receive(0, 500)
	f, err := timechart.Read(t.Context(), b.Book, b.peers, timechart.Query{From: end.Add(-time.Hour), To: end.Add(time.Hour), Steps: 2})
	require.NoError(t, err)
	require.Equal(t, "0 0 500", fmt.Sprint(f.Settled[0].In, f.Peers[0].Positions[1], f.Settled[1].In))
}

func TestReadOfAnUnknownPeer(t *testing.T) {
	t.Parallel()
	b := newTestBook(t, "alice")
	nobody, err := b.PeerAccount("nobody", usd)
	require.NoError(t, err)
	for _, query := range []timechart.Query{{To: b.now.Add(1), Steps: 1}, {From: november, To: november.AddDate(0, 0, 1), Steps: 1}} {
		_, err = timechart.Read(t.Context(), b.Book, []accounts.PeerAccount{nobody}, query)
		require.ErrorIs(t, err, accounts.ErrNotProvisioned)
	}
	_, err = timechart.Read(t.Context(), b.Book, b.peers, timechart.Query{From: november, To: november, Steps: 1})
	require.ErrorIs(t, err, accounts.ErrInvalid)
}
