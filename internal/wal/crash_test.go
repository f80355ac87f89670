package wal

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// moment is a folder before an operation, and the number of records acknowledged and appended by
// then.
type moment struct {
	folder          *memory
	next            operation
	acked, appended uint64
}

// crashMoments runs the script and returns all moments at which the machine can stop. m.before runs
// after each moment was taken.
func crashMoments(ctx context.Context, m *memory, acked, appended uint64, script func(*process)) []moment {
	var (
		mu  sync.Mutex
		all []moment
	)
	p := newProcess(ctx, m)
	p.acked.Store(acked)
	p.appended.Store(appended)
	refuse := m.before
	at := func(op operation) error {
		// The order of the three counts: a record acknowledged by now is on disk in the clone, and
		// a record in the clone is appended by the second call.
		acked, _ := p.recordBounds()
		folder := m.cloneFolder()
		_, appended := p.recordBounds()
		mu.Lock()
		all = append(all, moment{folder, op, acked, appended})
		mu.Unlock()
		if refuse == nil {
			return nil
		}
		return refuse(op)
	}
	m.before = at
	script(p)
	_ = at(operation{what: "end"})
	return all
}

func (m moment) String() string {
	return fmt.Sprintf("before %s %s, %d answered, %d appended", m.next.what, m.next.name, m.acked, m.appended)
}

// requireSurvived opens the files left by a crash. All acknowledged records must be there, and the
// log must go on behind them.
func requireSurvived(t *testing.T, files map[string][]byte, acked, appended uint64, msg fmt.Stringer) {
	t.Helper()
	m := newMemoryOf(files)
	o, err := openOwner(m)
	require.NoError(t, err, msg)
	count := o.count
	if count < acked || count > appended {
		require.FailNow(t, "records lost or invented", "%d records, %v", count, msg)
	}
	require.NoError(t, o.log.Wait(t.Context(), o.appendRecords(2)), msg)
	require.NoError(t, o.log.Close(), msg)

	// A crash at this moment loses no record.
	again, err := openOwner(newMemoryOf(m.crashImage(nil, func(node *inode) []byte { return node.disk })))
	require.NoError(t, err, msg)
	require.Equal(t, count+2, again.count, msg)
	require.Nil(t, again.recovery.Torn, msg)
	require.NoError(t, again.log.Close(), msg)
}

// TestCrash stops the machine before each operation of the script, and loses every part of the
// writes that were not synced.
func TestCrash(t *testing.T) {
	t.Parallel()
	images := 0
	for _, at := range crashMoments(t.Context(), newMemory(), 0, 0, (*process).runScript) {
		for files := range at.folder.crashImages() {
			images++
			requireSurvived(t, files, at.acked, at.appended, at)
		}
	}
	t.Log(images, "folders")
}

// TestCrashWhileOpening stops the machine a second time, while Open repairs the folder left by the
// first stop.
func TestCrashWhileOpening(t *testing.T) {
	t.Parallel()
	images := 0
	for _, first := range crashMoments(t.Context(), newMemory(), 0, 0, (*process).runScript) {
		for files := range first.folder.crashImages() {
			if images++; images%199 > 0 { // one in two hundred, for time
				continue
			}
			opening := func(p *process) {
				require.True(t, p.openLog(), first)
				require.NoError(t, p.owner.log.Close())
			}
			for _, second := range crashMoments(t.Context(), newMemoryOf(files), first.acked, first.appended, opening) {
				for files := range second.folder.crashImages() {
					requireSurvived(t, files, second.acked, second.appended, second)
				}
			}
		}
	}
}

// TestKill ends the process before each operation: the next process sees all writes, but they are
// not yet on disk.
func TestKill(t *testing.T) {
	t.Parallel()
	for _, at := range crashMoments(t.Context(), newMemory(), 0, 0, (*process).runScript) {
		requireSurvived(t, at.folder.visibleFiles(), at.acked, at.appended, at)
		requireLasting(t, at.folder, at.acked, at.appended, at)
	}
}

// requireLasting opens a folder left by another process, appends, and stops the machine with all
// unsynced writes lost.
func requireLasting(t *testing.T, m *memory, acked, appended uint64, msg fmt.Stringer) {
	t.Helper()
	m.before = nil
	o, err := openOwner(m)
	require.NoError(t, err, msg)
	require.GreaterOrEqual(t, o.count, acked, msg)
	require.LessOrEqual(t, o.count, appended, msg)
	require.NoError(t, o.log.Wait(t.Context(), o.appendRecords(1)), msg)
	for files := range m.cloneFolder().crashImages() {
		requireSurvived(t, files, o.count, o.count, msg)
	}
	require.NoError(t, o.log.Close(), msg)
}
