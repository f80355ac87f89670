package embedded

import (
	"context"
	"iter"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// listBurnt returns the burnt ids, and the length of the list: a checkpoint under way may repeat ids.
func listBurnt(t *testing.T, l *Ledger) (found map[ledger.ID]bool, n int) {
	t.Helper()
	found = map[ledger.ID]bool{}
	for id, err := range l.BurntIDs(t.Context()) {
		require.NoError(t, err)
		found[id] = true
		n++
	}
	return found, n
}

// The list has the burnt ids in memory, in frozen generations and in merged runs, and no other ids.
func TestBurntIDs(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(ledgertest.Seed(t), 1))
	dir := t.TempDir()
	open := func() *Ledger {
		l, err := Open(dir, WithCheckpointEvery(1<<14))
		require.NoError(t, err)
		return l
	}
	l := open()
	_, err := l.CreateAccounts(t.Context(), []ledger.Account{
		{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}, {ID: ledger.NewID(2, 0), Ledger: 1, Code: 1},
	})
	require.NoError(t, err)
	want := map[ledger.ID]bool{}
	for request := range uint64(60) {
		events := make([]ledger.Transfer, 40)
		for i := range events {
			events[i] = coldTransfer(request*40+uint64(i)+1, 0)
			if random.IntN(3) == 0 {
				events[i].CreditAccountID = ledger.NewID(3, 0) // is not there
				want[events[i].ID] = true
			}
		}
		_, err := l.CreateTransfers(t.Context(), events)
		require.NoError(t, err)
		if request%10 == 9 {
			found, _ := listBurnt(t, l)
			require.Equal(t, want, found)
		}
		if request%20 == 19 {
			require.NoError(t, l.Close())
			l = open()
			found, _ := listBurnt(t, l)
			require.Equal(t, want, found)
		}
	}
	l.sealForTest(t)
	found, n := listBurnt(t, l)
	require.Equal(t, want, found)
	require.Len(t, found, n, "each once")
	require.NoError(t, l.Close())
}

// A loop that stops lets the ledger close; an error is the last element.
func TestBurntIDsEnd(t *testing.T) {
	t.Parallel()
	l := openCold(t)
	missing := coldTransfer(7, 0)
	missing.DebitAccountID = ledger.NewID(3, 0)
	l.createCold(t, missing)
	for id, err := range l.BurntIDs(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, missing.ID, id)
		break
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, lastError(l.BurntIDs(ended)), context.Canceled)
	require.NoError(t, l.Close())
	require.ErrorIs(t, lastError(l.BurntIDs(t.Context())), ledger.ErrClosed)
}

// A context that has ended is reported also for ids in memory, and where there is none.
func TestBurntIDsInMemoryEnd(t *testing.T) {
	t.Parallel()
	folder, err := Open(t.TempDir())
	require.NoError(t, err)
	for _, l := range []*Ledger{New(), folder} {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.Equal(t, []error{context.Canceled}, listErrors(l.BurntIDs(ended)), "no id is burnt")
		_, err := l.CreateTransfers(t.Context(), []ledger.Transfer{coldTransfer(7, 0), coldTransfer(8, 0), coldTransfer(9, 0)})
		require.NoError(t, err) // their accounts are missing
		require.Equal(t, []error{context.Canceled}, listErrors(l.BurntIDs(ended)))

		for n := range 3 { // the context ends with id n
			during, cancel := context.WithCancel(t.Context())
			var errs []error
			for _, err := range l.BurntIDs(during) {
				if errs = append(errs, err); len(errs) == n+1 {
					cancel()
				}
			}
			cancel()
			require.Equal(t, append(make([]error, n+1), context.Canceled), errs)
		}
		require.NoError(t, l.Close())
	}
}

func listErrors(ids iter.Seq2[ledger.ID, error]) (errs []error) {
	for _, err := range ids {
		errs = append(errs, err)
	}
	return errs
}

func lastError(ids func(func(ledger.ID, error) bool)) (last error) {
	for _, err := range ids {
		last = err
	}
	return last
}
