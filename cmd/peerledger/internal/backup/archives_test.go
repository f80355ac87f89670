package backup

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// writeArchives writes archive files of a journal with this number beside it, and returns their content by
// name. A file that is not whole yet is there as well.
func writeArchives(t *testing.T, folder string, journal uint64) map[string][]byte {
	t.Helper()
	return writeArchivesFrom(t, folder, journal, 100)
}

// writeArchivesFrom is writeArchives with the number of the first file.
func writeArchivesFrom(t *testing.T, folder string, journal, first uint64) map[string][]byte {
	t.Helper()
	folder = filepath.Join(folder, packetlog.ArchiveFolder)
	files := map[string][]byte{}
	for n := range uint64(2) {
		w, err := packetlog.CreateArchive(folder, journal, first+n)
		require.NoError(t, err)
		for i := range uint64(5000) {
			require.NoError(t, w.Add(&packetlog.Packet{
				Number: n*5000 + i + 1, ResolvedAt: int64(i), Expiry: int64(i), ID: ledger.NewID(i+1, n), From: packetlog.Party{Ledger: 1, Peer: "alice"},
				To: packetlog.Party{Ledger: 1, Peer: "bob"}, In: 1, Out: 1,
			}))
		}
		require.NoError(t, w.Commit())
	}
	list, err := packetlog.ListArchives(folder)
	require.NoError(t, err)
	for _, a := range list {
		files[filepath.Base(a.Path)], err = os.ReadFile(a.Path)
		require.NoError(t, err)
	}
	require.Len(t, files, 2)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "packets-00000000000000ff.tmp"), nil, 0o600))
	return files
}

// journalNumber returns the number of a journal.
func journalNumber(t *testing.T, folder string) uint64 {
	t.Helper()
	content, err := aggregate.ReadJournal(folder)
	require.NoError(t, err)
	return content.Number
}

// A damaged archive, or one of another journal, is not backed up.
func TestDamagedArchivesAreNotBackedUp(t *testing.T) {
	t.Parallel()
	c := newRoundsConnector(t)
	number := journalNumber(t, c.journal)
	for name := range writeArchives(t, c.journal, number) {
		file := filepath.Join(c.journal, packetlog.ArchiveFolder, name)
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		content[200] ^= 1 // in a block
		require.NoError(t, os.WriteFile(file, content, 0o600))
		break
	}
	_, err := Create(t.Context(), c.makeOptions())
	require.ErrorIs(t, err, packetlog.ErrArchiveCorrupt)
	require.Empty(t, listLeftovers(t, c.backups))
	writeArchives(t, c.journal, number+1)
	_, err = Create(t.Context(), c.makeOptions())
	require.ErrorContains(t, err, "belongs to journal")
	writeArchives(t, c.journal, number)
	_, err = Create(t.Context(), c.makeOptions())
	require.NoError(t, err)
}
