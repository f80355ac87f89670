package aggregate

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// Operations are not taken while the disk is behind: TrySubmit returns at once, Submit when its context
// ends. Nothing of them is recorded. When the disk has caught up, they are taken.
func TestDiskBehind(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	peers, err := book.Provision(t.Context(),
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1_000_000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	r, err := NewRecorder(t.Context(), l, book, Config{JournalFolder: filepath.Join(t.TempDir(), "journal"), RoundInterval: time.Hour})
	require.NoError(t, err)
	r.journal.maxUnsynced = 0
	forward := func(n uint64) transfers.Op {
		return transfers.ForwardOp(transfers.Packet{
			ID: ledger.NewID(n<<8, 1), From: peers[0], To: peers[1], In: 1, Out: 1, Expiry: time.Now().Add(30 * time.Second),
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var taken []transfers.Future
	var refused transfers.Op
	for n := uint64(1); refused.Kind == 0; n++ { // faster than the disk
		require.Less(t, n, uint64(100_000))
		op := forward(n)
		future, err := r.TrySubmit(op)
		if err != nil {
			require.ErrorIs(t, err, transfers.ErrBacklogFull)
			require.Equal(t, "T03", transfers.ILPCode(err))
			refused = op
			break
		}
		taken = append(taken, future)
		if future, err = r.Submit(ended, forward(n+1_000_000)); err == nil {
			taken = append(taken, future)
		} else {
			require.ErrorIs(t, err, transfers.ErrBacklogFull)
			require.ErrorIs(t, err, context.Canceled)
			refused = forward(n + 1_000_000)
		}
	}
	result, err := r.Record(t.Context(), refused) // waits for the disk
	require.NoError(t, err)
	require.Equal(t, ledger.OutcomeApplied, result.Outcome, "not recorded before")
	for _, future := range taken {
		require.NoError(t, future.Wait(t.Context()).Err)
	}
	require.NoError(t, r.Close(t.Context()))
	balance, err := book.Balance(t.Context(), peers[1])
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(uint64(len(taken)+1)), balance.Payable)
}
