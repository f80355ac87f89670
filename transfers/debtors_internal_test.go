package transfers

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// More peers send than a refresh reads: the others follow in the next refresh, also when the
// first peers are in arrears, or go on sending.
func TestDebtorsAreReadInTurn(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	usd := accounts.Asset{Code: "USD", Ledger: 1}
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	peers := make([]accounts.PeerConfig, 10)
	for i := range peers {
		peers[i] = accounts.PeerConfig{ID: fmt.Sprint(i), Asset: usd}
	}
	all, err := book.Provision(t.Context(), peers...)
	require.NoError(t, err)
	for i, a := range all {
		ids := book.PeerIDs(a)
		results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{{
			ID: ledger.NewID(uint64(i)+1, 0), DebitAccountID: ids.Arrears, CreditAccountID: ids.Settlement,
			Amount: ledger.NewAmount(1), Ledger: 1, Code: 27,
		}})
		require.NoError(t, err)
		require.Equal(t, ledger.TransferCreated, results[0].Status)
	}
	d := newDebtors()
	d.maxPerRefresh = 4
	d.enqueuePeers(all)
	for look := 1; look <= 4; look++ {
		d.enqueuePeers(all)
		require.NoError(t, d.refreshArrears(t.Context(), book))
		require.Len(t, *d.inArrears.Load(), min(4*look, len(all)))
		require.Len(t, d.queue, len(all), "each once")
	}
}

// The senders of a batch are queued once; senders of earlier batches are not queued again.
func TestSendersOfEachBatchAreQueued(t *testing.T) {
	t.Parallel()
	usd := accounts.Asset{Code: "USD", Ledger: 1}
	book, err := accounts.NewBook(embedded.New(), accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	b, d := newBatch(), newDebtors()
	for _, name := range []string{"alice", "bob"} {
		a, err := book.PeerAccount(name, usd)
		require.NoError(t, err)
		b.answered = []*operation{{packet: Packet{From: a}, slot: &resultSlot{outcome: ledger.OutcomeApplied}}}
		b.noteSenders(d)
		require.Equal(t, []accounts.PeerAccount{a}, d.dequeuePeers())
	}
}
