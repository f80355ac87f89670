package embedded_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// openWorkload opens a folder with the workload's clock, and with a checkpoint every few requests.
func openWorkload(s *workload, dir string) (*embedded.Ledger, error) {
	return embedded.Open(dir, embedded.WithClock(s.Now), embedded.WithCheckpointEvery(4<<10))
}

// folderFiles are the files of a ledger's folder at one moment.
type folderFiles map[string][]byte

func readFolder(t *testing.T, dir string) folderFiles {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	f := make(folderFiles)
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // of a merge of the id index, and not needed yet
		}
		require.NoError(t, err)
		f[file.Name()] = content
	}
	return f
}

// writeFolder writes the files to a new folder.
func (f folderFiles) writeFolder(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range f {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return dir
}

// withFile returns the files with a new content of one file.
func (f folderFiles) withFile(name string, content []byte) folderFiles {
	changed := make(folderFiles, len(f))
	maps.Copy(changed, f)
	changed[name] = content
	return changed
}

// newestLog returns the name of the log being written.
func (f folderFiles) newestLog() (newest string) {
	for name := range f {
		if strings.HasPrefix(name, "log-") && name > newest {
			newest = name
		}
	}
	return newest
}

// runInFolder runs a workload on a ledger in a folder, and returns the files after each number of
// requests, as a killed process leaves them.
func runInFolder(t *testing.T, s *workload) (folders []folderFiles) {
	t.Helper()
	dir := t.TempDir()
	l, err := openWorkload(s, dir)
	require.NoError(t, err)
	folders = append(folders, readFolder(t, dir))
	for n := range storyLength {
		require.NoError(t, s.sendRequest(t, l, n))
		l.WaitForCheckpoint()
		folders = append(folders, readFolder(t, dir))
	}
	require.NoError(t, l.Close())
	return folders
}

const (
	storyLength = 60
	crashes     = 400 // number of crashes of each kind
)

// booksAfter returns the books after each number of requests.
func booksAfter(t *testing.T, s *workload) []bookContents {
	t.Helper()
	want := make([]bookContents, storyLength+1)
	for n := range want {
		want[n] = s.expectedBooks(t, n)
	}
	return want
}

// A process is stopped after any byte of a request's record, and unsynced bytes may have any value:
// the ledger opens with all answered requests, and reports the cut.
func TestStoppedWhileWriting(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	random, s := rand.New(rand.NewPCG(seed, 0)), newWorkload(seed)
	folders, want := runInFolder(t, s), booksAfter(t, s)
	for crash := 0; crash < crashes; {
		n := random.IntN(storyLength)
		before, name := folders[n], folders[n].newestLog()
		at := len(before[name])
		if len(folders[n+1][name]) <= at {
			continue // a checkpoint has removed the file meanwhile
		}
		crash++
		record := bytes.Clone(folders[n+1][name][at:])
		written := record[:random.IntN(len(record)+1)]
		answered := n
		switch {
		case len(written) < len(record):
		case random.IntN(2) == 0:
			written[len(written)-1-random.IntN(100)] ^= 1 << random.IntN(8)
		default:
			answered++ // the request was not answered, and is whole all the same
		}
		dir := before.withFile(name, slices.Concat(before[name], written)).writeFolder(t)
		l, err := openWorkload(s, dir)
		require.NoError(t, err)
		found := l.Recovery()
		switch {
		case answered > n, len(written) == 0:
			require.Empty(t, found.TornFile)
			require.Equal(t, want[answered], s.readBooks(t, l, answered))
		case found.TornOffset == int64(at):
			require.Equal(t, filepath.Join(dir, name), found.TornFile)
			require.Equal(t, int64(len(written)), found.TornBytes)
			require.Equal(t, want[n], s.readBooks(t, l, n))
		default: // a request that releases holds writes two records; the first is whole
			if found.TornFile != "" {
				require.Greater(t, found.TornOffset, int64(at))
				require.Equal(t, int64(at+len(written)), found.TornOffset+found.TornBytes)
			}
			require.Equal(t, n, s.countRequests(t, l))
			ledgertest.RequireConserved(t, l)
		}
		require.NoError(t, l.Close())
	}
}

// Some bytes of answered requests are flipped or cut off. The ledger never answers with fewer or
// other rows: it names the file, when it is opened or when it reads the rows, or it did not need the
// damaged bytes.
func TestDamage(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	random, s := rand.New(rand.NewPCG(seed, 0)), newWorkload(seed)
	folders, want := runInFolder(t, s), booksAfter(t, s)
	refused, unneeded := 0, 0
	for range crashes {
		n := 1 + random.IntN(storyLength)
		files := slices.Sorted(maps.Keys(folders[n]))
		name := files[random.IntN(len(files))]
		content, at := bytes.Clone(folders[n][name]), 0
		if len(content) == 0 {
			continue // the lock file
		}
		at = random.IntN(len(content))
		if random.IntN(2) == 0 {
			content = content[:at]
		} else {
			content[at] ^= 1 << random.IntN(8)
		}
		dir := folders[n].withFile(name, content).writeFolder(t)
		l, err := openWorkload(s, dir)
		if err != nil {
			var corrupt *embedded.CorruptError
			require.ErrorAs(t, err, &corrupt)
			require.ErrorIs(t, err, embedded.ErrCorrupt)
			require.Equal(t, filepath.Join(dir, name), corrupt.File)
			require.LessOrEqual(t, corrupt.Offset, int64(at))
			require.Equal(t, folders[n].withFile(name, content), readFolder(t, dir), "nothing is touched")
			refused++
			continue
		}
		books, err := s.tryReadBooks(t, l, n)
		if err == nil {
			require.Equal(t, want[n], books, "%s at %d, %d requests", name, at, n)
			// The damage is in bytes that these requests do not read.
			err = l.VerifyFiles(t.Context())
		}
		if err == nil {
			// Only the mark of a log has its bytes twice. Every other file was not needed, and is removed.
			if !strings.HasPrefix(name, "log-") || at >= 512 {
				require.NoFileExists(t, filepath.Join(dir, name), "at %d", at)
			}
			unneeded++
		} else {
			var corrupt *embedded.CorruptError
			require.ErrorAs(t, err, &corrupt)
			require.ErrorIs(t, err, embedded.ErrCorrupt)
			require.Equal(t, filepath.Join(dir, name), corrupt.File)
			require.LessOrEqual(t, corrupt.Offset, int64(at))
			refused++
		}
		if err := l.Close(); err != nil { // a merge has met the damage
			require.ErrorIs(t, err, embedded.ErrMerge)
			require.ErrorContains(t, err, filepath.Join(dir, name))
			require.ErrorIs(t, err, embedded.ErrCorrupt)
		}
	}
	t.Logf("%d damages were found, and %d were in files or bytes that were not needed", refused, unneeded)
	require.Greater(t, refused, crashes/2)
}

// A process is killed again and again, at arbitrary moments. The child prints the answered
// requests: all of them are there, and at most one more.
func TestKilled(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	random, s := rand.New(rand.NewPCG(seed, 0)), newWorkload(seed)
	dir := t.TempDir()
	kills := 25
	if testing.Short() {
		kills = 3
	}
	n := 0
	for range kills {
		answered := killChild(t, random, seed, n, dir)
		// Reading takes timestamps too, so a copy is read.
		copied := readFolder(t, dir).writeFolder(t)
		l, err := openWorkload(s, copied)
		require.NoError(t, err)
		n = s.countRequests(t, l)
		require.GreaterOrEqual(t, n, answered)
		require.LessOrEqual(t, n, answered+1)
		require.NoError(t, l.Close())
	}
	l, err := openWorkload(s, dir)
	require.NoError(t, err)
	require.Equal(t, s.expectedBooks(t, n), s.readBooks(t, l, n))
	t.Logf("%d requests over %d kills", n, kills)
	require.NoError(t, l.Close())
}

// killChild starts a process that continues with request n of the workload in the folder, kills it
// after some answers, and returns the number of answered requests in all.
func killChild(t *testing.T, random *rand.Rand, seed uint64, n int, dir string) (answered int) {
	t.Helper()
	answered = n
	child := exec.Command(os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %s", childEnv, seed, n, dir))
	output, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	lines := bufio.NewScanner(output)
	for range 1 + random.IntN(20) {
		if !lines.Scan() {
			break
		}
		answered, err = strconv.Atoi(lines.Text())
		require.NoError(t, err, "the child failed: %s", lines.Text())
	}
	require.NoError(t, child.Process.Kill())
	for lines.Scan() { // lines printed before the kill
		if last, err := strconv.Atoi(lines.Text()); err == nil {
			answered = last
		}
	}
	require.Error(t, child.Wait(), "it was killed")
	return answered
}

const childEnv = "PEERLEDGER_TEST_CHILD"

// TestChild is the process killed by TestKilled. The test does nothing in any other process.
func TestChild(t *testing.T) { //nolint:paralleltest // it is alone in its process
	var seed uint64
	var n int
	var dir string
	if os.Getenv(childEnv) == "" {
		return
	}
	_, err := fmt.Sscanf(os.Getenv(childEnv), "%d %d %s", &seed, &n, &dir)
	require.NoError(t, err)
	s := newWorkload(seed)
	l, err := openWorkload(s, dir)
	require.NoError(t, err)
	for ; ; n++ {
		require.NoError(t, s.sendRequest(t, l, n))
		fmt.Println(n + 1)
	}
}
