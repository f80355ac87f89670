package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// restartingLedger is a ledger in a folder that is closed and opened again before requests, half of
// the times as after a crash, from a copy of the folder. The clock stands still except for Sleep.
type restartingLedger struct {
	*clock
	t *testing.T

	checkpointEvery int64 // bytes
	restartEvery    int   // requests

	mu       sync.Mutex
	l        *embedded.Ledger
	dir      string
	requests int
	closed   bool
}

func newRestarting(t *testing.T, checkpointEvery int64, restartEvery int) *restartingLedger {
	t.Helper()
	r := &restartingLedger{
		clock: newClock(), t: t, checkpointEvery: checkpointEvery, restartEvery: restartEvery, dir: t.TempDir(),
	}
	var err error
	r.l, err = openRestarting(r)
	require.NoError(t, err)
	return r
}

func openRestarting(r *restartingLedger) (*embedded.Ledger, error) {
	return embedded.Open(r.dir, embedded.WithClock(r.Now), embedded.WithCheckpointEvery(r.checkpointEvery))
}

// beginRequest is called before a request, and its result after the request.
func (r *restartingLedger) beginRequest() (end func()) {
	r.mu.Lock()
	r.requests++
	if !r.closed && r.requests%4 != 0 {
		r.l.WaitForCheckpoint() // rows are cold as soon as they can be
	}
	if !r.closed && r.requests%r.restartEvery == 0 && !r.reopenFolder(r.requests%(2*r.restartEvery) == 0) {
		r.mu.Unlock()
		r.t.FailNow()
	}
	return r.mu.Unlock
}

func (r *restartingLedger) reopenFolder(crash bool) (ok bool) {
	r.l.WaitForCheckpoint()
	if crash {
		r.dir = readFolder(r.t, r.dir).writeFolder(r.t)
	}
	if !assert.NoError(r.t, r.l.Close()) {
		return false
	}
	l, err := openRestarting(r)
	if !assert.NoError(r.t, err) {
		return false
	}
	r.l = l
	return assert.Empty(r.t, l.Recovery().TornFile)
}

func (r *restartingLedger) CreateAccounts(
	ctx context.Context, accounts []ledger.Account,
) ([]ledger.CreateAccountResult, error) {
	defer r.beginRequest()()
	return r.l.CreateAccounts(ctx, accounts)
}

func (r *restartingLedger) CreateTransfers(
	ctx context.Context, transfers []ledger.Transfer,
) ([]ledger.CreateTransferResult, error) {
	defer r.beginRequest()()
	return r.l.CreateTransfers(ctx, transfers)
}

func (r *restartingLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	defer r.beginRequest()()
	return r.l.LookupAccounts(ctx, ids)
}

func (r *restartingLedger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	defer r.beginRequest()()
	return r.l.LookupTransfers(ctx, ids)
}

func (r *restartingLedger) GetAccountTransfers(
	ctx context.Context, filter ledger.AccountFilter,
) ([]ledger.Transfer, error) {
	defer r.beginRequest()()
	return r.l.GetAccountTransfers(ctx, filter)
}

func (r *restartingLedger) GetAccountBalances(
	ctx context.Context, filter ledger.AccountFilter,
) ([]ledger.AccountBalance, error) {
	defer r.beginRequest()()
	return r.l.GetAccountBalances(ctx, filter)
}

func (r *restartingLedger) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	defer r.beginRequest()()
	return r.l.QueryAccounts(ctx, filter)
}

func (r *restartingLedger) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	defer r.beginRequest()()
	return r.l.QueryTransfers(ctx, filter)
}

func (r *restartingLedger) GetChangeEvents(
	ctx context.Context, filter ledger.ChangeEventsFilter,
) ([]ledger.ChangeEvent, error) {
	defer r.beginRequest()()
	return r.l.GetChangeEvents(ctx, filter)
}

func (r *restartingLedger) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return r.l.Close()
}

// The answers of a ledger must not depend on data kept in memory only, nor on where its rows are.
func TestConformanceAcrossRestarts(t *testing.T) {
	t.Parallel()
	for _, bytes := range []int64{500, 3 << 10, 20 << 10} {
		t.Run(fmt.Sprint(bytes), func(t *testing.T) {
			t.Parallel()
			ledgertest.Run(t, func(t *testing.T) ledger.Ledger {
				t.Helper()
				return newRestarting(t, bytes, 10)
			})
		})
	}
}

// The recorded vectors pass with a restart after every request, and with a segment for every request.
func TestRecordedAcrossRestarts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bytes        int64
		restartEvery int
	}{{1, 1}, {1, 1000}, {3 << 10, 3}, {20 << 10, 10}} {
		t.Run(fmt.Sprint(c.bytes, c.restartEvery), func(t *testing.T) {
			t.Parallel()
			if testing.Short() && c.bytes < 10<<10 && c.restartEvery < 100 {
				t.Skip("needs a minute of syncs: run without -short")
			}
			ledgertest.RunRecorded(t, func(t *testing.T) ledger.Ledger {
				t.Helper()
				return newRestarting(t, c.bytes, c.restartEvery)
			})
		})
	}
}

// Neither two programs nor one program twice may open one folder.
func TestFolderInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := embedded.Open(dir)
	require.NoError(t, err)
	_, err = embedded.Open(dir)
	require.ErrorIs(t, err, embedded.ErrInUse)
	require.ErrorContains(t, err, dir)
	require.NoError(t, l.Close())
	l, err = embedded.Open(dir)
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, l.Close(), "twice")
}

// Recovery describes the folder.
func TestRecovery(t *testing.T) {
	t.Parallel()
	s, dir := newWorkload(1), t.TempDir()
	l, err := embedded.Open(dir, embedded.WithClock(s.Now))
	require.NoError(t, err)
	require.Equal(t, embedded.Recovery{}, l.Recovery())
	const requests = 10
	for n := range requests {
		require.NoError(t, s.sendRequest(t, l, n))
	}
	require.NoError(t, l.Close())
	l, err = embedded.Open(dir, embedded.WithClock(s.Now))
	require.NoError(t, err)
	found := l.Recovery()
	require.Equal(t, workloadAccounts, found.Accounts)
	require.Equal(t, requests, found.Records)
	require.Equal(t, s.expectedBooks(t, requests), s.readBooks(t, l, requests))
	require.NoError(t, l.Close())
}

// A ledger with small requests has released fewer holds at once than the default would.
func TestExpiriesUnderAnotherBatchMax(t *testing.T) {
	t.Parallel()
	c, dir := newClock(), t.TempDir()
	l, err := embedded.Open(dir, embedded.WithClock(c.Now), embedded.WithBatchMax(20)) // releases 21 holds at once
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), workloadOpening())
	require.NoError(t, err)
	for i := range uint64(30) {
		require.Equal(t, []ledger.CreateTransferStatus{ledger.TransferCreated}, createTransfers(t, l, newHold(100+i, 1)))
	}
	c.Sleep(time.Minute)
	before := readChangeEvents(t, l)
	require.Equal(t, 60, len(before))
	require.NoError(t, l.Close())
	l, err = embedded.Open(dir, embedded.WithClock(c.Now))
	require.NoError(t, err)
	require.Equal(t, before, readChangeEvents(t, l))
	ledgertest.RequireNothingHeld(t, l)
	require.NoError(t, l.Close())
}

// Time continues after reopening, even if the last record is an expiry, whose timestamps are ahead
// of the clock.
func TestTimeAfterReopening(t *testing.T) {
	t.Parallel()
	c, dir := newClock(), t.TempDir()
	l, err := embedded.Open(dir, embedded.WithClock(c.Now))
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), workloadOpening())
	require.NoError(t, err)
	_, err = l.CreateTransfers(t.Context(), []ledger.Transfer{newHold(100, 1)})
	require.NoError(t, err)
	for _, step := range []time.Duration{time.Minute, -time.Hour} {
		c.Sleep(step)
		before := readChangeEvents(t, l)
		newest := before[len(before)-1].Timestamp
		require.NoError(t, l.Close())
		l, err = embedded.Open(dir, embedded.WithClock(c.Now))
		require.NoError(t, err)
		require.Equal(t, before, readChangeEvents(t, l))
		results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{{}})
		require.NoError(t, err)
		require.Greater(t, results[0].Timestamp, newest)
	}
	ledgertest.RequireNothingHeld(t, l)
	require.NoError(t, l.Close())
}

// The error of a folder that cannot be created names the folder.
func TestOpenErrors(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "not", "there")
	_, err := embedded.Open(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, dir)
	_, err = embedded.Open("")
	require.ErrorIs(t, err, os.ErrInvalid)
}

// Many requests are synced together, and each is answered when it is on disk. All are there
// afterwards.
func TestConcurrencyInFolder(t *testing.T) {
	t.Parallel()
	const writers, requests = 16, 25
	dir := t.TempDir()
	l, err := embedded.Open(dir, embedded.WithCheckpointEvery(8<<10))
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), workloadOpening())
	require.NoError(t, err)
	var wg sync.WaitGroup
	for w := range uint64(writers) {
		wg.Go(func() {
			for r := range uint64(requests) {
				results, err := l.CreateTransfers(t.Context(), []ledger.Transfer{movementTo5(w<<32 | r + 1)})
				assert.NoError(t, err)
				assert.Equal(t, ledger.TransferCreated, results[0].Status)
			}
		})
	}
	wg.Wait()
	require.NoError(t, l.Close())
	_, err = l.LookupAccounts(t.Context(), nil)
	require.ErrorIs(t, err, ledger.ErrClosed)
	l, err = embedded.Open(dir)
	require.NoError(t, err)
	require.Equal(t, writers*requests, l.Recovery().Transfers)
	found, err := l.LookupAccounts(t.Context(), []ledger.ID{ledger.NewID(1, 0), ledger.NewID(5, 0)})
	require.NoError(t, err)
	require.Equal(t, ledger.NewAmount(writers*requests), found[0].DebitsPosted)
	require.Equal(t, ledger.NewAmount(writers*requests), found[1].CreditsPosted)
	ledgertest.RequireNothingHeld(t, l)
	require.NoError(t, l.Close())
}

func movementTo5(id uint64) ledger.Transfer {
	t := newMovement(id)
	t.CreditAccountID = ledger.NewID(5, 0)
	return t
}

// Exists reports a ledger without creating one.
func TestExists(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exists := func(dir string) bool {
		t.Helper()
		found, err := embedded.Exists(dir)
		require.NoError(t, err)
		return found
	}
	require.False(t, exists(filepath.Join(dir, "missing")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o600))
	require.False(t, exists(dir))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing was made")

	l, err := embedded.Open(dir)
	require.NoError(t, err)
	require.True(t, exists(dir), "also while it is open")
	require.NoError(t, l.Close())
	require.True(t, exists(dir))
	_, err = embedded.Exists(filepath.Join(dir, "notes.txt"))
	require.Error(t, err, "a file")
}

// Open reports its progress.
func TestProgress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := embedded.Open(dir, embedded.WithCheckpointEvery(1<<30))
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), workloadOpening())
	require.NoError(t, err)
	for first := uint64(1); first < 200_000; first += ledger.BatchMax {
		batch := make([]ledger.Transfer, ledger.BatchMax)
		for i := range batch {
			batch[i] = movementTo5(first + uint64(i))
		}
		_, err := l.CreateTransfers(t.Context(), batch)
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())
	var size int64
	for _, content := range readFolder(t, dir) {
		size += int64(len(content))
	}
	var reports []int64
	l, err = embedded.Open(dir, embedded.WithProgress(func(done, all int64) error {
		require.Equal(t, size, all)
		reports = append(reports, done)
		return nil
	}))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.Len(t, reports, 2, "of 25 MiB")
	require.Less(t, reports[0], size)
	require.Equal(t, size, reports[1])

	stopped := errors.New("stopped")
	before := readFolder(t, dir)
	_, err = embedded.Open(dir, embedded.WithProgress(func(int64, int64) error { return stopped }))
	require.ErrorIs(t, err, stopped)
	require.Equal(t, before, readFolder(t, dir))
}

// A folder in use is not read: its owner may remove any file while another process looks.
func TestFolderInUseIsNotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := embedded.Open(dir, embedded.WithCheckpointEvery(1))
	require.NoError(t, err)
	_, err = l.CreateAccounts(t.Context(), []ledger.Account{{ID: ledger.NewID(1, 0), Ledger: 1, Code: 1}})
	require.NoError(t, err)
	l.WaitForCheckpoint()
	for _, pattern := range []string{"checkpoint-*", "log-*"} {
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(t, err)
		require.NotEmpty(t, names, pattern)
		for _, name := range names {
			require.NoError(t, os.Rename(name, filepath.Join(dir, "moved-"+filepath.Base(name))))
			require.NoError(t, os.WriteFile(name, nil, 0o600)) // who reads it finds damage
		}
	}
	_, err = embedded.Open(dir)
	require.ErrorIs(t, err, embedded.ErrInUse)
	_, err = embedded.Read(dir)
	require.ErrorIs(t, err, embedded.ErrInUse)
	require.NoError(t, l.Close())
	_, err = embedded.Open(dir)
	require.ErrorIs(t, err, embedded.ErrCorrupt)
}
