package backup

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/internal/vsr/vsrtest"
)

func TestCreateAndRestore(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	o := n.makeOptions()
	o.Now = newClock(time.Second)
	b := n.createBackup(t, o)
	require.Equal(t, filepath.Join(n.folder, "7-20261126T000001.000Z"), b.Folder)
	want, err := os.ReadFile(n.file)
	require.NoError(t, err)
	require.Equal(t, want, restoreFile(t, b))
	m := b.Manifest
	require.Equal(t, []any{"7", "7_0.tigerbeetle", "0.17.9", uint64(3), uint64(960), int64(vsrtest.DataFileSize)},
		[]any{m.ClusterID.String(), m.File, m.Release, m.Sequence, m.Checkpoint, m.Size})
	again, err := Open(b.Folder)
	require.NoError(t, err)
	require.Equal(t, b, again)
}

// Unsuitable data files are refused with a reason.
func TestRefusals(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	three := superblock
	three.ReplicaCount = 3
	vsrtest.DataFile(t, n.file, three)
	_, err := Create(t.Context(), n.makeOptions())
	require.ErrorIs(t, err, ErrReplicated)
	require.ErrorContains(t, err, "tigerbeetle recover")
	require.NoDirExists(t, n.folder, "nothing is touched")

	require.NoError(t, os.WriteFile(n.file, []byte("hello"), 0o600))
	_, err = Create(t.Context(), n.makeOptions())
	require.ErrorIs(t, err, vsr.ErrNotDataFile)
	_, err = Create(t.Context(), Options{File: filepath.Join(t.TempDir(), "missing"), Folder: n.folder})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// The stop may replace the data file by another one.
func TestFileOfAnotherMoment(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*vsr.Superblock)
		want   string
	}{
		"of three replicas":      {func(sb *vsr.Superblock) { sb.ReplicaCount = 3 }, ErrReplicated.Error()},
		"of another cluster":     {func(sb *vsr.Superblock) { sb.ClusterID = uint128.From64(8) }, "belongs to cluster 8 now, and belonged to 7"},
		"older":                  {func(sb *vsr.Superblock) { sb.Sequence-- }, "its sequence is 2, and was 3"},
		"of the next checkpoint": {func(sb *vsr.Superblock) { sb.Sequence++ }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			started := false
			o := n.makeOptions()
			o.Stop = func(context.Context) error {
				require.NoError(t, os.Remove(n.file))
				sb := superblock
				test.change(&sb)
				vsrtest.DataFile(t, n.file, sb)
				return nil
			}
			o.Start = func(context.Context) error { started = true; return nil }
			b, err := Create(t.Context(), o)
			require.True(t, started)
			if test.want == "" {
				require.NoError(t, err)
				require.EqualValues(t, 4, b.Manifest.Sequence)
				return
			}
			require.ErrorContains(t, err, test.want)
			require.Empty(t, b.Folder)
			require.Empty(t, listLeftovers(t, n.folder))
			list, err := List(n.folder)
			require.NoError(t, err)
			require.Empty(t, list)
		})
	}
}

func TestFileInUse(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	server := flock.New(n.file, flock.SetFlag(os.O_RDWR))
	_, err := server.TryLock()
	require.NoError(t, err)
	defer func() { _ = server.Close() }()
	_, err = Create(t.Context(), n.makeOptions())
	require.ErrorIs(t, err, ErrInUse)
	list, err := List(n.folder)
	require.NoError(t, err)
	require.Empty(t, list)

	o := n.makeOptions()
	o.Snapshot = true // the file is not in a snapshot
	_, err = Create(t.Context(), o)
	require.ErrorIs(t, err, ErrInUse)

	// The stopped server releases its lock.
	stopped, started := 0, 0
	o = n.makeOptions()
	o.Stop = func(context.Context) error { stopped++; return server.Unlock() }
	o.Start = func(context.Context) error {
		started++
		mine, err := server.TryLock() // the copy must have released the lock
		require.True(t, mine)
		return err
	}
	n.createBackup(t, o)
	require.Equal(t, []int{1, 1}, []int{stopped, started})
}

// The server is started again after every error, and nothing is left of the backup.
func TestServerIsStartedAgain(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, change := range map[string]func(o *Options, cancel func()){
		"stop fails": func(o *Options, _ func()) {
			stop := o.Stop
			o.Stop = func(ctx context.Context) error { return errors.Join(stop(ctx), broken) }
		},
		"copy fails": func(o *Options, _ func()) {
			o.onStep = func(name string) error {
				if name == "copied" {
					return broken
				}
				return nil
			}
		},
		"file is gone": func(o *Options, _ func()) {
			o.onStep = func(string) error { return os.Remove(o.File) }
		},
		"context ends": func(o *Options, cancel func()) {
			o.onStep = func(string) error { cancel(); return nil }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			o, running := n.makeOptions(), true
			o.Stop = func(context.Context) error { running = false; return nil }
			o.Start = func(ctx context.Context) error { running = true; return ctx.Err() }
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			change(&o, cancel)
			_, err := Create(ctx, o)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "NOT started")
			require.True(t, running)
			require.Empty(t, listLeftovers(t, n.folder))
		})
	}
}

// A backup stays valid if the server cannot be started again; the error reports this.
func TestServerThatDoesNotStart(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	o := n.makeOptions()
	o.Stop = func(context.Context) error { return nil }
	o.Start = func(context.Context) error { return errors.New("no") }
	b, err := Create(t.Context(), o)
	require.ErrorContains(t, err, "NOT started again")
	require.NoError(t, b.Check(t.Context(), nil))
}

func TestOneBackupAtATime(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	o := n.makeOptions()
	o.onStep = func(string) error {
		_, err := Create(t.Context(), n.makeOptions())
		require.ErrorIs(t, err, ErrBusy)
		return nil
	}
	n.createBackup(t, o)
}

// listLeftovers returns the names in a folder except backups and locks.
func listLeftovers(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, entry := range entries {
		if entry.Name() != ".lock" && entry.Name() != ".verify.lock" && !backupName.MatchString(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return names
}

// A backup killed at any step leaves a good one, and every folder with a backup's name is good. The
// next backup cleans up.
func TestInterruptedBackups(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"copied", "described", "checked", "renamed", "set aside"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			first := n.createBackup(t, n.makeOptions())
			old := restoreFile(t, first)
			n.writeDataFile(t)
			now, err := os.ReadFile(n.file)
			require.NoError(t, err)

			child := exec.CommandContext(t.Context(), os.Args[0])
			child.Env = append(os.Environ(), killedIn+"="+filepath.Dir(n.file), killedAt+"="+step, "GORACE=atexit_sleep_ms=0")
			output, err := child.CombinedOutput()
			require.Error(t, err)
			require.NotContains(t, string(output), "not killed")

			list, err := List(n.folder)
			require.NoError(t, err)
			require.NotEmpty(t, list)
			for _, b := range list {
				require.NoError(t, b.Check(t.Context(), nil))
				content := restoreFile(t, b)
				require.True(t, string(content) == string(old) || string(content) == string(now))
			}
			o := n.makeOptions()
			o.Keep = 1
			o.Now = func() time.Time { return time.Now().Add(time.Second) } // the last backup may be of this millisecond
			n.createBackup(t, o)
			require.Empty(t, listLeftovers(t, n.folder))
			list, err = List(n.folder)
			require.NoError(t, err)
			require.Len(t, list, 1)
		})
	}
}
