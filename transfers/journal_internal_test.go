package transfers

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// openedJournal is a journal without a recorder.
type openedJournal struct {
	*journal
	mu     sync.Mutex
	faults []error
}

func newJournal(t *testing.T, folder string, life context.Context) *openedJournal { //nolint:revive // the context is a part of the journal
	t.Helper()
	log, _, err := wal.Open(folder, func(wal.Record) error { return nil })
	require.NoError(t, err)
	o := &openedJournal{}
	o.journal = &journal{folder: folder, log: log, recorderCtx: life, onError: func(err error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.faults = append(o.faults, err)
	}}
	o.startLoop()
	return o
}

// checkpoints returns the names of the complete checkpoints.
func checkpoints(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, entry := range entries {
		if name := entry.Name(); strings.HasPrefix(name, "checkpoint-") && !strings.HasSuffix(name, ".tmp") {
			names = append(names, name)
		}
	}
	return names
}

// While a checkpoint is written, further requests for a due checkpoint lead to no second one.
func TestOneCheckpointIsWrittenWhenOneIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		folder := filepath.Join(t.TempDir(), "journal")
		j := newJournal(t, folder, t.Context())
		p := Packet{ID: ledger.NewID(1<<8, 1)}
		j.appendFulfill(p)
		j.journal.mu.Lock()
		j.wakeLoop()
		for len(j.wake) > 0 { // until the goroutine has begun, and waits for the lock
			runtime.Gosched()
		}
		j.wakeLoop()
		j.journal.mu.Unlock()
		synctest.Wait()
		require.Equal(t, []string{"checkpoint-0000000000000001"}, checkpoints(t, folder))
		j.resolveFulfills([]resolvedFulfill{{fulfillKey: fulfillKeyOf(&p)}})
		synctest.Wait()
		require.Equal(t, []string{"checkpoint-0000000000000001"}, checkpoints(t, folder), "none is due")
		require.NoError(t, j.closeLog())
		require.Equal(t, []string{"checkpoint-0000000000000002"}, checkpoints(t, folder))
		require.Empty(t, j.faults)
	})
}

// After the end of the recorder's context a checkpoint is given up. No error is reported: the
// journal stays complete.
func TestNoFaultIsReportedOfACheckpointThatIsGivenUp(t *testing.T) {
	t.Parallel()
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			life, end := context.WithCancel(t.Context())
			j := newJournal(t, filepath.Join(t.TempDir(), "journal"), life)
			end()
			j.wakeLoop()
			synctest.Wait()
			require.NoError(t, j.closeLog())
			require.Empty(t, j.faults)
		})
	}
}

// Submitting to a closed recorder uses no memory.
func TestClosedRecorderKeepsNothing(t *testing.T) {
	t.Parallel()
	usd := accounts.Asset{Code: "USD", Ledger: 1}
	l := embedded.New()
	defer func() { require.NoError(t, l.Close()) }()
	book, err := accounts.NewBook(l, accounts.Config{Assets: []accounts.Asset{usd}})
	require.NoError(t, err)
	us, err := book.OwnAccount(usd)
	require.NoError(t, err)
	alice, err := book.PeerAccount("alice", usd)
	require.NoError(t, err)
	r, err := NewRecorder(l, book, Config{JournalFolder: filepath.Join(t.TempDir(), "journal"), Events: Events{Replayed: func([]Result) {}}})
	require.NoError(t, err)
	require.NoError(t, r.Close(t.Context()))
	for n := range uint64(10) {
		p := Packet{ID: ledger.NewID((n+1)<<8, 1), From: alice, To: us, In: 1, Out: 1}
		_, err = r.TrySubmit(FulfillOp(p))
		require.ErrorIs(t, err, ErrRecorderClosed)
	}
	require.Empty(t, r.journal.pending)
	_, err = r.RecordAll(t.Context(), FulfillOp(Packet{ID: ledger.NewID(1<<8, 1), From: alice, To: us, In: 1, Out: 1}))
	require.ErrorIs(t, err, ErrRecorderClosed)
	require.Empty(t, r.journal.pending)
}

// isBehind answers at once: its context has ended before the first call.
func TestIsBehindNeverWaits(t *testing.T) {
	t.Parallel()
	o := newJournal(t, t.TempDir(), t.Context())
	require.ErrorIs(t, o.canceledCtx.Err(), context.Canceled)
	require.False(t, o.isBehind())
	require.NoError(t, o.closeLog())
}
