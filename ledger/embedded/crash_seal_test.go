package embedded_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/ledger/ledgertest"
)

// openSealing opens a folder with the workload's clock, and with a seal every two or three requests.
func openSealing(s *workload, dir string) (*embedded.Ledger, error) {
	return embedded.Open(dir, embedded.WithClock(s.Now), embedded.WithCheckpointEvery(1))
}

// linkFolder links the files of a folder into another one, where their last content stays.
func linkFolder(t *testing.T, dir, to string) {
	t.Helper()
	for name := range readFolder(t, dir) {
		err := os.Link(filepath.Join(dir, name), filepath.Join(to, name))
		if !os.IsExist(err) && !os.IsNotExist(err) { // a merge may have removed it
			require.NoError(t, err)
		}
	}
}

// The machine stops at any moment of a seal: some of its files are there, one of them in part and
// without its name, and after the new checkpoint some of the older files are gone. The ledger opens with
// all requests, and can be sealed and opened again.
func TestCrashWhileSealing(t *testing.T) {
	t.Parallel()
	seed := ledgertest.Seed(t)
	random, s := rand.New(rand.NewPCG(seed, 0)), newWorkload(seed)
	want := booksAfter(t, s)
	dir, links := t.TempDir(), t.TempDir()
	l, err := openSealing(s, dir)
	require.NoError(t, err)
	crashes, seals := 0, 0
	for n := range storyLength {
		before := readFolder(t, dir)
		linkFolder(t, dir, links)
		require.NoError(t, s.sendRequest(t, l, n))
		l.WaitForCheckpoint()
		after := readFolder(t, dir)
		if after.newestOf("checkpoint-") == before.newestOf("checkpoint-") {
			continue
		}
		seals++
		// The log of before has got the request, and its end.
		before[before.newestLog()] = readFolder(t, links)[before.newestLog()]
		for range 10 {
			crashes++
			requireCrashed(t, s, crashedSeal(random, before, after), want, n+1)
		}
	}
	require.NoError(t, l.Close())
	require.Greater(t, seals, 10)
	t.Logf("%d moments of %d seals", crashes, seals)
}

// newestOf returns the last of the names with the prefix.
func (f folderFiles) newestOf(prefix string) (newest string) {
	for name := range f {
		if strings.HasPrefix(name, prefix) && !strings.HasSuffix(name, ".tmp") && name > newest {
			newest = name
		}
	}
	return newest
}

// crashedSeal returns the files at a moment of a seal, between the files before it and after it.
func crashedSeal(random *rand.Rand, before, after folderFiles) folderFiles {
	crashed := maps.Clone(before)
	var made []string
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if _, ok := before[name]; !ok {
			made = append(made, name)
		}
	}
	checkpoint, log := after.newestOf("checkpoint-"), after.newestLog()
	if random.IntN(3) == 0 { // the checkpoint has its name
		for _, name := range made {
			crashed[name] = after[name]
		}
		for name := range before {
			if _, ok := after[name]; !ok && random.IntN(2) == 0 {
				delete(crashed, name)
			}
		}
		return crashed
	}
	for _, name := range made {
		switch {
		case name == log:
			crashed[name] = after[name] // or the log before it has no end
		case random.IntN(2) == 0:
			content := after[name]
			crashed[name+".tmp"] = content[:random.IntN(len(content)+1)]
		case name != checkpoint && random.IntN(2) == 0:
			crashed[name] = after[name]
		}
	}
	return crashed
}

func requireCrashed(t *testing.T, s *workload, files folderFiles, want []bookContents, n int) {
	t.Helper()
	now := s.Now()
	defer func() { s.Sleep(now.Sub(s.Now())) }()
	dir := files.writeFolder(t)
	names := slices.Sorted(maps.Keys(files))
	for _, seal := range []bool{true, false} {
		l, err := openSealing(s, dir)
		require.NoError(t, err, "%v", names)
		require.Empty(t, l.Recovery().TornFile)
		if seal && n < storyLength {
			require.NoError(t, s.sendRequest(t, l, n))
			n++
		}
		if !seal {
			require.Equal(t, want[n], s.readBooks(t, l, n), "%v", names)
		}
		require.NoError(t, l.Close())
	}
}
