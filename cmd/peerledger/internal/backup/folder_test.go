package backup

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
)

// connector is an embedded ledger in a folder, with a recorder that has a journal.
type connector struct{ ledger, journal, backups string }

// newConnector makes a connector that was killed while a fulfill waited for its answer.
func newConnector(t *testing.T) connector {
	t.Helper()
	dir := t.TempDir()
	c := connector{filepath.Join(dir, "ledger"), filepath.Join(dir, "journal"), filepath.Join(dir, "backups")}
	c.recordPackets(t, 1)
	return c
}

// silent is a ledger that stops answering transfers.
type silent struct{ ledger.Ledger }

func (silent) CreateTransfers(ctx context.Context, _ []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	<-ctx.Done()
	return nil, ledger.ErrOutcomeUnknown
}

var usd = accounts.Asset{Code: "USD", Scale: 2, Ledger: 1}

// recordPackets prepares and fulfills packets; the ledger does not answer the fulfills.
func (c connector) recordPackets(t *testing.T, packets int) {
	t.Helper()
	l, err := embedded.Open(c.ledger)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	book, err := accounts.NewBook(l, accounts.Config{Namespace: "test", Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	handles, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	var prepared []transfers.Packet
	record := func(l ledger.Ledger, journal string, work func(*transfers.Recorder)) {
		r, err := transfers.NewRecorder(l, book, transfers.Config{JournalFolder: journal, Events: transfers.Events{Replayed: func([]transfers.Result) {}}})
		require.NoError(t, err)
		work(r)
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // abandon the request
		_ = r.Close(ctx)
	}
	record(l, "", func(r *transfers.Recorder) {
		for range packets {
			result, err := r.Record(t.Context(), transfers.PrepareOp(transfers.Packet{From: handles[0], To: handles[1], In: 1, Out: 1, Hold: time.Hour}))
			require.NoError(t, err)
			require.NoError(t, result.Err)
			prepared = append(prepared, result.Packet)
		}
	})
	record(silent{l}, c.journal, func(r *transfers.Recorder) {
		for _, p := range prepared {
			_, err := r.Submit(t.Context(), transfers.FulfillOp(p))
			require.NoError(t, err)
		}
	})
}

func (c connector) makeOptions() Options {
	return Options{Ledger: c.ledger, Journal: c.journal, Folder: c.backups}
}

// requireRestored restores both folders, and compares them with the originals.
func (c connector) requireRestored(t *testing.T, b Backup) connector {
	t.Helper()
	dir := t.TempDir()
	again := connector{filepath.Join(dir, "ledger"), filepath.Join(dir, "journal"), c.backups}
	require.NoError(t, b.Restore(t.Context(), again.ledger, nil))
	require.NoError(t, b.RestoreJournal(t.Context(), again.journal))
	for _, pair := range [][2]string{{c.ledger, again.ledger}, {c.journal, again.journal}} {
		names, err := wal.Names(pair[0])
		require.NoError(t, err)
		copied, err := wal.Names(pair[1])
		require.NoError(t, err)
		require.Equal(t, names, copied)
		for _, name := range names {
			want, err := os.ReadFile(filepath.Join(pair[0], name))
			require.NoError(t, err)
			got, err := os.ReadFile(filepath.Join(pair[1], name))
			require.NoError(t, err)
			require.Equal(t, want, got, name)
		}
		entries, err := os.ReadDir(pair[1])
		require.NoError(t, err)
		require.Len(t, entries, len(names), "nothing else is there")
	}
	return again
}

// A closed ledger and a journal are backed up, verified and restored. The connector continues with
// the copies and records the waiting fulfills.
func TestFolderAndJournal(t *testing.T) {
	t.Parallel()
	c := newConnector(t)
	b := node{}.createBackup(t, c.makeOptions())
	m := b.Manifest
	require.Equal(t, []any{"ledger", "journal", "test", 1}, []any{m.Ledger.Name, m.Journal.Name, m.Journal.Namespace, m.Journal.Waiting})
	require.Equal(t, "folder-"+m.Ledger.ID, m.Source())
	require.Equal(t, m.Ledger.Records, m.Sequence)
	require.NotZero(t, m.Sequence)
	require.Equal(t, m.folderName(), filepath.Base(b.Folder))
	again, err := Open(b.Folder)
	require.NoError(t, err)
	require.Equal(t, b, again)
	newest, err := Newest(c.backups, time.Now())
	require.NoError(t, err)
	require.Equal(t, b, newest)

	report, err := b.Verify(t.Context(), nil, ReadFolder(c.ledger, t.TempDir()), nil)
	require.NoError(t, err)
	require.Equal(t, []Relation{Equal, Equal}, []Relation{report.Comparisons[0].Relation, report.Comparisons[1].Relation}, "%+v", report)
	require.Equal(t, Journal{Namespace: "test", Waiting: 1}, *report.Journal)
	require.Empty(t, listLeftovers(t, c.backups))

	c.recordPackets(t, 2)
	report, err = b.Verify(t.Context(), nil, ReadFolder(c.ledger, t.TempDir()), nil)
	require.NoError(t, err)
	require.Equal(t, []Relation{Equal, MovedOn}, []Relation{report.Comparisons[0].Relation, report.Comparisons[1].Relation}, "%+v", report)
	later := node{}.createBackup(t, c.makeOptions())
	require.Greater(t, later.Manifest.Sequence, m.Sequence)
	require.EqualValues(t, 2, later.Manifest.Number)
	require.Equal(t, 3, later.Manifest.Journal.Waiting)

	restored := c.requireRestored(t, later)
	l, err := embedded.Open(restored.ledger)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	book, err := accounts.NewBook(l, accounts.Config{Namespace: "test", Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	recorded := make(chan transfers.Result, 9)
	r, err := transfers.NewRecorder(l, book, transfers.Config{JournalFolder: restored.journal, Events: transfers.Events{Replayed: func(list []transfers.Result) {
		for _, r := range list {
			recorded <- r
		}
	}}})
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
	require.Len(t, recorded, 3)
	for range 3 {
		require.NoError(t, (<-recorded).Err)
	}
}

// The archives have the documented names and formats, so tar and zstd restore them.
func TestFoldersAreRestoredWithoutUs(t *testing.T) {
	t.Parallel()
	c := newConnector(t)
	b := node{}.createBackup(t, c.makeOptions())
	for name, original := range map[string]string{"ledger.tar.zst": c.ledger, "journal.tar.zst": c.journal} {
		file, err := os.Open(filepath.Join(b.Folder, name))
		require.NoError(t, err)
		unpacked, err := zstd.NewReader(file)
		require.NoError(t, err)
		files := make(map[string]string)
		for in := tar.NewReader(unpacked); ; {
			header, err := in.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			content, err := io.ReadAll(in)
			require.NoError(t, err)
			files[header.Name] = string(content)
		}
		unpacked.Close()
		require.NoError(t, file.Close())
		names, err := wal.Names(original)
		require.NoError(t, err)
		require.NotEmpty(t, names)
		want := make(map[string]string)
		for _, name := range names {
			content, err := os.ReadFile(filepath.Join(original, name))
			require.NoError(t, err)
			want[name] = string(content)
		}
		require.Equal(t, want, files, name)
	}
}

// A journal is backed up with a data file, or alone.
func TestJournalOfACluster(t *testing.T) {
	t.Parallel()
	c, n := newConnector(t), newNode(t)
	o := n.makeOptions()
	o.Journal = c.journal
	both := n.createBackup(t, o)
	require.Equal(t, "7", both.Manifest.Source())
	require.Equal(t, 1, both.Manifest.Journal.Waiting)
	_ = restoreFile(t, both)
	same := newFilledLedger(t, 5)
	report, err := both.Verify(t.Context(), func(context.Context, string) (ledger.Ledger, func() error, error) {
		return same, func() error { return nil }, nil
	}, nil, nil)
	require.NoError(t, err)
	require.Equal(t, 1, report.Journal.Waiting)
	require.NotEmpty(t, report.Totals)

	alone := n.createBackup(t, Options{Journal: c.journal, Folder: n.folder})
	require.Equal(t, "journal-"+alone.Manifest.Journal.ID, alone.Manifest.Source())
	require.Equal(t, both.Manifest.Journal.ID, alone.Manifest.Journal.ID)
	require.EqualValues(t, 1, alone.Manifest.Number, "it is counted by itself")
	report, err = alone.Verify(t.Context(), nil, nil, nil)
	require.NoError(t, err)
	require.Equal(t, 1, report.Journal.Waiting)
	require.Nil(t, report.Totals)
	require.ErrorIs(t, alone.Restore(t.Context(), filepath.Join(t.TempDir(), "7_0.tigerbeetle"), nil), ErrNothing)
	require.NoError(t, alone.RestoreJournal(t.Context(), filepath.Join(t.TempDir(), "journal")))
	_, err = Newest(n.folder, time.Now())
	require.ErrorIs(t, err, ErrUnclear)

	require.ErrorIs(t, n.createBackup(t, n.makeOptions()).RestoreJournal(t.Context(), t.TempDir()), ErrNothing)
}

// Folders without a log, and two ledgers, are refused before anything is stopped.
func TestFoldersThatAreRefused(t *testing.T) {
	t.Parallel()
	c, n := newConnector(t), newNode(t)
	stopped := false
	for _, o := range []Options{
		{},
		{File: n.file, Ledger: c.ledger},
		{Ledger: t.TempDir()},
		{Journal: filepath.Join(t.TempDir(), "missing")},
		{File: n.file, Journal: t.TempDir()},
	} {
		o.Folder = c.backups
		o.Stop = func(context.Context) error { stopped = true; return nil }
		o.Start = o.Stop
		_, err := Create(t.Context(), o)
		require.Error(t, err)
	}
	require.False(t, stopped)
	require.NoDirExists(t, c.backups)
}

// A damaged folder, or a folder of another kind, is not backed up, because the copy is opened.
func TestDamagedFoldersAreNotBackedUp(t *testing.T) {
	t.Parallel()
	c := newConnector(t)
	swapped := c.makeOptions()
	swapped.Ledger, swapped.Journal = c.journal, c.ledger
	_, err := Create(t.Context(), swapped)
	require.ErrorIs(t, err, embedded.ErrIncompatible)

	names, err := wal.Names(c.journal)
	require.NoError(t, err)
	path := filepath.Join(c.journal, names[len(names)-1]) // the checkpoint
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	content[520] ^= 1
	require.NoError(t, os.WriteFile(path, content, 0o600))
	_, err = Create(t.Context(), c.makeOptions())
	require.ErrorIs(t, err, wal.ErrCorrupt)
	require.ErrorContains(t, err, "the copy of journal")
	require.Empty(t, listLeftovers(t, c.backups))
	list, err := List(c.backups)
	require.NoError(t, err)
	require.Empty(t, list)
}

// Restore replaces nothing, and an interrupted restore leaves nothing.
func TestRestoreIntoAFolderWithoutALog(t *testing.T) {
	t.Parallel()
	c := newConnector(t)
	b := node{}.createBackup(t, c.makeOptions())
	require.ErrorIs(t, b.Restore(t.Context(), c.ledger, nil), ErrNotEmpty)
	require.ErrorIs(t, b.RestoreJournal(t.Context(), c.journal), ErrNotEmpty)

	for name, content := range map[string][]byte{"lost+found": nil, "lock": {}, "notes": []byte("mine")} {
		target := t.TempDir() // like a mounted volume
		require.NoError(t, os.WriteFile(filepath.Join(target, name), content, 0o600))
		require.NoError(t, b.Restore(t.Context(), target, nil), name)
		kept, err := os.ReadFile(filepath.Join(target, name))
		require.NoError(t, err)
		require.Equal(t, string(content), string(kept))
		_, err = embedded.Read(target)
		require.NoError(t, err)
	}

	for name, change := range map[string]func(*Manifest){
		"id":      func(m *Manifest) { m.Ledger.ID = strings.Repeat("0", 32) },
		"records": func(m *Manifest) { m.Ledger.Records++ },
		"size":    func(m *Manifest) { m.Ledger.Size-- },
		"hash":    func(m *Manifest) { m.Ledger.SHA256 = strings.Repeat("0", 64) },
	} {
		b := node{}.createBackup(t, c.makeOptions())
		renamed := filepath.Join(c.backups, "kept-"+name)
		require.NoError(t, os.Rename(b.Folder, renamed))
		b.Folder = renamed
		b = rewriteManifest(t, b, change)
		target := filepath.Join(t.TempDir(), "ledger")
		require.ErrorIs(t, b.Restore(t.Context(), target, nil), ErrDamaged, name)
		_, err := b.Verify(t.Context(), nil, nil, nil)
		require.ErrorIs(t, err, ErrDamaged, name)
		entries, err := os.ReadDir(target)
		require.NoError(t, err)
		require.Empty(t, entries)
	}
}

// A journal that differs from the manifest fails the verification.
func TestJournalThatIsNotAsItWasNoted(t *testing.T) {
	t.Parallel()
	c := newConnector(t)
	for name, change := range map[string]func(*Manifest){
		"waiting":   func(m *Manifest) { m.Journal.Waiting = 0 },
		"namespace": func(m *Manifest) { m.Journal.Namespace = "other" },
	} {
		b := rewriteManifest(t, node{}.createBackup(t, c.makeOptions()), change)
		_, err := b.Verify(t.Context(), nil, nil, nil)
		require.ErrorIs(t, err, ErrDamaged, name)
		require.Empty(t, listLeftovers(t, c.backups))
	}
}

// writeSegments makes a folder with a checkpoint and two segments.
func writeSegments(t *testing.T) (folder string, names []string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "log")
	l, _, err := wal.Open(folder, func(wal.Record) error { return nil })
	require.NoError(t, err)
	add := func() { l.Append(1, 1, func(to []byte) []byte { return append(to, 'a') }) }
	add()
	require.NoError(t, l.Checkpoint().Commit(t.Context()))
	add()
	c := l.Checkpoint() // begins the next segment
	add()
	require.NoError(t, l.Wait(t.Context(), l.Appended()))
	require.NoError(t, c.Discard())
	require.NoError(t, l.Close())
	names, err = wal.Names(folder)
	require.NoError(t, err)
	require.Len(t, names, 3)
	return folder, names
}

// A restore interrupted between two files leaves a folder that is refused as corrupt, and never
// taken for a new one.
func TestHalfRestoredFolder(t *testing.T) {
	t.Parallel()
	folder, names := writeSegments(t)
	for i := range names {
		target := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(target, names[i]), nil, 0o600))
		require.ErrorIs(t, linkFiles(folder, target), os.ErrExist)
		entries, err := os.ReadDir(target)
		require.NoError(t, err)
		require.Len(t, entries, 1, "what was given its name is taken back")
	}
	target := t.TempDir()
	require.NoError(t, linkFiles(folder, target))
	read := func() error {
		_, err := wal.Read(target, wal.AnyFormat, func(wal.Record) error { return nil })
		return err
	}
	require.NoError(t, read())
	for _, name := range names[:len(names)-1] { // in the reverse order of linking
		require.NoError(t, os.Remove(filepath.Join(target, name)))
		require.ErrorIs(t, read(), wal.ErrCorrupt)
	}
}

// An archive may hold only files with the names of a log.
func TestNamesInAnArchive(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]tar.Header{
		"parent":    {Name: "../log-0000000000000000"},
		"absolute":  {Name: "/tmp/log-0000000000000000"},
		"other":     {Name: "lock"},
		"longer":    {Name: "log-00000000000000000"},
		"link":      {Name: "log-0000000000000000", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		"directory": {Name: "log-0000000000000000", Typeflag: tar.TypeDir},
	} {
		dir := t.TempDir()
		archive := filepath.Join(dir, "archive")
		file, err := os.Create(archive)
		require.NoError(t, err)
		packed, err := packInto(file, func(w io.Writer) error {
			out := tar.NewWriter(w)
			return errors.Join(out.WriteHeader(&header), out.Close())
		})
		require.NoError(t, syncAndClose(file, err))
		to := filepath.Join(dir, "to")
		require.NoError(t, os.Mkdir(to, 0o700))
		require.ErrorIs(t, Folder{Archive: packed}.unpackFolder(t.Context(), archive, to), ErrDamaged, name)
		entries, err := os.ReadDir(to)
		require.NoError(t, err)
		require.Empty(t, entries)
	}
}

// fillLedger makes a ledger in a folder with so many transfers that its first ones are in files that are
// written once.
func fillLedger(t *testing.T) (folder string, sealed []string) {
	t.Helper()
	folder = filepath.Join(t.TempDir(), "ledger")
	l, err := embedded.Open(folder)
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	batch := make([]ledger.Transfer, ledger.BatchMax)
	for id := uint64(1); len(sealed) == 0; {
		for i := range batch {
			batch[i] = ledger.Transfer{
				ID: ledger.NewID(id, 0), DebitAccountID: ledger.NewID(1, 0), CreditAccountID: ledger.NewID(2, 0),
				Amount: ledger.NewAmount(1), Ledger: 1, Code: 1,
			}
			id++
		}
		_, err := l.CreateTransfers(t.Context(), batch)
		require.NoError(t, err)
		checkpoints, err := filepath.Glob(filepath.Join(folder, "checkpoint-*[0-9a-f]"))
		require.NoError(t, err)
		if len(checkpoints) > 0 {
			sealed, err = listSealed(folder)
			require.NoError(t, err)
		}
	}
	require.NoError(t, l.Close())
	return folder, sealed
}

// The files with cold transfers and their ids are in a backup. A damaged one is found when the backup
// is made.
func TestColdTransfers(t *testing.T) {
	t.Parallel()
	folder, sealed := fillLedger(t)
	require.Len(t, sealed, 2)
	o := Options{Ledger: folder, Folder: filepath.Join(t.TempDir(), "backups")}
	b := node{}.createBackup(t, o)
	report, err := b.Verify(t.Context(), nil, ReadFolder(folder, t.TempDir()), nil)
	require.NoError(t, err)
	require.Equal(t, Equal, report.Comparisons[1].Relation)
	restored := filepath.Join(t.TempDir(), "ledger")
	require.NoError(t, b.Restore(t.Context(), restored, nil))
	l, err := embedded.Open(restored)
	require.NoError(t, err)
	found, err := l.LookupTransfers(t.Context(), []ledger.ID{ledger.NewID(1, 0)})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.NoError(t, l.Close())
	stopped := t.TempDir() // a restore was killed after its first file
	require.NoError(t, os.WriteFile(filepath.Join(stopped, sealed[0]), nil, 0o600))
	err = b.Restore(t.Context(), stopped, nil)
	require.ErrorIs(t, err, ErrNotEmpty)
	require.ErrorContains(t, err, sealed[0])

	for _, name := range sealed {
		path := filepath.Join(folder, name)
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		content[len(content)/2] ^= 1
		require.NoError(t, os.WriteFile(path, content, 0o600))
		_, err = Create(t.Context(), o)
		require.ErrorIs(t, err, embedded.ErrCorrupt)
		require.ErrorContains(t, err, name)
		content[len(content)/2] ^= 1
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
	require.NoError(t, os.Remove(filepath.Join(folder, sealed[0])))
	_, err = Create(t.Context(), o)
	require.ErrorIs(t, err, embedded.ErrCorrupt)
}

// A ledger alone is backed up while a program writes to it. The copies have all that was answered before.
func TestRunningLedger(t *testing.T) {
	t.Parallel()
	folder, _ := fillLedger(t)
	o := Options{Ledger: folder, Folder: filepath.Join(t.TempDir(), "backups")}
	l, err := embedded.Open(folder)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var answered atomic.Uint64
	rounds := make(chan struct{}, 200)
	var writer sync.WaitGroup
	writer.Go(func() {
		for id := uint64(1); ctx.Err() == nil; id++ {
			select { // a writer without a bound writes faster than a slow machine copies
			case <-rounds:
			case <-ctx.Done():
				return
			}
			batch := make([]ledger.Transfer, 1000)
			for i := range batch {
				batch[i] = ledger.Transfer{
					ID: ledger.NewID(uint64(i)+1000*id, 1), DebitAccountID: ledger.NewID(1, 0), CreditAccountID: ledger.NewID(2, 0),
					Amount: ledger.NewAmount(1), Ledger: 1, Code: 1,
				}
			}
			_, err := l.CreateTransfers(t.Context(), batch)
			assert.NoError(t, err)
			answered.Store(id)
		}
	})
	for range 3 {
		for range 10 {
			rounds <- struct{}{}
		}
		before := answered.Load()
		b := node{}.createBackup(t, o)
		restored := filepath.Join(t.TempDir(), "ledger")
		require.NoError(t, b.Restore(t.Context(), restored, nil))
		copied, err := embedded.Read(restored)
		require.NoError(t, err)
		if before > 0 {
			found, err := copied.LookupTransfers(t.Context(), []ledger.ID{ledger.NewID(1000*before, 1)})
			require.NoError(t, err)
			require.Len(t, found, 1)
		}
		require.NoError(t, copied.VerifyFiles(t.Context()))
		require.NoError(t, copied.Close())
		scratch := t.TempDir()
		report, err := b.Verify(t.Context(), nil, ReadFolder(folder, scratch), nil)
		require.NoError(t, err)
		require.Len(t, report.Comparisons, 2)
		require.NotEqual(t, Contrary, report.Comparisons[1].Relation, report.Comparisons[1].Detail)
		left, err := os.ReadDir(scratch)
		require.NoError(t, err)
		require.Empty(t, left)
	}
	stop()
	writer.Wait()
	require.NoError(t, l.Close())
}
