package wal

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// fault is an operation that fails.
type fault struct{ op operation }

func (f fault) String() string { return "fails: " + f.op.what + " " + f.op.name }

// TestFault lets each operation of the script fail once. The error must be reported, no record is
// acknowledged without being there, and the next process finds the acknowledged ones.
func TestFault(t *testing.T) {
	t.Parallel()
	for n := int64(1); ; n++ {
		m := newMemory()
		p := newProcess(t.Context(), m)
		var calls atomic.Int64
		var failed fault
		m.before = func(op operation) error {
			if calls.Add(1) != n {
				return nil
			}
			failed.op = op
			return errInjected
		}
		p.runScript()
		if calls.Load() < n {
			t.Log(n-1, "operations")
			return
		}
		for _, err := range p.errs {
			require.ErrorIs(t, err, errInjected, failed)
			if strings.HasSuffix(failed.op.name, tmpSuffix) { // not in use yet
				require.NotErrorIs(t, err, ErrFailed, failed)
			}
		}
		// Removals are made up for later.
		if op := failed.op.what; op != "remove" && op != "list" {
			require.NotEmpty(t, p.errs, failed)
		}
		acked, appended := p.recordBounds()
		for files := range m.cloneFolder().crashImages() {
			requireSurvived(t, files, acked, appended, failed)
		}
		requireLasting(t, m, acked, appended, failed)
	}
}

// TestFaultOfCheckpoint lets each operation on the file of a checkpoint fail: the log
// goes on, and the next checkpoint is written.
func TestFaultOfCheckpoint(t *testing.T) {
	t.Parallel()
	for n := int64(1); ; n++ {
		m := newMemory()
		p := newProcess(t.Context(), m)
		require.True(t, p.openLog())
		var calls atomic.Int64
		var failed fault
		m.before = func(op operation) error {
			if !strings.HasPrefix(op.name, checkpointPrefix) || calls.Add(1) != n {
				return nil
			}
			failed.op = op
			return errInjected
		}
		p.appendGroup(2)
		p.writeCheckpoint(1, true)
		p.appendGroup(1)
		if calls.Load() < n {
			return
		}
		require.NoError(t, p.owner.log.Err(), failed)
		if failed.op.what != "remove" {
			require.NotEmpty(t, p.errs, failed)
			require.Zero(t, p.owner.log.CheckpointSize(), failed)
		}
		p.errs = nil
		p.writeCheckpoint(1, true)
		p.closeLog()
		require.Empty(t, p.errs, failed)
		o, err := openOwner(m)
		require.NoError(t, err, failed)
		require.Equal(t, uint64(5), o.count, failed)
		require.Equal(t, 4, o.recovery.CheckpointRecords, failed)
		require.Equal(t, 1, o.recovery.Records, failed)
		require.NoError(t, o.log.Close(), failed)
	}
}
