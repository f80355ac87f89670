package wal

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// refusals are the ways in which a segment cannot be made: each operation fails, and the leftover
// can be removed or not.
func refusals() [][]string {
	var all [][]string
	for _, what := range []string{"create", "write", "sync", "rename", "sync .", "open"} {
		all = append(all, []string{what}, []string{what, "remove"})
	}
	return all
}

// TestGiveUp fails to make a segment: the log goes on without it, with the records appended behind
// the cut, and the next checkpoint has its number.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	for _, refused := range refusals() {
		t.Run(strings.Join(refused, " and "), func(t *testing.T) {
			t.Parallel()
			m := newMemory()
			p := newProcess(t.Context(), m)
			require.True(t, p.openLog())
			l := p.owner.log
			p.appendGroup(2)
			before := l.SinceCheckpoint()
			p.refuseRotation(3, refused...)
			p.appendGroup(1)
			require.NoError(t, l.Err())
			var appended int64
			for n := uint64(2); n < 6; n++ {
				appended += frameHeader + int64(len(dataOf(n)))
			}
			require.Equal(t, before+appended, l.SinceCheckpoint(), "no end frame")
			if len(refused) == 1 {
				require.Equal(t, []string{fileName(segmentPrefix, 0)}, fileNames(m.visibleFiles()))
			}
			p.refuseRotation(0, refused...)
			reopened := newProcess(t.Context(), newMemoryOf(m.visibleFiles()))
			require.True(t, reopened.openLog())
			require.Equal(t, uint64(6), reopened.owner.count)
			for _, p := range []*process{p, reopened} {
				p.writeCheckpoint(2, true)
				p.closeLog()
				require.Empty(t, p.errs)
				names := []string{fileName(checkpointPrefix, 1), fileName(segmentPrefix, 1)}
				require.ElementsMatch(t, names, fileNames(p.folder.visibleFiles()))
				require.True(t, p.openLog())
				require.Equal(t, uint64(8), p.owner.count)
				require.Equal(t, 2, p.owner.recovery.Records)
				p.closeLog()
			}
		})
	}
}

// TestCrashAfterGiveUp stops the machine at each moment from the first attempt to the second, and
// behind.
func TestCrashAfterGiveUp(t *testing.T) {
	t.Parallel()
	images := 0
	for _, refused := range refusals() {
		script := func(p *process) {
			require.True(t, p.openLog())
			p.appendGroup(2)
			p.refuseRotation(2, refused...)
			p.appendGroup(1)
			p.writeCheckpoint(2, true)
			p.closeLog()
			require.Empty(t, p.errs)
		}
		for _, at := range crashMoments(t.Context(), newMemory(), 0, 0, script) {
			for files := range at.folder.crashImages() {
				images++
				requireSurvived(t, files, at.acked, at.appended, at)
			}
			requireSurvived(t, at.folder.visibleFiles(), at.acked, at.appended, at)
		}
	}
	t.Log(images, "folders")
}

// TestGiveUpAll queues two rotations when the first cannot be made: the second is given up too.
func TestGiveUpAll(t *testing.T) {
	t.Parallel()
	m := newMemory()
	p := newProcess(t.Context(), m)
	require.True(t, p.openLog())
	l := p.owner.log
	p.appendGroup(1)
	before := l.SinceCheckpoint()
	first, _, refuse := p.beginRotation(2, []string{"create"})
	require.NoError(t, first.Discard())
	second := l.Checkpoint()
	last := p.owner.appendRecords(2)
	refuse()
	require.NoError(t, l.Wait(t.Context(), last))
	for _, c := range []*Checkpoint{first, second} {
		<-c.rotation.done
		require.ErrorIs(t, c.rotationError(), errRefused)
	}
	var appended int64
	for n := uint64(1); n < 5; n++ {
		appended += frameHeader + int64(len(dataOf(n)))
	}
	require.Equal(t, before+appended, l.SinceCheckpoint())
	require.NoError(t, second.Discard())
	p.writeCheckpoint(1, true)
	p.closeLog()
	require.Empty(t, p.errs)
	require.Contains(t, m.visibleFiles(), fileName(checkpointPrefix, 1))
	require.True(t, p.openLog())
	require.Equal(t, uint64(6), p.owner.count)
	p.closeLog()
}

// TestGiveUpIsTold gives a checkpoint up before its first record, between two records, and at its
// end.
func TestGiveUpIsTold(t *testing.T) {
	t.Parallel()
	for records := range 3 {
		for _, commit := range []bool{false, true} {
			m := newMemory()
			p := newProcess(t.Context(), m)
			require.True(t, p.openLog())
			c, last, refuse := p.beginRotation(1, []string{"rename"})
			for range records {
				require.NoError(t, c.Append(kindPadding, dataOf(3)))
			}
			refuse()
			var err error
			if commit {
				err = c.Commit(t.Context())
			} else {
				err = c.Append(kindPadding, dataOf(3))
			}
			require.ErrorIs(t, err, errRefused)
			require.NotErrorIs(t, err, ErrFailed)
			require.Equal(t, err, c.Append(kindPadding, nil), "only Discard is left")
			require.Equal(t, err, c.Commit(t.Context()), "only Discard is left")
			require.NoError(t, c.Discard())
			require.NoError(t, p.owner.log.Wait(t.Context(), last))
			require.Equal(t, []string{fileName(segmentPrefix, 0)}, fileNames(m.visibleFiles()))
			p.closeLog()
			require.Empty(t, p.errs)
		}
	}
}

// TestGiveUpWhileCommitting has a whole checkpoint waiting for its segment.
func TestGiveUpWhileCommitting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		p := newProcess(t.Context(), m)
		require.True(t, p.openLog())
		c, _, refuse := p.beginRotation(1, []string{"open"})
		committed := make(chan error, 1)
		go func() { committed <- c.Commit(t.Context()) }()
		synctest.Wait()
		require.Empty(t, committed)
		refuse()
		err := <-committed
		require.ErrorIs(t, err, errRefused)
		require.NotErrorIs(t, err, ErrFailed)
		require.NoError(t, c.Discard())
		require.Equal(t, []string{fileName(segmentPrefix, 0)}, fileNames(m.visibleFiles()))
		p.closeLog()
		require.Empty(t, p.errs)
	})
}

// TestGiveUpWhileClosing closes the log while its segment cannot be made.
func TestGiveUpWhileClosing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		p := newProcess(t.Context(), m)
		require.True(t, p.openLog())
		p.appendGroup(1)
		c, _, refuse := p.beginRotation(2, []string{"sync ."})
		closed := make(chan error, 1)
		go func() { closed <- p.owner.log.Close() }()
		synctest.Wait()
		refuse()
		require.NoError(t, <-closed)
		require.ErrorIs(t, c.rotationError(), errRefused)
		require.NoError(t, c.Discard())
		o, err := openOwner(m)
		require.NoError(t, err)
		require.Equal(t, uint64(3), o.count)
		require.NoError(t, o.log.Close())
	})
}

// TestLeftoverOfCheckpoint writes a checkpoint with the number of an earlier one, whose file could
// not be removed.
func TestLeftoverOfCheckpoint(t *testing.T) {
	t.Parallel()
	m := newMemory()
	p := newProcess(t.Context(), m)
	require.True(t, p.openLog())
	leftover := operation{"remove", fileName(checkpointPrefix, 1) + tmpSuffix}
	m.before = func(op operation) error {
		if op != leftover {
			return nil
		}
		p.owner.log.mu.Lock()
		defer p.owner.log.mu.Unlock()
		if p.owner.log.checkpoint == nil {
			t.Error("the next checkpoint may begin, whose file has the same name")
		}
		return errInjected
	}
	c, last, refuse := p.beginRotation(1, []string{"create"})
	require.NoError(t, c.Append(kindPadding, dataOf(3)))
	refuse()
	require.ErrorIs(t, c.Discard(), errInjected)
	require.Contains(t, m.visibleFiles(), leftover.name)
	require.NoError(t, p.owner.log.Wait(t.Context(), last))
	m.before = nil
	p.writeCheckpoint(1, true)
	p.closeLog()
	require.Empty(t, p.errs)
	o, err := openOwner(m)
	require.NoError(t, err)
	require.Equal(t, uint64(2), o.count)
	require.Equal(t, 4, o.recovery.CheckpointRecords)
	require.NoError(t, o.log.Close())
}
