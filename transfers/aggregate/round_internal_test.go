package aggregate

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// The first leg tells apart rounds of other packets, also when all amounts are the same: the
// ledger must not answer `exists` for a round that it does not have. A journaled round gives the
// same legs.
func TestFirstLegNamesPackets(t *testing.T) {
	t.Parallel()
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	alice, err := book.PeerAccount("alice", usd)
	require.NoError(t, err)
	build := func(id uint64) *round {
		tally := &tally{serial: 1}
		p := &peer{account: alice}
		tally.addPacket(p, p, &packetFlows{charge: 10, receive: 10}, ledger.NewID(id<<8, 0), 1)
		r := &round{journal: 1, number: 1, through: tally.through, packets: tally.packets, digest: tally.digest, timeout: 60}
		r.senders = []roundSender{{account: alice, amount: ledger.NewAmount(10), covered: 7, renewed: 2, holds: []hold{{id: ledger.NewID(5, 5), amount: 9}}}}
		_, r.gives = tally.flows()
		r.gives[0].toSuspense = true
		return r
	}
	first, refs := build(1).buildLegs(book)
	other, _ := build(2).buildLegs(book)
	require.NotEqual(t, first[0].UserData128, other[0].UserData128)
	require.Equal(t, first[1:], other[1:])
	var kinds []legKind
	for _, ref := range refs {
		kinds = append(kinds, ref.kind)
	}
	require.Equal(t, []legKind{legPost, legRenew, legArrears, legGive, legCollect}, kinds)

	read := &recordReader{rest: appendRound(nil, build(1)), account: book.AccountIn}
	again := read.readRound(1)
	require.NoError(t, read.finish())
	legs, _ := again.buildLegs(book)
	require.Equal(t, first, legs)
	for n := range appendRound(nil, build(1)) { // cut short
		short := &recordReader{rest: appendRound(nil, build(1))[:n], account: read.account}
		short.readRound(1)
		require.Error(t, short.finish())
	}
}
