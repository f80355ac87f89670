package transfers

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// quietJournal returns a journal without a due checkpoint.
func quietJournal(t *testing.T) *openedJournal {
	t.Helper()
	j := newJournal(t, filepath.Join(t.TempDir(), "journal"), t.Context())
	j.journal.mu.Lock()
	j.checkpointAt = checkpointInterval
	j.journal.mu.Unlock()
	t.Cleanup(func() {
		require.NoError(t, j.closeLog())
		require.Empty(t, j.faults)
	})
	return j
}

// A fulfill of several callers is kept once, until the last caller has its answer. Only the
// last answer can record a refusal.
func TestJournalCountsWhoWaits(t *testing.T) {
	t.Parallel()
	j := quietJournal(t)
	p := Packet{ID: ledger.NewID(1<<8, 1), In: 1, Out: 1}
	booked, refused := []resolvedFulfill{{fulfillKey: fulfillKeyOf(&p)}}, []resolvedFulfill{{fulfillKey: fulfillKeyOf(&p), refused: true}}
	first := j.appendFulfill(p)
	require.Equal(t, first, j.appendFulfill(p))
	require.Equal(t, first, j.appendFulfill(p))
	require.Equal(t, first, j.log.Appended(), "the fulfill is in the log once")
	require.Equal(t, 3, j.pending[fulfillKeyOf(&p)].waiters)
	j.resolveFulfills(booked)
	j.resolveFulfills(refused)
	require.Equal(t, 1, j.pending[fulfillKeyOf(&p)].waiters)
	require.Equal(t, first, j.log.Appended(), "an operation still waits for an answer")
	j.resolveFulfills(refused)
	require.Empty(t, j.pending)
	refusal := j.log.Appended()
	require.Equal(t, first+1, refusal, "the refusal is in the log")
	require.NoError(t, j.log.Wait(j.canceledCtx, refusal), "the refusal is on disk by now")

	again := j.appendFulfill(p)
	require.Equal(t, refusal+1, again, "a new promise")
	j.resolveFulfills(booked)
	require.Empty(t, j.pending)
	require.Equal(t, again, j.log.Appended(), "booked fulfills are not recorded")
	require.Empty(t, checkpoints(t, j.folder))
}

// A refusal of one fulfill of a batch does not remove the others.
func TestJournalForgetsEachOfABatch(t *testing.T) {
	t.Parallel()
	j := quietJournal(t)
	var batch []resolvedFulfill
	for n := range uint64(6) {
		p := Packet{ID: ledger.NewID((n+1)<<8, 1), In: 1, Out: 1}
		j.appendFulfill(p)
		batch = append(batch, resolvedFulfill{fulfillKey: fulfillKeyOf(&p), refused: n%2 == 0})
	}
	before := j.log.Appended()
	j.resolveFulfills(batch[:5])
	require.Equal(t, before+3, j.log.Appended())
	require.Len(t, j.pending, 1)
	require.Contains(t, j.pending, batch[5].fulfillKey)
}

func TestWhenACheckpointIsDue(t *testing.T) {
	t.Parallel()
	j := quietJournal(t)
	j.appendFulfill(Packet{ID: ledger.NewID(1<<8, 1), In: 1, Out: 1})
	written := j.log.SinceCheckpoint()
	require.Positive(t, written)
	for _, c := range []struct {
		due  int64
		kept int
		is   bool
	}{
		{written + 1, 0, false},
		{written, 0, true},
		{0, 0, true},
		{written + 1, maxResolvedInCheckpoint, false}, // one of them is owed
		{written + 1, maxResolvedInCheckpoint + 1, true},
	} {
		j.journal.mu.Lock()
		j.checkpointAt, j.checkpointed = c.due, c.kept
		j.journal.mu.Unlock()
		require.Equal(t, c.is, j.isCheckpointDue(), c)
	}
	j.journal.mu.Lock()
	j.checkpointAt, j.checkpointed = checkpointInterval, 0
	j.journal.mu.Unlock()
}

// After a checkpoint, successful or not, the next one is due after another interval.
func TestNextCheckpoint(t *testing.T) {
	t.Parallel()
	j := quietJournal(t)
	for n := range uint64(3) {
		j.appendFulfill(Packet{ID: ledger.NewID((n+1)<<8, 1), In: 1, Out: 1})
	}
	behind := j.log.SinceCheckpoint()
	ended, end := context.WithCancel(t.Context())
	end()
	require.ErrorIs(t, j.writeCheckpoint(ended), context.Canceled)
	require.GreaterOrEqual(t, j.log.SinceCheckpoint(), behind, "the log is whole")
	require.Equal(t, j.log.SinceCheckpoint()+checkpointInterval, j.checkpointAt)
	require.Empty(t, checkpoints(t, j.folder))

	require.NoError(t, j.writeCheckpoint(t.Context()))
	require.Less(t, j.log.SinceCheckpoint(), behind)
	require.Equal(t, j.log.SinceCheckpoint()+checkpointInterval, j.checkpointAt)
	require.Equal(t, 3, j.checkpointed)
	require.Len(t, checkpoints(t, j.folder), 1)
}

func TestShortenNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(t, filepath.Join(t.TempDir(), "journal"), t.Context())
		j.journal.mu.Lock()
		j.checkpointAt = checkpointInterval
		j.journal.mu.Unlock()
		j.wakeLoop()
		synctest.Wait()
		require.Empty(t, checkpoints(t, j.folder), "none is due")
		j.requestCheckpoint()
		synctest.Wait()
		require.Len(t, checkpoints(t, j.folder), 1)
		require.NoError(t, j.closeLog())
		require.Empty(t, j.faults)
	})
}

// The error of a checkpoint is reported, unless the recorder's context has ended.
func TestReportLong(t *testing.T) {
	t.Parallel()
	life, end := context.WithCancel(t.Context())
	j := newJournal(t, filepath.Join(t.TempDir(), "journal"), life)
	full := errors.New("no space left")
	j.reportCheckpointError("goes on", full)
	require.Len(t, j.faults, 1)
	require.ErrorIs(t, j.faults[0], full)
	require.ErrorContains(t, j.faults[0], j.folder)
	end()
	j.reportCheckpointError("goes on", context.Canceled)
	require.Len(t, j.faults, 1)
	j.reportCheckpointError("is closed", full)
	require.Len(t, j.faults, 2)
	require.NoError(t, j.closeLog())
}
