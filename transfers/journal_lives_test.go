package transfers_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// hangingLedger answers nothing while it hangs.
type hangingLedger struct {
	ledger.Ledger
	mu    sync.Mutex
	awake chan struct{} // closed while it does not hang
}

func newHangingLedger(l ledger.Ledger) *hangingLedger {
	h := &hangingLedger{Ledger: l, awake: make(chan struct{})}
	close(h.awake)
	return h
}

func (h *hangingLedger) hang() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.awake = make(chan struct{})
}

func (h *hangingLedger) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	close(h.awake)
}

func (h *hangingLedger) CreateTransfers(ctx context.Context, batch []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	h.mu.Lock()
	awake := h.awake
	h.mu.Unlock()
	select {
	case <-awake:
		return h.Ledger.CreateTransfers(ctx, batch)
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, context.Cause(ctx))
	}
}

// A process is killed, or its recorder closed in a hurry, many times. Each recorder replays
// the journal, and the ledger answers. The journal must not keep answered fulfills: it would
// grow with each recorder, and so would the work of the next one.
func TestJournalOfManyShortLives(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{true, false} {
		t.Run(fmt.Sprint("killed ", killed), func(t *testing.T) {
			t.Parallel()
			liveShortly(t, killed)
		})
	}
}

func liveShortly(t *testing.T, killed bool) {
	t.Helper()
	const lives, packets = 12, 10_000 // of 128 bytes: each life has less than makes a checkpoint due
	var l *hangingLedger
	f := newFixture(t, transfers.Config{}, func(inner ledger.Ledger) ledger.Ledger {
		l = newHangingLedger(inner)
		return l
	})
	own, err := f.book.OwnAccount(usd) // so that no credit line is in the way
	require.NoError(t, err)
	folder, replayed := t.TempDir(), new(atomic.Int64)
	cfg := transfers.Config{Events: transfers.Events{Replayed: func(results []transfers.Result) {
		replayed.Add(int64(len(results)))
	}}}
	for life := range lives {
		replayed.Store(0)
		cfg.JournalFolder = folder
		recorder, err := transfers.NewRecorder(l, f.book, cfg)
		require.NoError(t, err)
		require.NoError(t, recorder.Flush(t.Context()), "all that was left is answered")
		t.Logf("life %d: %d fulfills recorded again", life, replayed.Load())
		require.LessOrEqual(t, replayed.Load(), int64(5*packets), "those of lives long past, in life %d", life)

		var ops []transfers.Op
		for range packets {
			ops = append(ops, transfers.PrepareOp(transfers.Packet{From: own, To: f.bob, Out: 1, Hold: time.Minute}))
		}
		held, err := recorder.RecordAll(t.Context(), ops...)
		require.NoError(t, err)
		for i := range held {
			ops[i] = transfers.FulfillOp(held[i].Packet)
		}
		_, err = recorder.RecordAll(t.Context(), ops...)
		require.NoError(t, err, "all of it is in the books")

		l.hang()
		_, err = recorder.TrySubmit(transfers.ForwardOp(f.packet(1, 1)))
		require.NoError(t, err)
		left := readFiles(t, folder)
		require.Error(t, recorder.Close(canceled(t.Context())))
		l.wake()
		if killed {
			folder = left.writeFolder(t) // as if it had not been closed
		}
	}
	require.NoError(t, f.recorder.Close(t.Context()))
}
