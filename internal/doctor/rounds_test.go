package doctor

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// leaving is a ledger that goes away.
type leaving struct {
	ledger.Ledger

	away  atomic.Bool
	asked chan struct{} // gets an element when a round comes while the ledger is away
}

func (l *leaving) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if !l.away.Load() {
		return l.Ledger.CreateTransfers(ctx, events)
	}
	for i := range events {
		if events[i].Code == chart.CodeRound {
			select {
			case l.asked <- struct{}{}:
			default:
			}
		}
	}
	return nil, ledger.ErrOutcomeUnknown
}

// roundsFolders are the folders of an embedded ledger and of a journal of rounds.
type roundsFolders struct{ ledger, journal string }

func newRoundsFolders(t *testing.T) roundsFolders {
	t.Helper()
	dir := t.TempDir()
	return roundsFolders{filepath.Join(dir, "ledger"), filepath.Join(dir, "rounds")}
}

// record fulfills packets in rounds; the ledger is away for the last of them.
func (f roundsFolders) record(t *testing.T, packets, waiting int) {
	t.Helper()
	opened, err := embedded.Open(f.ledger)
	require.NoError(t, err)
	defer func() { require.NoError(t, opened.Close()) }()
	recordRounds(t, opened, f.journal, packets, waiting)
}

func recordRounds(t *testing.T, on ledger.Ledger, journal string, packets, waiting int) {
	t.Helper()
	l := &leaving{Ledger: on, asked: make(chan struct{}, 1)}
	book, err := accounts.NewBook(l, accounts.Config{Namespace: "test", Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	peers, err := book.Provision(t.Context(), accounts.PeerConfig{ID: "alice", Asset: usd, CreditLine: ledger.NewAmount(10_000)}, accounts.PeerConfig{ID: "bob", Asset: usd})
	require.NoError(t, err)
	r, err := aggregate.NewRecorder(t.Context(), l, book, aggregate.Config{JournalFolder: journal, RoundInterval: time.Millisecond, RequestSize: 253})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var held []transfers.Packet
	for range packets + waiting {
		result, err := r.Prepare(t.Context(), transfers.Packet{From: peers[0], To: peers[1], In: 10, Out: 9, Expiry: time.Now().Add(30 * time.Second)})
		require.NoError(t, err)
		held = append(held, result.Packet)
	}
	for i, p := range held {
		if i == packets {
			require.NoError(t, r.Flush(t.Context()))
			l.away.Store(true)
		}
		_, err = r.Fulfill(t.Context(), p)
		require.NoError(t, err)
	}
	if waiting > 0 {
		<-l.asked
		cancel()
	}
	_ = r.Close(ctx)
}

func (f roundsFolders) subject() Subject {
	return Subject{
		Folder: f.ledger, Journal: f.journal,
		Books: Books{
			Config: accounts.Config{Namespace: "test", Assets: []accounts.Asset{usd}},
			Peers:  []accounts.PeerAsset{{Peer: "alice", Asset: usd}, {Peer: "bob", Asset: usd}},
		},
	}
}

// A journal of rounds is described, and compared with the ledger.
func TestJournalOfRounds(t *testing.T) {
	t.Parallel()
	f := newRoundsFolders(t)
	f.record(t, 3, 0)
	r := Examine(t.Context(), f.subject())
	require.Equal(t, []Code{FolderRight, TotalsRight, ClockPlausible, BooksRight, JournalRight}, listFolderCodes(r), "%+v", r)
	require.Regexp(t, `^no fulfill waits; journal of rounds [0-9a-f]{16}, namespace "test", the newest round is \d+, the last packet was resolved at `, findFinding(t, r, JournalRight).Found)

	copied := filepath.Join(t.TempDir(), "rounds")
	require.NoError(t, os.CopyFS(copied, os.DirFS(f.journal)))
	oldLedger := filepath.Join(t.TempDir(), "ledger")
	require.NoError(t, os.CopyFS(oldLedger, os.DirFS(f.ledger)))
	f.record(t, 1, 2)
	r = Examine(t.Context(), f.subject())
	require.Equal(t, []Code{FolderRight, TotalsRight, ClockPlausible, BooksRight, Reserved, JournalWaits}, listFolderCodes(r), "%+v", r)
	require.Regexp(t, `^2 fulfills are in no round that the ledger is known to have; .*, round \d+ was sent and has no answer, `, findFinding(t, r, JournalWaits).Found)

	r = Examine(t.Context(), roundsFolders{f.ledger, copied}.subject())
	require.True(t, r.Has(JournalOld), "%+v", r)
	r = Examine(t.Context(), roundsFolders{oldLedger, f.journal}.subject())
	require.True(t, r.Has(LedgerOld), "%+v", r)
	require.Equal(t, Problem, r.Worst())

	other := f.subject()
	other.Books.Config.Namespace = "other"
	require.True(t, Examine(t.Context(), other).Has(JournalOther))
	r = Examine(t.Context(), Subject{Journal: f.journal, Now: func() time.Time { return time.Now().Add(-time.Hour) }})
	require.Contains(t, findFinding(t, r, ClockBehind).Found, "the journal's newest packet is from ")
}

// Folders of another kind, damaged ones and those in use are told apart.
func TestJournalsOfRoundsThatAreNotRead(t *testing.T) {
	t.Parallel()
	f := newRoundsFolders(t)
	f.record(t, 1, 0)
	damaged := t.TempDir()
	names, err := wal.Names(f.journal)
	require.NoError(t, err)
	content, err := os.ReadFile(filepath.Join(f.journal, names[0]))
	require.NoError(t, err)
	content[100] ^= 1
	require.NoError(t, os.WriteFile(filepath.Join(damaged, names[0]), content, 0o600))
	for name, test := range map[string]struct {
		subject Subject
		want    Code
	}{
		"missing":  {Subject{Journal: f.journal + "/none"}, FolderMissing},
		"damaged":  {Subject{Journal: damaged}, FolderDamaged},
		"a ledger": {Subject{Journal: f.ledger}, FolderForeign},
	} {
		r := Examine(t.Context(), test.subject)
		require.Equal(t, []Code{test.want}, listFolderCodes(r), "%s: %+v", name, r)
	}
}

// The journal of a running connector is read, and neither its waiting fulfills nor the rounds that it has
// written since are faults.
func TestJournalOfARunningConnector(t *testing.T) {
	t.Parallel()
	f := newRoundsFolders(t)
	f.record(t, 1, 0)
	behind := filepath.Join(t.TempDir(), "rounds")
	require.NoError(t, os.CopyFS(behind, os.DirFS(f.journal)))
	f.record(t, 1, 1)
	for _, journal := range []string{f.journal, behind} { // as the running connector's journal is behind the ledger
		log, _, err := wal.OpenFormat(journal, wal.AnyFormat, func(wal.Record) error { return nil })
		require.NoError(t, err)
		r := Examine(t.Context(), roundsFolders{f.ledger, journal}.subject())
		require.Equal(t, []Code{FolderRight, TotalsRight, ClockPlausible, BooksRight, Reserved, FolderInUse}, listFolderCodes(r))
		require.Equal(t, OK, r.Worst(), "%+v", r)
		require.Regexp(t, `^a running connector has it open; a moment ago (0|1) fulfills? (is|are) in no round that the ledger is known to have; journal of rounds `,
			findFinding(t, r, FolderInUse).Found)
		require.NoError(t, log.Close())
	}
	_, single := writeConnectorFolders(t, 0, time.Time{})
	log, _, err := wal.OpenFormat(single, wal.AnyFormat, func(wal.Record) error { return nil })
	require.NoError(t, err)
	require.Contains(t, findFinding(t, Examine(t.Context(), Subject{Journal: single}), FolderInUse).Found, "nothing in it was checked")
	require.NoError(t, log.Close())
}

// The files of the archive are counted, and damaged and foreign ones are named.
func TestArchive(t *testing.T) {
	t.Parallel()
	f := newRoundsFolders(t)
	f.record(t, 1, 0)
	content, err := aggregate.ReadJournal(f.journal)
	require.NoError(t, err)
	folder := filepath.Join(f.journal, packetlog.ArchiveFolder)
	write := func(number, journal uint64, at time.Time) {
		w, err := packetlog.CreateArchive(folder, journal, number)
		require.NoError(t, err)
		party := packetlog.Party{Ledger: 1, Peer: "alice"}
		require.NoError(t, w.Add(&packetlog.Packet{Number: number, ResolvedAt: at.UnixNano(), ID: ledger.NewID(number, 1), From: party, To: party, In: 1, Out: 1}))
		require.NoError(t, w.Commit())
	}
	subject := Subject{Journal: f.journal}
	require.False(t, Examine(t.Context(), subject).Has(ArchiveRight), "no archive yet")
	first := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	write(1, content.Number, first)
	write(2, content.Number, first.Add(time.Hour))
	r := Examine(t.Context(), subject)
	require.Equal(t, []Code{JournalRight, ArchiveRight}, listFolderCodes(r))
	require.Equal(t, "2 files with 2 packets in 0 MiB, resolved from 2026-03-01 10:00:00 to 2026-03-01 11:00:00 UTC", findFinding(t, r, ArchiveRight).Found)
	write(3, content.Number+1, first)
	require.Contains(t, findFinding(t, Examine(t.Context(), subject), ArchiveDamaged).Found, "packets-0000000000000003 belongs to journal ")
	require.NoError(t, os.Truncate(filepath.Join(folder, "packets-0000000000000002"), 50))
	r = Examine(t.Context(), subject)
	require.Contains(t, findFinding(t, r, ArchiveDamaged).Found, "packets-0000000000000002 is corrupt")
	require.Equal(t, Problem, r.Worst())
}

// Reservations are listed by journal. Those without renewal are named.
func TestReservations(t *testing.T) {
	t.Parallel()
	s := newBooksFixture(t, "alice", "bob")
	own, _ := s.book.AssetIDs(usd.Ledger)
	require.False(t, Examine(t.Context(), s.subject).Has(Reserved), "books without rounds")
	require.NoError(t, s.book.EnsureTransit(t.Context()))
	_, err := s.book.ExtendCredit(t.Context(), mustPeer(t, s.book, "alice"), ledger.NewAmount(10_000))
	require.NoError(t, err)
	reserve := func(amount, journal uint64, timeout uint32) ledger.ID {
		s.writeTransfer(t, ledger.Transfer{
			DebitAccountID: s.peerIDs(t, "alice").Peer, CreditAccountID: own.Transit, Amount: ledger.NewAmount(amount), Code: chart.CodeReserve,
			UserData64: journal, Timeout: timeout, Flags: ledger.TransferPending,
		})
		return ledger.NewID(0, s.rows)
	}
	reserve(500, 1, 3600)
	reserve(250, 1, 3600)
	posted := reserve(90, 2, 3600)
	reserve(100, 2, 60)
	s.writeTransfer(t, ledger.Transfer{PendingID: posted, Flags: ledger.TransferPostPending}) // with 0
	now := time.Now().Add(50 * time.Second)
	s.subject.Now = func() time.Time { return now }
	r := Examine(t.Context(), s.subject)
	require.Equal(t, OK, r.Worst(), "%+v", r)
	require.Regexp(t, `^8\.50 USD are reserved: 7\.50 USD by journal 0000000000000001 in 2 reservations, the newest \d+s old; `+
		`1\.00 USD by journal 0000000000000002 in 1 reservation, the newest \d+s old, not renewed: if its connector was killed, the ledger frees them until \d\d:\d\d:\d\d UTC$`,
		findFinding(t, r, Reserved).Found)

	s.writeTransfer(t, ledger.Transfer{DebitAccountID: own.Suspense, CreditAccountID: own.Transit, Amount: ledger.NewAmount(7), Code: chart.CodeAdjust})
	r = Examine(t.Context(), s.subject)
	require.Equal(t, "0.07 USD", findFinding(t, r, MoneyInTransit).Found)
	require.Equal(t, "books in USD/2", findFinding(t, r, MoneyInTransit).Subject)
	require.Equal(t, Problem, r.Worst())
}

func mustPeer(t *testing.T, book *accounts.Book, peer string) accounts.PeerAccount {
	t.Helper()
	a, err := book.PeerAccount(peer, usd)
	require.NoError(t, err)
	return a
}
