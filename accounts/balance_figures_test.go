package accounts_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// The figures that a Balance derives.
func TestFiguresOfABalance(t *testing.T) {
	t.Parallel()
	b := newBooks(t, 100)
	ids := b.book.PeerIDs(b.peer)
	own, _ := b.book.AssetIDs(usd.Ledger)
	move := func(debit, credit ledger.ID, amount uint64) {
		status, _ := b.createTransfer(debit, credit, amount, 0)
		require.Equal(t, ledger.TransferCreated, status)
	}
	first := b.readBalance()
	require.False(t, first.EverSettled())
	require.True(t, first.HasHistory())
	require.True(t, first.HasArrearsAccount())
	sent, onlyPackets := first.OnlyPacketsSince(first)
	require.True(t, onlyPackets)
	require.Zero(t, sent)

	move(own.Liquidity, ids.Peer, 40) // the peer earns 40,
	move(ids.Peer, own.Liquidity, 7)  // and sends 7
	traded := b.readBalance()
	sent, onlyPackets = traded.OnlyPacketsSince(first)
	require.True(t, onlyPackets)
	require.Equal(t, units(7), sent)
	require.Equal(t, int64(33), traded.Net().Int64())
	require.Equal(t, int64(33), traded.NetAtMost().Int64())
	require.Equal(t, units(33), traded.Unpaid())

	move(ids.Settlement, ids.Peer, 25) // and prepays 25
	paid := b.readBalance()
	_, onlyPackets = paid.OnlyPacketsSince(traded)
	require.False(t, onlyPackets)
	require.False(t, paid.EverSettled(), "that was its payment")
	require.Equal(t, units(58), paid.Payable)
	require.Equal(t, units(25), paid.Prepaid)
	require.True(t, paid.PrepaidSettled())
	require.Equal(t, int64(58), paid.Position().Int64())
	require.Equal(t, int64(33), paid.Net().Int64())
	require.Equal(t, int64(33), paid.NetAtMost().Int64())
	require.Equal(t, units(33), paid.Unpaid())
	without := paid.IfNothingPrepaid()
	require.Equal(t, units(33), without.Payable)
	require.Zero(t, without.Receivable)
	require.Zero(t, without.Prepaid)
	require.Equal(t, units(58), paid.Payable, "it is another one")

	status, _ := b.createTransfer(ids.Peer, ids.Settlement, 30, ledger.TransferPending)
	require.Equal(t, ledger.TransferCreated, status)
	ordered := b.readBalance()
	require.True(t, ordered.EverSettled(), "an order is open")
	require.Equal(t, units(30), ordered.Settling)
	require.Equal(t, units(3), ordered.Unpaid())

	owing := newBooks(t, 100)
	ids = owing.book.PeerIDs(owing.peer)
	own, _ = owing.book.AssetIDs(usd.Ledger)
	status, _ = owing.createTransfer(ids.Peer, own.Liquidity, 12, 0)
	require.Equal(t, ledger.TransferCreated, status)
	owes := owing.readBalance()
	require.Equal(t, int64(-12), owes.Net().Int64())
	require.Equal(t, units(12), owes.IfNothingPrepaid().Receivable)
	require.Zero(t, owes.IfNothingPrepaid().Payable)
}
