package wal

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// copyLive copies a folder that is open.
func copyLive(t *testing.T, dir string, others func() ([]string, error)) (to string) {
	t.Helper()
	to = t.TempDir()
	c, err := OpenLiveCopy(dir, others)
	require.NoError(t, err)
	for _, f := range c.Files {
		content, err := io.ReadAll(f.Content)
		require.NoError(t, err)
		require.Len(t, content, int(f.Size))
		require.NoError(t, os.WriteFile(filepath.Join(to, f.Name), content, 0o600))
	}
	require.NoError(t, c.Close())
	return to
}

// While the owner appends records and commits checkpoints, each with a file beside it, copies are made.
// Each copy opens, has all records that were synced before it began, and the file of its checkpoint.
func TestLiveCopy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, err := OpenLiveCopy(dir, nil)
	require.ErrorIs(t, err, ErrNoLog)
	l, _, err := Open(dir, nil)
	require.NoError(t, err)
	var mu sync.Mutex
	synced := byte(0) // the last record
	done := make(chan struct{})
	var owner sync.WaitGroup
	owner.Go(func() {
		defer close(done)
		for n := byte(1); n < 200; n++ {
			p := l.Append(1, 1, func(b []byte) []byte { return append(b, n) })
			assert.NoError(t, l.Wait(t.Context(), p))
			mu.Lock()
			synced = n
			mu.Unlock()
			if n%3 != 0 {
				continue
			}
			c := l.Checkpoint()
			name := filepath.Join(dir, "other-"+string('a'+n/3%20))
			assert.NoError(t, os.WriteFile(name, bytes.Repeat([]byte{n}, 1000), 0o600))
			assert.NoError(t, c.Append(2, []byte{n}))
			assert.NoError(t, c.Commit(t.Context()))
			if n > 3 {
				assert.NoError(t, os.Remove(filepath.Join(dir, "other-"+string('a'+(n/3-1)%20))))
			}
		}
	})
	others := func() ([]string, error) {
		names, err := filepath.Glob(filepath.Join(dir, "other-*"))
		for i, name := range names {
			names[i] = filepath.Base(name)
		}
		return names, err
	}
	copies := 0
	for running := true; running; copies++ {
		select {
		case <-done:
			running = false
		default:
		}
		mu.Lock()
		before := synced
		mu.Unlock()
		to := copyLive(t, dir, others)
		var last byte
		copied, found, err := Open(to, func(r Record) error {
			if r.Kind == 2 {
				content, err := os.ReadFile(filepath.Join(to, "other-"+string('a'+r.Data[0]/3%20)))
				require.NoError(t, err)
				require.Equal(t, bytes.Repeat(r.Data, 1000), content)
			}
			last = r.Data[0]
			return nil
		})
		require.NoError(t, err)
		require.Nil(t, found.Torn)
		require.GreaterOrEqual(t, last, before)
		require.NoError(t, copied.Close())
	}
	owner.Wait()
	require.NoError(t, l.Close())
	t.Logf("%d copies", copies)
}
