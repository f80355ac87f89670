package embedded

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// Without room, requests that change something are refused and change nothing, reads go on, no
// checkpoint is begun to be written, and all goes on when there is room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	var room atomic.Uint64
	room.Store(300 << 20)
	limited := func(l *Ledger) {
		l.space.free = func(string) (uint64, bool) { return room.Load(), true }
	}
	dir := t.TempDir()
	l, err := Open(dir, limited, WithDiskReserve(100<<20), WithCheckpointEvery(1))
	require.NoError(t, err)
	one, two := ledger.NewID(1, 0), ledger.NewID(2, 0)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{{ID: one, Ledger: 1, Code: 1}, {ID: two, Ledger: 1, Code: 1}})
	require.NoError(t, err)
	move := func(id uint64) error {
		_, err := l.CreateTransfers(t.Context(), []ledger.Transfer{{
			ID: ledger.NewID(id, 0), DebitAccountID: one, CreditAccountID: two, Amount: ledger.NewAmount(1), Ledger: 1, Code: 1,
		}})
		return err
	}
	require.NoError(t, move(10))
	room.Store(100<<20 - 1)
	err = move(11)
	require.ErrorIs(t, err, ErrDiskFull)
	require.ErrorContains(t, err, "99 MiB are left in "+dir)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{{ID: ledger.NewID(3, 0), Ledger: 1, Code: 1}})
	require.ErrorIs(t, err, ErrDiskFull)
	found, err := l.LookupTransfers(t.Context(), []ledger.ID{ledger.NewID(10, 0), ledger.NewID(11, 0)})
	require.NoError(t, err)
	require.Len(t, found, 1)

	room.Store(100 << 20) // for requests, and not for a checkpoint beside the reserve
	for id := range uint64(10) {
		require.NoError(t, move(50+id))
		l.WaitForCheckpoint()
	}
	require.ErrorIs(t, l.CheckBackground(), ErrDiskFull)
	room.Store(300 << 20)
	for id := range uint64(20) {
		require.NoError(t, move(20+id))
		l.WaitForCheckpoint()
	}
	require.NoError(t, l.CheckBackground())
	require.NoError(t, l.Close())
	l, err = Open(dir)
	require.NoError(t, err)
	require.Equal(t, 31, l.Recovery().Transfers)
	require.Less(t, l.Recovery().Records, 25, "checkpoints were written")
	require.NoError(t, l.Close())

	l, err = Open(dir, limited, WithDiskReserve(0))
	require.NoError(t, err)
	room.Store(0)
	require.NoError(t, move(99))
	require.NoError(t, l.Close())
}
