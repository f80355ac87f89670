package transfers_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
	"github.com/peerledger/peerledger/transfers"
)

// Packets between two assets, converted at a rate: every unit of In is in the books, in our
// liquidity or as dust.
func TestConvertedPacketsLoseNothing(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	defer func() { require.NoError(t, l.Close()) }()
	nano := accounts.Asset{Code: "USD", Scale: 9, Ledger: 1}
	cents := accounts.Asset{Code: "EUR", Scale: 2, Ledger: 2}
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{nano, cents}})
	require.NoError(t, err)
	peers, err := book.Provision(t.Context(),
		accounts.PeerConfig{ID: "alice", Asset: nano, CreditLine: accounts.Unlimited}, accounts.PeerConfig{ID: "bob", Asset: cents})
	require.NoError(t, err)
	recorder, err := transfers.NewRecorder(l, book, transfers.Config{})
	require.NoError(t, err)
	converter, err := accounts.NewConverter(nano, cents, decimal.RequireFromString("0.923456789"))
	require.NoError(t, err)

	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 5))
	var in, cost, dust, out uint64
	for range 20 {
		var prepares, resolutions []transfers.Op
		for range 1000 {
			got, err := converter.Convert(ledger.NewAmount(random.Uint64N(1 << 40)))
			require.NoError(t, err)
			p := transfers.Packet{From: peers[0], To: peers[1], Expiry: time.Now().Add(time.Minute)}
			p.In, _ = got.In.Uint64()
			p.Out, _ = got.Out.Uint64()
			p.Dust, _ = got.Dust.Uint64()
			prepares = append(prepares, transfers.PrepareOp(p))
		}
		held, err := recorder.RecordAll(t.Context(), prepares...)
		require.NoError(t, err)
		for _, h := range held {
			if random.IntN(4) == 0 {
				resolutions = append(resolutions, transfers.RejectOp(h.Packet))
				continue
			}
			resolutions = append(resolutions, transfers.FulfillOp(h.Packet))
			in += h.Packet.In
			dust += h.Packet.Dust
			cost += h.Packet.In - h.Packet.Dust
			out += h.Packet.Out
		}
		_, err = recorder.RecordAll(t.Context(), resolutions...)
		require.NoError(t, err)
	}
	require.NoError(t, recorder.Close(t.Context()))

	positions, err := book.OwnPositions(t.Context())
	require.NoError(t, err)
	require.Equal(t, cost, positions[0].Liquidity.Uint64())
	require.Equal(t, dust, positions[0].Dust.Uint64())
	require.Equal(t, -int64(out), positions[1].Liquidity.Int64())
	balances, err := book.Balances(t.Context(), peers...)
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(in), balances[0].Receivable)
	require.Equal(t, ledger.NewAmount(out), balances[1].Payable)
	require.Equal(t, in, cost+dust)
	ledgertest.RequireNothingHeld(t, l)
}
