package prepayment_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/prepayment"
	"github.com/peerledger/peerledger/ledger"
)

// Without history the bound falls with each packet from the peer, packets to it do not raise it,
// and the bound is 0 as soon as the peer owes. An empty Memory begins at the total ever paid in, at
// most the payable.
func TestBoundWithoutHistory(t *testing.T) {
	t.Parallel()
	l := newSimulatedPeer(t, 1, false)
	p := l.accounts
	require.True(t, l.writeChain(l.newRow(p.Line, p.Peer, 100, chart.CodeGrant)))
	kept := prepayment.NewMemory(prepayment.NewReader(l.ledger, ledger.QueryMax))
	bound := func(m *prepayment.Memory) uint64 {
		t.Helper()
		sums := l.readSums()
		e := m.Estimate(p.Peer, &sums)
		if !e.Final {
			var err error
			e, err = m.Read(context.Background(), p, sums, func(context.Context) (prepayment.Sums, error) { return l.readSums(), nil })
			require.NoError(t, err)
		}
		n, _ := e.Prepaid.Uint64()
		require.Equal(t, n == 0, e.Exact)
		return n
	}
	fresh := func() uint64 { return bound(prepayment.NewMemory(prepayment.NewReader(l.ledger, ledger.QueryMax))) }
	earn := func(n int64) { require.True(t, l.writeChain(l.newRow(l.own, p.Peer, n, chart.CodePacket))) }
	send := func(n int64) { require.True(t, l.writeChain(l.newRow(p.Peer, l.own, n, chart.CodePacket))) }

	require.True(t, l.writeChain(l.newRow(p.Settlement, p.Peer, 50, chart.CodeIncoming)))
	require.Equal(t, uint64(50), bound(kept))
	earn(30)
	require.Equal(t, uint64(50), bound(kept))
	send(20)
	require.Equal(t, uint64(30), bound(kept))
	require.Equal(t, uint64(50), fresh(), "all that it ever paid in")
	send(10)
	require.Equal(t, uint64(20), bound(kept))
	send(15)
	require.Equal(t, uint64(5), bound(kept))
	require.Equal(t, uint64(35), fresh(), "at most the payable")
	send(40)
	require.Zero(t, bound(kept), "it owes")
	require.Zero(t, fresh())
	earn(60)
	require.Zero(t, bound(kept), "and what it earns then is its own")
}
