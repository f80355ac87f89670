package embedded_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// Read returns the same books as Open, and leaves every byte of the folder unchanged.
func TestRead(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "ledger")
	l, err := embedded.Open(dir)
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(5, 0), Ledger: 1, Code: 1}})
	require.NoError(t, err)
	_, err = embedded.Read(dir)
	require.ErrorIs(t, err, embedded.ErrInUse)
	_, err = l.CreateTransfers(t.Context(), []ledger.Transfer{movementTo5(9)})
	require.NoError(t, err)
	require.NoError(t, l.Close())

	// A crash has cut off the last record.
	torn := readFolder(t, dir)
	newest := torn.newestLog()
	dir = torn.withFile(newest, append([]byte(torn[newest]), "half a record"...)).writeFolder(t)
	before := readFolder(t, dir)
	for range 2 {
		l, err = embedded.Read(dir)
		require.NoError(t, err)
		require.Equal(t, []int{2, 1}, []int{l.Recovery().Accounts, l.Recovery().Transfers})
		require.EqualValues(t, 13, l.Recovery().TornBytes)
		_, err = l.CreateTransfers(t.Context(), []ledger.Transfer{movementTo5(10)})
		require.NoError(t, err)
		rows, err := l.LookupTransfers(t.Context(), []ledger.ID{ledger.NewID(9, 0), ledger.NewID(10, 0)})
		require.NoError(t, err)
		require.Len(t, rows, 2)
		require.NoError(t, l.Close())
		require.Equal(t, before, readFolder(t, dir))
	}

	damaged := before.withFile(newest, append([]byte("x"), before[newest][1:]...)).writeFolder(t)
	_, err = embedded.Read(damaged)
	require.ErrorIs(t, err, embedded.ErrCorrupt)
	_, err = embedded.Read(filepath.Join(dir, "missing"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	empty := t.TempDir()
	_, err = embedded.Read(empty)
	require.ErrorIs(t, err, fs.ErrNotExist)
	entries, err := os.ReadDir(empty)
	require.NoError(t, err)
	require.Empty(t, entries)
}
