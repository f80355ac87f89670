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

// quietJournal is one to which no checkpoint is due for long.
func quietJournal(t *testing.T) *openedJournal {
	t.Helper()
	j := newJournal(t, filepath.Join(t.TempDir(), "journal"), t.Context())
	j.journal.mu.Lock()
	j.due = checkpointEvery
	j.journal.mu.Unlock()
	t.Cleanup(func() {
		require.NoError(t, j.close())
		require.Empty(t, j.faults)
	})
	return j
}

// A fulfill that several callers wait for is kept once, until each has its answer, and is
// called refused only when the last one is.
func TestJournalCountsWhoWaits(t *testing.T) {
	t.Parallel()
	j := quietJournal(t)
	p := Packet{ID: ledger.NewID(1<<8, 1), In: 1, Out: 1}
	booked, refused := []answeredFulfill{{promiseKey: keyOf(&p)}}, []answeredFulfill{{promiseKey: keyOf(&p), refused: true}}
	first := j.add(p)
	require.Equal(t, first, j.add(p))
	require.Equal(t, first, j.add(p))
	require.Equal(t, first, j.log.Appended(), "it is in the log once")
	require.Equal(t, 3, j.owed[keyOf(&p)].count)
	j.forget(booked)
	j.forget(refused)
	require.Equal(t, 1, j.owed[keyOf(&p)].count)
	require.Equal(t, first, j.log.Appended(), "somebody still waits for it")
	j.forget(refused)
	require.Empty(t, j.owed)
	said := j.log.Appended()
	require.Equal(t, first+1, said, "that it was refused")
	require.NoError(t, j.log.Wait(j.ended, said), "which is on disk by now")

	again := j.add(p)
	require.Equal(t, said+1, again, "a new promise")
	j.forget(booked)
	require.Empty(t, j.owed)
	require.Equal(t, again, j.log.Appended(), "of what is booked nothing is said")
	require.Empty(t, checkpoints(t, j.folder))
}

// Others than the refused one of a batch stay.
func TestJournalForgetsEachOfABatch(t *testing.T) {
	t.Parallel()
	j := quietJournal(t)
	var batch []answeredFulfill
	for n := range uint64(6) {
		p := Packet{ID: ledger.NewID((n+1)<<8, 1), In: 1, Out: 1}
		j.add(p)
		batch = append(batch, answeredFulfill{promiseKey: keyOf(&p), refused: n%2 == 0})
	}
	before := j.log.Appended()
	j.forget(batch[:5])
	require.Equal(t, before+3, j.log.Appended())
	require.Len(t, j.owed, 1)
	require.Contains(t, j.owed, batch[5].promiseKey)
}

func TestWhenACheckpointIsDue(t *testing.T) {
	t.Parallel()
	j := quietJournal(t)
	j.add(Packet{ID: ledger.NewID(1<<8, 1), In: 1, Out: 1})
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
		{written + 1, answeredMax, false}, // one of them is owed
		{written + 1, answeredMax + 1, true},
	} {
		j.journal.mu.Lock()
		j.due, j.kept = c.due, c.kept
		j.journal.mu.Unlock()
		require.Equal(t, c.is, j.isDue(), c)
	}
	j.journal.mu.Lock()
	j.due, j.kept = checkpointEvery, 0
	j.journal.mu.Unlock()
}

// After a checkpoint, and after one that failed, the next comes when as much was written
// again.
func TestNextCheckpoint(t *testing.T) {
	t.Parallel()
	j := quietJournal(t)
	for n := range uint64(3) {
		j.add(Packet{ID: ledger.NewID((n+1)<<8, 1), In: 1, Out: 1})
	}
	behind := j.log.SinceCheckpoint()
	ended, end := context.WithCancel(t.Context())
	end()
	require.ErrorIs(t, j.shorten(ended), context.Canceled)
	require.GreaterOrEqual(t, j.log.SinceCheckpoint(), behind, "the log is whole")
	require.Equal(t, j.log.SinceCheckpoint()+checkpointEvery, j.due)
	require.Empty(t, checkpoints(t, j.folder))

	require.NoError(t, j.shorten(t.Context()))
	require.Less(t, j.log.SinceCheckpoint(), behind)
	require.Equal(t, j.log.SinceCheckpoint()+checkpointEvery, j.due)
	require.Equal(t, 3, j.kept)
	require.Len(t, checkpoints(t, j.folder), 1)
}

func TestShortenNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := newJournal(t, filepath.Join(t.TempDir(), "journal"), t.Context())
		j.journal.mu.Lock()
		j.due = checkpointEvery
		j.journal.mu.Unlock()
		j.signal()
		synctest.Wait()
		require.Empty(t, checkpoints(t, j.folder), "none is due")
		j.shortenNow()
		synctest.Wait()
		require.Len(t, checkpoints(t, j.folder), 1)
		require.NoError(t, j.close())
		require.Empty(t, j.faults)
	})
}

// What a checkpoint fails of is told, unless the recorder was given up.
func TestReportLong(t *testing.T) {
	t.Parallel()
	life, end := context.WithCancel(t.Context())
	j := newJournal(t, filepath.Join(t.TempDir(), "journal"), life)
	full := errors.New("no space left")
	j.reportLong("goes on", full)
	require.Len(t, j.faults, 1)
	require.ErrorIs(t, j.faults[0], full)
	require.ErrorContains(t, j.faults[0], j.folder)
	end()
	j.reportLong("goes on", context.Canceled)
	require.Len(t, j.faults, 1)
	j.reportLong("is closed", full)
	require.Len(t, j.faults, 2)
	require.NoError(t, j.close())
}
