package embedded_test

import (
	"bufio"
	"bytes"
	"fmt"
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

// openStory opens a folder by the story's clock, with a checkpoint every few requests.
func openStory(s *story, dir string) (*embedded.Ledger, error) {
	return embedded.Open(dir, embedded.WithClock(s.Now), embedded.WithCheckpointEvery(4<<10))
}

// folder is the files of a ledger's folder at some moment.
type folder map[string][]byte

func readFolder(t *testing.T, dir string) folder {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	f := make(folder)
	for _, file := range files {
		f[file.Name()], err = os.ReadFile(filepath.Join(dir, file.Name()))
		require.NoError(t, err)
	}
	return f
}

// write makes a new folder of the files.
func (f folder) write(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range f {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return dir
}

// with is the folder with another content of one file.
func (f folder) with(name string, content []byte) folder {
	changed := make(folder, len(f))
	maps.Copy(changed, f)
	changed[name] = content
	return changed
}

// log is the name of the file that is being written to.
func (f folder) log() (newest string) {
	for name := range f {
		if strings.HasPrefix(name, "log-") && name > newest {
			newest = name
		}
	}
	return newest
}

// tellInFolder lets a ledger in a folder live through a story, and returns the folder
// as it was after each number of requests: that is what a killed process leaves.
func tellInFolder(t *testing.T, s *story) (folders []folder) {
	t.Helper()
	dir := t.TempDir()
	l, err := openStory(s, dir)
	require.NoError(t, err)
	folders = append(folders, readFolder(t, dir))
	for n := range storyLength {
		require.NoError(t, s.tell(t, l, n))
		l.WaitForCheckpoint()
		folders = append(folders, readFolder(t, dir))
	}
	require.NoError(t, l.Close())
	return folders
}

const (
	storyLength = 60
	crashes     = 400 // of each kind
)

// booksAfter are what the ledger holds after each number of requests.
func booksAfter(t *testing.T, s *story) []books {
	t.Helper()
	want := make([]books, storyLength+1)
	for n := range want {
		want[n] = s.after(t, n)
	}
	return want
}

// A process is stopped while the record of a request is being written, after any
// byte of it, and what was not synced may be anything: the ledger opens with what was
// answered, and says what it cut.
func TestStoppedWhileWriting(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	random, s := rand.New(rand.NewPCG(seed, 0)), newStory(seed)
	folders, want := tellInFolder(t, s), booksAfter(t, s)
	for crash := 0; crash < crashes; {
		n := random.IntN(storyLength)
		before, name := folders[n], folders[n].log()
		at := len(before[name])
		if len(folders[n+1][name]) <= at {
			continue // a checkpoint was made meanwhile, and the file is gone
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
			answered++ // nobody was told, but it is all there
		}
		dir := before.with(name, slices.Concat(before[name], written)).write(t)
		l, err := openStory(s, dir)
		require.NoError(t, err)
		found := l.Recovery()
		switch {
		case answered > n, len(written) == 0:
			require.Empty(t, found.TornFile)
			require.Equal(t, want[answered], s.read(t, l, answered))
		case found.TornOffset == int64(at):
			require.Equal(t, filepath.Join(dir, name), found.TornFile)
			require.Equal(t, int64(len(written)), found.TornBytes)
			require.Equal(t, want[n], s.read(t, l, n))
		default: // a request writes two records if it makes holds expire; the first is whole
			if found.TornFile != "" {
				require.Greater(t, found.TornOffset, int64(at))
				require.Equal(t, int64(at+len(written)), found.TornOffset+found.TornBytes)
			}
			require.Equal(t, n, s.length(t, l))
			ledgertest.RequireConserved(t, l)
		}
		require.NoError(t, l.Close())
	}
}

// Whatever is flipped or cut of what was answered, the ledger does not open with less
// or with anything else: it names the file, or it needed nothing of what is damaged.
func TestDamage(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	random, s := rand.New(rand.NewPCG(seed, 0)), newStory(seed)
	folders, want := tellInFolder(t, s), booksAfter(t, s)
	refused := 0
	for range crashes {
		n := 1 + random.IntN(storyLength)
		files := slices.Sorted(maps.Keys(folders[n]))
		name := files[random.IntN(len(files))]
		content, at := bytes.Clone(folders[n][name]), 0
		if len(content) == 0 {
			continue // the lock
		}
		at = random.IntN(len(content))
		if random.IntN(2) == 0 {
			content = content[:at]
		} else {
			content[at] ^= 1 << random.IntN(8)
		}
		dir := folders[n].with(name, content).write(t)
		l, err := openStory(s, dir)
		if err != nil {
			var corrupt *embedded.CorruptError
			require.ErrorAs(t, err, &corrupt)
			require.ErrorIs(t, err, embedded.ErrCorrupt)
			require.Equal(t, filepath.Join(dir, name), corrupt.File)
			require.LessOrEqual(t, corrupt.Offset, int64(at))
			require.Equal(t, folders[n].with(name, content), readFolder(t, dir), "nothing is touched")
			refused++
			continue
		}
		require.Equal(t, want[n], s.read(t, l, n), "%s at %d, %d requests", name, at, n)
		require.NoError(t, l.Close())
	}
	require.Greater(t, refused, crashes/2)
}

// A process is killed, again and again, at moments that nobody chose. The child says
// which request has been answered; all of these are there, and at most one more.
func TestKilled(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	random, s := rand.New(rand.NewPCG(seed, 0)), newStory(seed)
	dir := t.TempDir()
	kills := 25
	if testing.Short() {
		kills = 3
	}
	n := 0
	for range kills {
		answered := killChild(t, random, seed, n, dir)
		// Reading takes timestamps too, so it is a copy that is read.
		copied := readFolder(t, dir).write(t)
		l, err := openStory(s, copied)
		require.NoError(t, err)
		n = s.length(t, l)
		require.GreaterOrEqual(t, n, answered)
		require.LessOrEqual(t, n, answered+1)
		require.NoError(t, l.Close())
	}
	l, err := openStory(s, dir)
	require.NoError(t, err)
	require.Equal(t, s.after(t, n), s.read(t, l, n))
	t.Logf("%d requests over %d kills", n, kills)
	require.NoError(t, l.Close())
}

// killChild starts a process that goes on with request n of the story in the folder,
// kills it after some answers, and returns how many requests had been answered in all.
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
	for lines.Scan() { // what it said before it died
		if last, err := strconv.Atoi(lines.Text()); err == nil {
			answered = last
		}
	}
	require.Error(t, child.Wait(), "it was killed")
	return answered
}

const childEnv = "PEERLEDGER_TEST_CHILD"

// TestChild is the process that TestKilled kills.
func TestChild(t *testing.T) { //nolint:paralleltest // it is alone in its process
	var seed uint64
	var n int
	var dir string
	if os.Getenv(childEnv) == "" {
		t.Skip("it is a part of TestKilled")
	}
	_, err := fmt.Sscanf(os.Getenv(childEnv), "%d %d %s", &seed, &n, &dir)
	require.NoError(t, err)
	s := newStory(seed)
	l, err := openStory(s, dir)
	require.NoError(t, err)
	for ; ; n++ {
		require.NoError(t, s.tell(t, l, n))
		fmt.Println(n + 1)
	}
}
