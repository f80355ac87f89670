package backup

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// leaving is a ledger that goes away.
type leaving struct {
	ledger.Ledger

	away atomic.Bool
}

func (l *leaving) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if l.away.Load() {
		return nil, ledger.ErrOutcomeUnknown
	}
	return l.Ledger.CreateTransfers(ctx, events)
}

// openRounds opens the ledger and a recorder in rounds; close closes both.
func (c connector) openRounds(t *testing.T) (r *aggregate.Recorder, l *leaving, peers []accounts.PeerAccount, err error) {
	t.Helper()
	opened, err := embedded.Open(c.ledger)
	require.NoError(t, err)
	l = &leaving{Ledger: opened}
	book, err := accounts.NewBook(l, accounts.Config{Namespace: "test", Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	peers, err = book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(1000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	r, err = aggregate.NewRecorder(t.Context(), l, book, aggregate.Config{JournalFolder: c.journal, RoundInterval: time.Millisecond})
	return r, l, peers, err
}

// recordRounds fulfills packets in rounds, and more while the ledger is away; then the connector is killed.
func (c connector) recordRounds(t *testing.T, booked, waiting int) {
	t.Helper()
	r, l, peers, err := c.openRounds(t)
	require.NoError(t, err)
	var held []transfers.Packet
	for range booked + waiting {
		result, err := r.Prepare(t.Context(), transfers.Packet{From: peers[0], To: peers[1], In: 1, Out: 1, Expiry: time.Now().Add(30 * time.Second)})
		require.NoError(t, err)
		held = append(held, result.Packet)
	}
	for i, p := range held {
		if i == booked {
			require.NoError(t, r.Flush(t.Context()))
			l.away.Store(true)
		}
		_, err = r.Fulfill(t.Context(), p)
		require.NoError(t, err)
	}
	if waiting == 0 {
		require.NoError(t, r.Flush(t.Context()))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_ = r.Close(ended)
	require.NoError(t, l.Close())
}

// newRoundsConnector makes a connector with a journal of rounds, in which two fulfills wait.
func newRoundsConnector(t *testing.T) connector {
	t.Helper()
	dir := t.TempDir()
	c := connector{filepath.Join(dir, "ledger"), filepath.Join(dir, "rounds"), filepath.Join(dir, "backups")}
	c.recordRounds(t, 3, 2)
	return c
}

// A journal of rounds is backed up with its archive, verified, and restored. A connector goes on with the
// copies, and books what waits.
func TestJournalOfRounds(t *testing.T) {
	t.Parallel()
	c := newRoundsConnector(t)
	archives := writeArchives(t, c.journal, journalNumber(t, c.journal))
	b := node{}.createBackup(t, c.makeOptions())
	noted := b.Manifest.Journal.Journal
	require.Positive(t, noted.Round)
	require.Equal(t, Journal{Namespace: "test", Waiting: 2, Rounds: true, Round: noted.Round, Archives: len(archives)}, noted)
	require.Equal(t, 3, b.Manifest.Format)
	again, err := Open(b.Folder)
	require.NoError(t, err)
	require.Equal(t, b, again)
	report, err := b.Verify(t.Context(), nil, ReadFolder(c.ledger, t.TempDir()), nil)
	require.NoError(t, err)
	require.Equal(t, noted, *report.Journal)

	dir := t.TempDir()
	restored := connector{filepath.Join(dir, "ledger"), filepath.Join(dir, "rounds"), c.backups}
	require.NoError(t, b.Restore(t.Context(), restored.ledger, nil))
	require.NoError(t, b.RestoreJournal(t.Context(), restored.journal))
	for name, want := range archives {
		got, err := os.ReadFile(filepath.Join(restored.journal, "archive", name))
		require.NoError(t, err)
		require.Equal(t, want, got, name)
	}
	require.ErrorIs(t, b.RestoreJournal(t.Context(), restored.journal), ErrNotEmpty)
	r, l, peers, err := restored.openRounds(t)
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
	book, err := accounts.NewBook(l, accounts.Config{Namespace: "test", Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	balance, err := book.Balance(t.Context(), peers[1])
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(5), balance.Payable)
	require.NoError(t, l.Close())
}

// A restored journal that is older than the ledger is refused by the recorder, and books nothing twice.
func TestOldJournalOfRounds(t *testing.T) {
	t.Parallel()
	c := newRoundsConnector(t)
	b := node{}.createBackup(t, Options{Journal: c.journal, Folder: c.backups})
	require.Equal(t, "journal-"+b.Manifest.Journal.ID, b.Manifest.Source())
	c.recordRounds(t, 1, 0)
	old := connector{c.ledger, filepath.Join(t.TempDir(), "rounds"), c.backups}
	require.NoError(t, b.RestoreJournal(t.Context(), old.journal))
	_, l, _, err := old.openRounds(t)
	require.ErrorIs(t, err, aggregate.ErrOldJournal)
	require.NoError(t, l.Close())
	c.recordRounds(t, 1, 0)
}

// Archive files that were left behind are not mixed with those of a backup.
func TestJournalOfRoundsIsNotMixed(t *testing.T) {
	t.Parallel()
	c := newRoundsConnector(t)
	writeArchives(t, c.journal, journalNumber(t, c.journal))
	b := node{}.createBackup(t, c.makeOptions())
	target := filepath.Join(t.TempDir(), "rounds")
	require.NoError(t, os.MkdirAll(filepath.Join(target, "archive"), 0o700))
	require.NoError(t, b.RestoreJournal(t.Context(), target), "an empty folder")
	target = filepath.Join(t.TempDir(), "rounds")
	require.NoError(t, os.MkdirAll(target, 0o700))
	writeArchives(t, target, 7)
	require.ErrorIs(t, b.RestoreJournal(t.Context(), target), ErrNotEmpty)
	require.NoFileExists(t, filepath.Join(target, "log-0000000000000000"))
}

// What differs from the manifest fails the verification.
func TestJournalOfRoundsThatIsNotAsItWasNoted(t *testing.T) {
	t.Parallel()
	c := newRoundsConnector(t)
	writeArchives(t, c.journal, journalNumber(t, c.journal))
	for name, change := range map[string]func(*Manifest){
		"round":    func(m *Manifest) { m.Journal.Round++ },
		"archives": func(m *Manifest) { m.Journal.Archives-- },
		"kind":     func(m *Manifest) { m.Journal.Rounds = false },
	} {
		b := rewriteManifest(t, node{}.createBackup(t, c.makeOptions()), change)
		_, err := b.Verify(t.Context(), nil, nil, nil)
		require.ErrorIs(t, err, ErrDamaged, name)
	}
}
