package wal

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// measuredFolder measures the bytes written to a checkpoint between two syncs, and does not store
// them.
type measuredFolder struct {
	*memory
	unsynced, most int
	syncs          int
	err            error // of the next sync
}

type measuredFile struct {
	file
	to *measuredFolder
}

func (m *measuredFolder) createFile(name string) (file, error) {
	f, err := m.memory.createFile(name)
	if err == nil && strings.HasPrefix(name, checkpointPrefix) {
		f = measuredFile{f, m}
	}
	return f, err
}

func (f measuredFile) WriteAt(b []byte, _ int64) (int, error) {
	f.to.unsynced += len(b)
	f.to.most = max(f.to.most, f.to.unsynced)
	return len(b), nil
}

func (f measuredFile) Sync() error {
	f.to.unsynced = 0
	f.to.syncs++
	return f.to.err
}

// TestCheckpointIsSyncedInParts writes a large checkpoint.
func TestCheckpointIsSyncedInParts(t *testing.T) {
	t.Parallel()
	const record, records = 1 << 20, 3 * syncEvery >> 20
	m := &measuredFolder{memory: newMemory()}
	l, _, err := openFirstFormat(m, nil)
	require.NoError(t, err)
	c := l.Checkpoint()
	data := make([]byte, record)
	for range records {
		require.NoError(t, c.Append(1, data))
	}
	require.Equal(t, 3, m.syncs)
	require.NoError(t, c.Commit(t.Context()))
	require.Equal(t, 4, m.syncs)
	require.Zero(t, m.unsynced)
	require.GreaterOrEqual(t, m.most, syncEvery)
	require.Less(t, m.most, syncEvery+record+frameHeader)
	require.NoError(t, l.Close())
}

// TestCheckpointCannotBeSyncedInParts fails the checkpoint alone.
func TestCheckpointCannotBeSyncedInParts(t *testing.T) {
	t.Parallel()
	m := &measuredFolder{memory: newMemory(), err: errInjected}
	l, _, err := openFirstFormat(m, nil)
	require.NoError(t, err)
	c := l.Checkpoint()
	require.ErrorIs(t, c.Append(1, make([]byte, syncEvery)), errInjected)
	require.ErrorIs(t, c.Commit(t.Context()), errInjected, "a second sync may succeed without writing anything")
	require.NoError(t, c.Discard())
	require.Equal(t, 1, m.syncs)
	require.NoError(t, l.Wait(t.Context(), l.Append(1, 0, appendText("goes on"))))
	require.NoError(t, l.Close())
}
