package aggregate_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// roundless is a ledger that answers no round; reaches is set if it executes them.
type roundless struct {
	ledger.Ledger

	armed, reaches bool
	asked          chan struct{}
}

func (l *roundless) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	for i := range events {
		if events[i].Code == chart.CodeFee && l.armed {
			if l.reaches {
				_, _ = l.Ledger.CreateTransfers(ctx, events)
			}
			select {
			case l.asked <- struct{}{}:
			default:
			}
			return nil, errLost
		}
	}
	return l.Ledger.CreateTransfers(ctx, events)
}

// fulfillPackets fulfills packets of 100 from alice to bob.
func (f *fixture) fulfillPackets(t *testing.T, r *aggregate.Recorder, count int) {
	t.Helper()
	for range count {
		held, err := r.Prepare(t.Context(), f.packet(0, 1, 100, 99))
		require.NoError(t, err)
		_, err = r.Fulfill(t.Context(), held.Packet)
		require.NoError(t, err)
	}
}

// kill ends a recorder without its last work.
func kill(t *testing.T, r *aggregate.Recorder) {
	t.Helper()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_ = r.Close(ended)
}

// The content of a journal is known before, during and after a round, and reading changes nothing.
func TestReadJournal(t *testing.T) {
	t.Parallel()
	l := &roundless{Ledger: embedded.New(), asked: make(chan struct{}, 1)}
	f := newFixture(t, l, 10_000)
	began := time.Now()
	r := f.open(t)
	_, err := aggregate.ReadJournal(f.folder)
	require.ErrorIs(t, err, transfers.ErrJournalInUse)
	f.fulfillPackets(t, r, 3)
	require.NoError(t, r.Flush(t.Context()))
	open, err := aggregate.ReadOpenJournal(f.folder)
	require.NoError(t, err)
	require.Positive(t, open.Round)
	require.NoError(t, r.Close(t.Context()))
	first, err := aggregate.ReadJournal(f.folder)
	require.NoError(t, err)
	require.Equal(t, f.book.Namespace(), first.Namespace)
	require.NotZero(t, first.Number)
	require.Positive(t, first.Round)
	require.WithinRange(t, first.NewestAt, began, time.Now())
	require.Zero(t, first.PendingFulfills)
	require.Zero(t, first.OpenRound)
	require.Zero(t, first.TornBytes)

	r = f.open(t)
	_, err = r.Forward(t.Context(), f.packet(0, 1, 0, 0))
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
	empty, err := aggregate.ReadJournal(f.folder)
	require.NoError(t, err)
	require.Zero(t, empty.PendingFulfills, "a packet without amounts is in no round")
	require.NoError(t, first.CheckLedger(t.Context(), l))

	r = f.open(t)
	f.fulfillPackets(t, r, 1)
	require.NoError(t, r.Flush(t.Context()))
	l.armed = true // before the next packet, so after the last round
	f.fulfillPackets(t, r, 2)
	<-l.asked
	kill(t, r)
	waiting, err := aggregate.ReadJournal(f.folder)
	require.NoError(t, err)
	require.EqualValues(t, 2, waiting.PendingFulfills)
	require.Equal(t, first.Number, waiting.Number)
	require.Greater(t, waiting.OpenRound, waiting.Round)
	require.Greater(t, waiting.Round, first.Round)
	again, err := aggregate.ReadJournal(f.folder)
	require.NoError(t, err)
	require.Equal(t, waiting, again)
	l.armed = false
	r = f.open(t)
	f.fulfillPackets(t, r, 1)
	require.NoError(t, r.Close(t.Context()))
	done, err := aggregate.ReadJournal(f.folder)
	require.NoError(t, err)
	require.Zero(t, done.PendingFulfills)
	require.Zero(t, done.OpenRound)
	require.Greater(t, done.Round, waiting.OpenRound)
	require.ErrorIs(t, waiting.CheckLedger(t.Context(), l), aggregate.ErrOldJournal, "rounds follow the open one")
	require.NoError(t, done.CheckLedger(t.Context(), l))
	require.ErrorIs(t, first.CheckLedger(t.Context(), l), aggregate.ErrOldJournal)
	require.ErrorIs(t, done.CheckLedger(t.Context(), embedded.New()), aggregate.ErrOldLedger)
}

// An open round that the ledger has is no sign of an old journal; a later attempt is.
func TestJournalWithAnOpenRound(t *testing.T) {
	t.Parallel()
	l := &roundless{Ledger: embedded.New(), asked: make(chan struct{}, 1), armed: true, reaches: true}
	f := newFixture(t, l, 10_000)
	r := f.open(t)
	f.fulfillPackets(t, r, 1)
	<-l.asked
	kill(t, r)
	open, err := aggregate.ReadJournal(f.folder)
	require.NoError(t, err)
	require.Positive(t, open.OpenRound)
	require.NoError(t, open.CheckLedger(t.Context(), l))
	earlier := open
	earlier.OpenRound--
	require.ErrorIs(t, earlier.CheckLedger(t.Context(), l), aggregate.ErrOldJournal)
}

// Folders of others are refused as such.
func TestReadJournalOfOthers(t *testing.T) {
	t.Parallel()
	_, err := aggregate.ReadJournal(filepath.Join(t.TempDir(), "missing"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	f := newFixture(t, embedded.New(), 1000)
	journal := filepath.Join(t.TempDir(), "transfers")
	single, err := transfers.NewRecorder(f.ledger, f.book, transfers.Config{
		JournalFolder: journal, Events: transfers.Events{Replayed: func([]transfers.Result) {}},
	})
	require.NoError(t, err)
	require.NoError(t, single.Close(t.Context()))
	_, err = aggregate.ReadJournal(journal)
	require.ErrorIs(t, err, transfers.ErrJournalForeign)
	folder := filepath.Join(t.TempDir(), "ledger")
	l, err := embedded.Open(folder)
	require.NoError(t, err)
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	_, err = book.Provision(t.Context())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = aggregate.ReadJournal(folder)
	require.ErrorIs(t, err, transfers.ErrJournalForeign)

	require.NoError(t, f.open(t).Close(t.Context()))
	_, err = transfers.ReadJournal(f.folder)
	require.ErrorIs(t, err, transfers.ErrJournalForeign)
	names, err := wal.Names(f.folder)
	require.NoError(t, err)
	content, err := os.ReadFile(filepath.Join(f.folder, names[0]))
	require.NoError(t, err)
	content[20] ^= 1
	require.NoError(t, os.WriteFile(filepath.Join(f.folder, names[0]), content, 0o600))
	_, err = aggregate.ReadJournal(f.folder)
	require.ErrorIs(t, err, transfers.ErrJournalCorrupt)
}
