package backup

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// The archive files of the copied log are in the backup of a running recorder. A file of a later checkpoint is not: a
// recorder would take packets in it, which the copied log lacks, for booked.
func TestArchivesOfARunningRecorder(t *testing.T) {
	t.Parallel()
	r, u := newRunning(t, inRounds), newLoad()
	u.recordPacket(t, r, 1, true)
	content, err := aggregate.ReadOpenJournal(r.journal)
	require.NoError(t, err)
	writeArchivesFrom(t, r.journal, content.Number, 0) // files 0 and 1; the log has segment 0
	b := node{}.createBackup(t, r.makeOptions())
	require.Equal(t, 1, b.Manifest.Journal.Archives)
	restored := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, b.RestoreJournal(t.Context(), restored))
	require.FileExists(t, filepath.Join(restored, "archive", "packets-0000000000000000"))
	r.stop(t)
	require.Equal(t, 2, node{}.createBackup(t, r.makeOptions()).Manifest.Journal.Archives)
}

// A journal alone, as of a connector on a cluster, is backed up while its recorder runs.
func TestRunningJournalAlone(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]recorderKind{"singly": singly, "in rounds": inRounds} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, u := newRunning(t, kind), newLoad()
			u.recordPacket(t, r, 1, true)
			require.NoError(t, r.recorder.Flush(t.Context()))
			b := node{}.createBackup(t, Options{Journal: r.journal, Folder: r.backups})
			require.Equal(t, "test", b.Manifest.Journal.Namespace)
			_, err := b.Verify(t.Context(), nil, nil, nil)
			require.NoError(t, err)
			r.stop(t)
		})
	}
}

// requireReplayed restores a backup, and records the fulfill that waits in its journal.
func requireReplayed(t *testing.T, b Backup) {
	t.Helper()
	require.Equal(t, 1, b.Manifest.Journal.Waiting)
	dir := t.TempDir()
	again := connector{filepath.Join(dir, "ledger"), filepath.Join(dir, "journal"), ""}
	require.NoError(t, b.Restore(t.Context(), again.ledger, nil))
	require.NoError(t, b.RestoreJournal(t.Context(), again.journal))
	r := again.startWithLine(t, singly, 1000)
	require.NoError(t, r.recorder.Flush(t.Context()))
	balance, err := r.book.Balance(t.Context(), r.bob)
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(1), balance.Payable)
	r.stop(t)
}

// A program has the ledger open and none the journal, as between two recorders; or the other way round. The folder that
// is not in use stays locked until it is copied.
func TestOneFolderInUse(t *testing.T) {
	t.Parallel()
	c := newConnector(t)
	o := c.makeOptions()
	var idle string
	o.onStep = func(name string) error {
		if name == "copied" {
			_, _, err := wal.LockFolder(idle)
			require.ErrorIs(t, err, wal.ErrLocked)
		}
		return nil
	}
	l, err := embedded.Open(c.ledger)
	require.NoError(t, err)
	idle = c.journal
	requireReplayed(t, node{}.createBackup(t, o))
	require.NoError(t, l.Close())

	log, _, err := wal.OpenFormat(c.journal, wal.AnyFormat, func(wal.Record) error { return nil })
	require.NoError(t, err)
	idle = c.ledger
	requireReplayed(t, node{}.createBackup(t, o))
	require.NoError(t, log.Close())
}

// A folder that is still in use after Stop is refused, and so is a journal in use beside a data file.
func TestFoldersInUse(t *testing.T) {
	t.Parallel()
	c := newConnector(t)
	l, err := embedded.Open(c.ledger)
	require.NoError(t, err)
	o := c.makeOptions()
	o.Stop = func(context.Context) error { return nil }
	o.Start = o.Stop
	_, err = Create(t.Context(), o)
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, c.ledger)
	require.Empty(t, listLeftovers(t, c.backups))

	o.Stop = func(context.Context) error { return l.Close() }
	o.Start = func(context.Context) (err error) { l, err = embedded.Open(c.ledger); return err }
	b := node{}.createBackup(t, o)
	require.NoError(t, l.Close())
	_ = c.requireRestored(t, b)

	log, _, err := wal.OpenFormat(c.journal, wal.AnyFormat, func(wal.Record) error { return nil })
	require.NoError(t, err)
	o = newNode(t).makeOptions()
	o.Journal = c.journal
	_, err = Create(t.Context(), o)
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, c.journal)
	require.NoError(t, log.Close())
}
