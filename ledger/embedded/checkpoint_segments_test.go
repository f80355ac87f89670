package embedded

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// manySegments is more segments than one record of a checkpoint has.
const manySegments = chunkRows + 3

// writeManySegments writes a folder with a segment for each transfer, and one for the expiry of a hold
// whose segment is in the first record. It returns the path of the checkpoint.
func writeManySegments(t *testing.T, dir string) string {
	t.Helper()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l, err := Open(dir, WithClock(func() time.Time { return now }), WithCheckpointEvery(1<<30))
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	hold := coldTransfer(10, ledger.TransferPending)
	hold.Timeout = 3600
	for id := range uint64(manySegments - 1) {
		transfer := coldTransfer(id+10, 0)
		if id == 0 {
			transfer = hold
		}
		_, err := l.CreateTransfers(t.Context(), []ledger.Transfer{transfer})
		require.NoError(t, err)
		l.mu.Lock()
		l.books.freeze() // a segment for each generation, all in one seal
		l.mu.Unlock()
	}
	now = now.Add(2 * time.Hour)
	l.Pulse()
	l.checkpointForTest(t)
	require.Len(t, l.books.cold.segments, manySegments)
	require.NoError(t, l.Close())
	names, err := filepath.Glob(filepath.Join(dir, "checkpoint-*"))
	require.NoError(t, err)
	require.Len(t, names, 1)
	return names[0]
}

// A checkpoint has its segments in several records, so that their number has no bound. All are there
// after an opening, and a record that is damaged or missing is noticed.
func TestSegmentsInSeveralRecords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	checkpoint := writeManySegments(t, dir)
	l, err := Open(dir)
	require.NoError(t, err)
	require.Len(t, l.books.cold.segments, manySegments)
	require.Equal(t, manySegments-1, l.Recovery().Transfers)
	require.NoError(t, l.VerifyFiles(t.Context()))
	transfers, err := l.QueryTransfers(t.Context(), ledger.QueryFilter{Limit: 2000})
	require.NoError(t, err)
	require.Len(t, transfers, manySegments-1)
	for i, transfer := range transfers {
		require.Equal(t, ledger.NewID(uint64(i)+10, 0), transfer.ID)
	}
	events, err := l.GetChangeEvents(t.Context(), ledger.ChangeEventsFilter{Limit: 2000})
	require.NoError(t, err)
	require.Len(t, events, manySegments)
	require.Equal(t, ledger.ChangeEventTwoPhaseExpired, events[manySegments-1].Type)
	require.NoError(t, l.Close())

	whole, err := os.ReadFile(checkpoint)
	require.NoError(t, err)
	frames := framesOf(whole, kindSegments)
	require.Len(t, frames, 2)
	for _, frame := range frames {
		at := bytes.Index(whole, frame)
		changed := slices.Clone(whole)
		changed[at+len(frame)-1]++
		for name, content := range map[string][]byte{
			"damaged": changed, "missing": slices.Delete(slices.Clone(whole), at, at+len(frame)),
		} {
			require.NoError(t, os.WriteFile(checkpoint, content, 0o600))
			_, err = Open(dir)
			require.ErrorIs(t, err, ErrCorrupt, name)
			require.ErrorContains(t, err, checkpoint, name)
		}
	}
	require.NoError(t, os.WriteFile(checkpoint, whole, 0o600))
	requireOrderOfSegments(t, dir)
}

// framesOf returns the frames of a kind in a file of package wal, whose frames.go describes them.
func framesOf(file []byte, kind uint8) (frames [][]byte) {
	for at := 512; at < len(file); {
		end := at + 24 + int(byteOrder.Uint32(file[at+4:]))
		if file[at+16] == kind {
			frames = append(frames, file[at:end])
		}
		at = end
	}
	return frames
}

// requireOrderOfSegments restores the records of the segments twice, and in another order.
func requireOrderOfSegments(t *testing.T, dir string) {
	t.Helper()
	var lists []wal.Record
	_, err := wal.Read(dir, folderFormat, func(record wal.Record) error {
		if record.Kind == kindSegments {
			lists = append(lists, wal.Record{Kind: record.Kind, Data: bytes.Clone(record.Data)})
		}
		return nil
	})
	require.NoError(t, err)
	require.Len(t, lists, 2)
	for _, order := range [][2]int{{0, 0}, {1, 0}, {1, 1}} {
		l := New()
		_, err := l.newRestorer(dir, true)
		require.NoError(t, err)
		require.NoError(t, l.books.restoreRecord(lists[order[0]]))
		require.ErrorIs(t, l.books.restoreRecord(lists[order[1]]), ErrIncompatible, order)
		require.NoError(t, l.books.closeFiles())
	}
}
