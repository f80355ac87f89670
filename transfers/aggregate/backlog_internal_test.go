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

// While the disk is too far behind, operations wait or are refused, and the event tells so: first true, and
// then each time the opposite.
func TestBacklogFull(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	peers, err := book.Provision(t.Context(),
		accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1_000_000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	changes := make(chan bool, 1000)
	r, err := NewRecorder(t.Context(), l, book, Config{
		JournalFolder: filepath.Join(t.TempDir(), "journal"), RoundInterval: time.Hour,
		Events: Events{BacklogFull: func(full bool) { changes <- full }},
	})
	require.NoError(t, err)
	r.journal.maxUnsynced = 0 // each record is too much until it is on disk
	forward := transfers.ForwardOp(transfers.Packet{From: peers[0], To: peers[1], In: 1, Out: 1, Expiry: time.Now().Add(30 * time.Second)})
	submitted := uint64(0)
	for err == nil {
		if _, err = r.TrySubmit(forward); err == nil {
			submitted++
		}
	}
	require.ErrorIs(t, err, transfers.ErrBacklogFull)
	require.Equal(t, "T03", transfers.ILPCode(err))
	require.True(t, <-changes)
	require.False(t, <-changes, "also if nobody submits anything")
	for range 100 {
		_, err := r.Submit(t.Context(), forward) // waits for room
		require.NoError(t, err)
		submitted++
	}
	require.NoError(t, r.Flush(t.Context()))
	require.NoError(t, r.Close(t.Context()))
	require.False(t, r.Stats().BacklogFull)
	want := true
	for len(changes) > 0 {
		full := <-changes
		require.Equal(t, want, full)
		want = !full
	}
	require.True(t, want, "the last change is that there is room")
	balance, err := book.Balance(t.Context(), peers[1])
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(submitted), balance.Payable, "what was refused is not booked")
}
