package transfers_test

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// ReadJournal returns the pending fulfills, and leaves them to the next recorder.
func TestReadJournal(t *testing.T) {
	t.Parallel()
	f, packets, whole := leaveFulfills(t, 3)
	defer func() { require.NoError(t, f.recorder.Close(t.Context())) }()
	folder := whole.writeFolder(t)
	for range 2 {
		got, err := transfers.ReadJournal(folder)
		require.NoError(t, err)
		require.Equal(t, f.book.Namespace(), got.Namespace)
		require.Equal(t, 3, got.PendingFulfills)
		require.Zero(t, got.TornBytes)
		newest := packets[0].Expiry
		for _, p := range packets {
			if p.Expiry.After(newest) {
				newest = p.Expiry
			}
		}
		require.True(t, newest.Equal(got.NewestExpiry), "%v, %v", newest, got.NewestExpiry)
		require.Equal(t, whole, readFiles(t, folder))
	}
	f.requireReplayed(t, folder, packets)
	got, err := transfers.ReadJournal(folder)
	require.NoError(t, err)
	require.Zero(t, got.PendingFulfills)
	require.Zero(t, got.NewestExpiry)
}

// A refused fulfill is not pending.
func TestReadJournalOfARefused(t *testing.T) {
	t.Parallel()
	f, folder := newFixture(t, transfers.Config{}, nil), newFolder(t)
	defer func() { require.NoError(t, f.recorder.Close(t.Context())) }()
	r := f.newJournaled(t, folder, &eventLog{}, nil)
	_, err := transfers.ReadJournal(folder)
	require.ErrorIs(t, err, transfers.ErrJournalInUse)
	unknown := f.packet(1, 1) // it was never prepared
	unknown.ID = ledger.NewID(7<<8, 9)
	_, err = r.Record(t.Context(), transfers.FulfillOp(unknown))
	require.Error(t, err)
	whole := readFiles(t, folder)
	require.NoError(t, r.Close(t.Context()))
	size := 0
	for _, content := range whole {
		size += len(content)
	}
	require.Greater(t, size, 700, "it was in the journal")
	got, err := transfers.ReadJournal(whole.writeFolder(t))
	require.NoError(t, err)
	require.Zero(t, got.PendingFulfills)
}

func TestReadJournalErrors(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	_, err := transfers.ReadJournal(missing)
	require.ErrorIs(t, err, transfers.ErrJournal)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoDirExists(t, missing)

	f, _, whole := leaveFulfills(t, 1)
	require.NoError(t, f.recorder.Close(t.Context()))
	for name, content := range whole {
		if len(content) > 512 {
			content = append([]byte{}, content...)
			content[512+24] ^= 1
			_, err = transfers.ReadJournal(whole.withFile(name, content).writeFolder(t))
			require.ErrorIs(t, err, transfers.ErrJournalCorrupt, name)
		}
	}
}

// The first record of a ledger's folder has the kind of an owner record. Its bytes are no namespace, also
// when the first byte looks like a format.
func TestReadJournalOfALedgerFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	log, _, err := wal.Open(folder, func(wal.Record) error { return nil })
	require.NoError(t, err)
	data := []byte{1, 0x9f, 0x8e, 0xc3, 0x28, 0, 0}
	position := log.Append(1, len(data), func(b []byte) []byte { return append(b, data...) })
	require.NoError(t, log.Wait(t.Context(), position))
	require.NoError(t, log.Close())
	_, err = transfers.ReadJournal(folder)
	require.ErrorIs(t, err, transfers.ErrJournalForeign)
}
