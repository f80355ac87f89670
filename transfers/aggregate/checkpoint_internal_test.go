package aggregate

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/packetlog"
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
		content, err := ReadJournal(folder) // of a checkpoint, as doctor and backup read it
		require.NoError(t, err)
		require.Zero(t, content.PendingFulfills)
		checkpoints, err := filepath.Glob(filepath.Join(folder, "checkpoint-*"))
		require.NoError(t, err)
		require.NotEmpty(t, checkpoints)
		files, bytes := r.journal.archive.get()
		archived, err := os.ReadDir(r.journal.archiveFolder())
		require.NoError(t, err)
		require.Len(t, archived, files)
		for _, file := range archived {
			info, err := file.Info()
			require.NoError(t, err)
			bytes -= info.Size()
		}
		require.Zero(t, bytes)
		require.Equal(t, files, r.RoundStats().ArchiveFiles)
	}
	balance, err := book.Balance(t.Context(), peers[1])
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(9*lives*packets), balance.Payable)
}

// The journal's number is on disk before the first request: if the process dies after it, the next recorder
// finds the reservations by the number.
func TestOwnerIsOnDiskFirst(t *testing.T) {
	t.Parallel()
	l := embedded.New()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	r, err := NewRecorder(t.Context(), l, book, Config{JournalFolder: filepath.Join(t.TempDir(), "journal"), RoundInterval: time.Hour})
	require.NoError(t, err)
	r.mu.Lock()
	synced := r.machine.synced
	r.mu.Unlock()
	require.Equal(t, uint64(1), synced)
	require.NoError(t, r.Close(t.Context()))
}

// A file that is written again after a crash, and files that are removed, change the size of the archive.
func TestArchiveSize(t *testing.T) {
	t.Parallel()
	var s archiveSize
	s.add(0, 100)
	s.add(1, 10)
	s.add(1, 30)
	files, bytes := s.get()
	require.Equal(t, []int64{2, 130}, []int64{int64(files), bytes})
	s.remove([]packetlog.Archive{{Number: 0, Size: 100}})
	files, bytes = s.get()
	require.Equal(t, []int64{1, 30}, []int64{int64(files), bytes})
	s.remove([]packetlog.Archive{{Number: 1, Size: 30}})
	s.add(1, 7)
	files, bytes = s.get()
	require.Equal(t, []int64{1, 7}, []int64{int64(files), bytes})
}
