package operatorlog

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

const fullEnv = "PEERLEDGER_OPERATORLOG_FULL"

// On a full disk no act begins, and the file is as it was. The limit of file sizes stands for a full disk; it applies to a whole
// process, hence the child.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "j.jsonl")
	appendActs(t, openTestLog(t, path), 1)
	content := readText(t, path)
	child := exec.Command(os.Args[0], "-test.run=^TestFullDiskChild$", "-test.v")
	child.Env = append(os.Environ(), fullEnv+"="+path)
	output, err := child.CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.Contains(t, string(output), "refused: operatorlog: the act is not in the journal "+path)
	rest, found := strings.CutPrefix(readText(t, path), content)
	require.True(t, found)
	require.Equal(t, 1, strings.Count(rest, "\n"), "the act that began before")
	entries, err := Read(t.Context(), path, Filter{})
	require.NoError(t, err)
	require.Equal(t, []any{2, Unknown}, []any{len(entries), entries[0].Outcome})
}

// TestFullDiskChild is the process that runs out of space. The test does nothing in any other process.
func TestFullDiskChild(t *testing.T) { //nolint:paralleltest // it is alone in its process
	path := os.Getenv(fullEnv)
	if path == "" {
		return
	}
	l := openTestLog(t, path)
	act, err := l.Begin(testEntry)
	require.NoError(t, err)
	signal.Ignore(syscall.SIGXFSZ) // a write fails instead
	info, err := os.Stat(path)
	require.NoError(t, err)
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit))
	limit.Cur = uint64(info.Size()) + 20 // a part of a line
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	_, err = l.Begin(testEntry)
	require.ErrorIs(t, err, syscall.EFBIG)
	fmt.Println("refused:", err)
	err = act.End(Written, "", nil)
	require.ErrorIs(t, err, syscall.EFBIG)
	require.ErrorContains(t, err, `the outcome "written" is not in the journal`)
}
