package wal

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestWaitForSpace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		syncs := make(chan error)
		m := newMemory()
		m.before = func(op operation) error {
			if op == (operation{"sync", fileName(segmentPrefix, 0)}) {
				return <-syncs
			}
			return nil
		}
		l, _, err := openFirstFormat(m, nil)
		require.NoError(t, err)
		const frame = frameHeader + 10
		data := appendText("ten bytes!")
		require.NoError(t, l.WaitForSpace(t.Context(), 0))
		require.Zero(t, l.UnsyncedBytes())
		l.Append(1, 10, data)
		synctest.Wait() // it is being synced, alone
		l.Append(1, 10, data)
		l.Append(1, 10, data)

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, l.WaitForSpace(ended, 3*frame), "it is known, whatever the context")
		require.EqualValues(t, 3*frame, l.UnsyncedBytes())
		require.ErrorIs(t, l.WaitForSpace(ended, 3*frame-1), context.Canceled)
		two, none := make(chan error, 1), make(chan error, 1)
		go func() { two <- l.WaitForSpace(t.Context(), 3*frame-1) }()
		go func() { none <- l.WaitForSpace(t.Context(), 0) }()
		synctest.Wait()
		require.Empty(t, two)
		syncs <- nil
		synctest.Wait()
		require.NoError(t, <-two)
		require.ErrorIs(t, l.WaitForSpace(ended, 2*frame-1), context.Canceled)
		require.EqualValues(t, 2*frame, l.UnsyncedBytes())
		require.Empty(t, none)
		l.Append(1, 10, data)
		syncs <- nil
		synctest.Wait()
		require.Empty(t, none, "there is another one by now")
		syncs <- nil
		require.NoError(t, <-none)
		require.Zero(t, l.UnsyncedBytes())
		go func() { syncs <- nil }()
		require.NoError(t, l.Close())
	})
}

func TestWaitForSpaceEndsWithTheLog(t *testing.T) {
	t.Parallel()
	m, release := stalledFolder(t)
	before := m.before
	l, _, err := openFirstFormat(m, nil)
	require.NoError(t, err)
	m.before = func(op operation) error {
		if err := before(op); err != nil || op.what != "sync" {
			return err
		}
		return errInjected
	}
	l.Append(1, 0, appendText("never synced"))
	waiting := make(chan error, 1)
	go func() { waiting <- l.WaitForSpace(t.Context(), 0) }()
	release()
	err = <-waiting
	require.ErrorIs(t, err, ErrFailed)
	require.ErrorIs(t, err, errInjected)
	require.ErrorIs(t, l.WaitForSpace(t.Context(), 1<<40), ErrFailed, "no use in appending")
	require.Zero(t, l.UnsyncedBytes())
	require.ErrorIs(t, l.Close(), ErrFailed)
	require.ErrorIs(t, l.WaitForSpace(t.Context(), 1<<40), ErrFailed)

	l, _, err = openFirstFormat(newMemory(), nil)
	require.NoError(t, err)
	require.Panics(t, func() { _ = l.WaitForSpace(t.Context(), -1) })
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.WaitForSpace(t.Context(), 1<<40), ErrClosed)
}

func TestWaitForSpaceEndsWithClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, release := stalledFolder(t)
		l, _, err := openFirstFormat(m, nil)
		require.NoError(t, err)
		l.Append(1, 0, appendText("synced by Close"))
		waiting, closed := make(chan error, 1), make(chan error, 1)
		go func() { waiting <- l.WaitForSpace(t.Context(), 0) }()
		synctest.Wait()
		go func() { closed <- l.Close() }()
		synctest.Wait()
		release()
		require.ErrorIs(t, <-waiting, ErrClosed)
		require.NoError(t, <-closed)
	})
}

// TestWaitForSpaceDoesNotAllocate is not parallel: the allocations of other tests would count.
func TestWaitForSpaceDoesNotAllocate(t *testing.T) { //nolint:paralleltest // see above
	m, release := stalledFolder(t)
	l, _, err := openFirstFormat(m, nil)
	require.NoError(t, err)
	l.Append(1, 0, appendText("queued"))
	ctx := t.Context()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if err := l.WaitForSpace(ctx, 1<<20); err != nil {
			t.Error(err)
		}
	}))
	release()
	require.NoError(t, l.Close())
}
