package aggregate

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// A recorder that writes checkpoints all the time recognizes the packets of earlier ones.
func TestCheckpoints(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	peers, err := book.Provision(t.Context(),
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1_000_000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	folder := filepath.Join(t.TempDir(), "journal")
	const lives, packets = 4, 100
	var fulfilled []transfers.Packet
	for range lives {
		r, err := newRecorder(t.Context(), l, book, Config{JournalFolder: folder, RoundInterval: time.Millisecond}, 1)
		require.NoError(t, err)
		for range packets {
			held, err := r.Prepare(t.Context(), transfers.Packet{From: peers[0], To: peers[1], In: 10, Out: 9, Expiry: time.Now().Add(30 * time.Second)})
			require.NoError(t, err)
			_, err = r.Fulfill(t.Context(), held.Packet)
			require.NoError(t, err)
			fulfilled = append(fulfilled, held.Packet)
		}
		for _, p := range fulfilled {
			result, err := r.Fulfill(t.Context(), p)
			require.NoError(t, err)
			require.Equal(t, ledger.OutcomeAlreadyApplied, result.Outcome)
		}
		require.NoError(t, r.Close(t.Context()))
		checkpoints, err := filepath.Glob(filepath.Join(folder, "checkpoint-*"))
		require.NoError(t, err)
		require.NotEmpty(t, checkpoints)
	}
	balance, err := book.Balance(t.Context(), peers[1])
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(9*lives*packets), balance.Payable)
}
