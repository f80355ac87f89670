package embedded

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// A checkpoint has the books of the moment when it was begun, whatever requests run while it is
// written.
func TestSnapshotStands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	log, _, err := wal.Open(dir, func(wal.Record) error { return nil })
	require.NoError(t, err)
	b := newBooks()
	b.keepStarts()
	b.cold.folder = sealed.OSFolder(dir)
	require.NoError(t, b.cold.prepare())
	one, two := ledger.NewID(1, 0), ledger.NewID(2, 0)
	_, err = b.createAccounts([]ledger.Account{{ID: one, Ledger: 1, Code: 1}, {ID: two, Ledger: 1, Code: 1}}, b.clock.issueTimestamps(2))
	require.NoError(t, err)
	move := func(id uint64, flags ledger.TransferFlags) ledger.Transfer {
		return ledger.Transfer{
			ID: ledger.NewID(id, 0), DebitAccountID: one, CreditAccountID: two,
			Amount: ledger.NewAmount(1), Ledger: 1, Code: 1, Flags: flags,
		}
	}
	void := func(id, pending uint64) ledger.Transfer {
		return ledger.Transfer{
			ID: ledger.NewID(id, 0), PendingID: ledger.NewID(pending, 0), Flags: ledger.TransferVoidPending,
		}
	}
	create := func(ts ...ledger.Transfer) {
		_, err := b.createTransfers(ts, b.clock.issueTimestamps(len(ts)))
		require.NoError(t, err)
	}
	create(move(1, 0), move(2, ledger.TransferPending))
	want := b.lookupAccounts([]ledger.ID{one, two})

	s, c := b.beginSeal(), log.Checkpoint()
	// A movement, the end of a hold, a broken chain, a burnt id.
	create(move(3, 0), void(4, 2), move(5, ledger.TransferLinked), move(0, 0), void(6, 99))
	require.NoError(t, commitSeal(t.Context(), c, s))
	require.NoError(t, log.Close())
	b.finishSeal(s)
	require.NoError(t, b.closeFiles())

	restored := newBooks()
	restored.keepStarts()
	restored.cold.folder = sealed.OSFolder(dir)
	skipLog := func(record wal.Record) error {
		if record.Kind < kindStoredAccounts {
			return nil
		}
		return restored.restoreRecord(record)
	}
	log, _, err = wal.Open(dir, skipLog)
	require.NoError(t, err)
	require.NoError(t, log.Close())
	require.Equal(t, want, restored.lookupAccounts([]ledger.ID{one, two}))
	require.Equal(t, position(2), restored.transferEnd())
	require.NotNil(t, restored.pendingAt(1))
	require.NoError(t, restored.fetchTransfers([]ledger.Transfer{move(1, 0), void(6, 99)}))
	require.NotNil(t, restored.findTransfer(ledger.NewID(1, 0)))
	require.Empty(t, restored.fetched.burnt)
	require.NoError(t, restored.closeFiles())
}

// Close does not wait until a checkpoint is written. It stops the checkpoint.
func TestCheckpointIsStopped(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	dir := t.TempDir()
	log, _, err := wal.Open(dir, func(wal.Record) error { return nil })
	require.NoError(t, err)
	b := newBooks()
	b.cold.folder = sealed.OSFolder(dir)
	require.NoError(t, b.cold.prepare())
	_, err = b.createAccounts([]ledger.Account{{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}}, b.clock.issueTimestamps(1))
	require.NoError(t, err)
	require.ErrorIs(t, commitSeal(ctx, log.Checkpoint(), b.beginSeal()), context.Canceled)
	require.NoError(t, b.closeFiles())

	p := &checkpointer{cancel: stop, failure: context.Canceled}
	require.NoError(t, p.stopAndWait(), "that is no failure")
	require.NoError(t, log.Close())
}

// A checkpoint that cannot be written does not end the ledger: the log goes on, and Close returns
// the error.
func TestCheckpointFails(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"checkpoint-0000000000000001.tmp", "log-0000000000000001.tmp"} {
		dir := t.TempDir()
		l, err := Open(dir, WithCheckpointEvery(300))
		require.NoError(t, err)
		// A folder has the name of a file to be written.
		taken := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Join(taken, "full"), 0o700))
		for range 3 { // the second request begins a checkpoint; the third does not try again so soon
			_, err = l.CreateAccounts(t.Context(), []ledger.Account{{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}})
			require.NoError(t, err)
			l.WaitForCheckpoint()
		}
		require.ErrorIs(t, l.CheckBackground(), ErrCheckpoint)
		err = l.Close()
		require.ErrorIs(t, err, ErrCheckpoint)
		require.ErrorContains(t, err, taken)
		require.NoError(t, os.RemoveAll(taken))
		l, err = Open(dir)
		require.NoError(t, err)
		require.Equal(t, Recovery{Accounts: 1, Records: 3}, l.Recovery())
		require.NoError(t, l.Close())
	}
}
