package operatorlog

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

const (
	childJournal = "PEERLEDGER_OPERATORLOG_CHILD" // the journal of a child process
	childActs    = "PEERLEDGER_OPERATORLOG_ACTS"  // how many acts it ends before it stays within one
)

// TestChild is a child process: it appends acts, begins one more, prints the id of that act and waits. The test does
// nothing in any other process.
func TestChild(t *testing.T) { //nolint:paralleltest // it is another process
	path := os.Getenv(childJournal)
	if path == "" {
		return
	}
	l := openTestLog(t, path)
	acts := 0
	_, err := fmt.Sscan(os.Getenv(childActs), &acts)
	require.NoError(t, err)
	appendActs(t, l, acts)
	act, err := l.Begin(testEntry)
	require.NoError(t, err)
	fmt.Println("begun", act.ID())
	select {}
}

// appendActs appends acts that have ended.
func appendActs(t *testing.T, l *Log, n int) {
	t.Helper()
	for range n {
		act, err := l.Begin(testEntry)
		require.NoError(t, err)
		require.NoError(t, act.End(Written, act.ID(), nil))
	}
}

// runChild starts a child process, waits until it is within an act, kills it and returns the id of the act.
func runChild(path string, acts int) (id string, err error) {
	child := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.timeout=5m")
	child.Env = append(os.Environ(), childJournal+"="+path, fmt.Sprint(childActs, "=", acts))
	out, err := child.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := child.Start(); err != nil {
		return "", err
	}
	lines := bufio.NewScanner(out)
	for id == "" && lines.Scan() {
		_, id, _ = strings.Cut(lines.Text(), "begun ")
	}
	killErr := child.Process.Kill()
	_ = child.Wait() // killed
	return id, killErr
}

// Processes and handles that append at once lose and mix no line, and the act within which a process was killed is unknown.
func TestProcessesAppendAtOnce(t *testing.T) {
	t.Parallel()
	const processes, acts = 3, 40
	path := filepath.Join(t.TempDir(), "j.jsonl")
	killed := make([]string, processes)
	var group errgroup.Group
	for i := range processes {
		group.Go(func() (err error) {
			killed[i], err = runChild(path, acts)
			return err
		})
	}
	for range 2 {
		l := openTestLog(t, path)
		for range 2 {
			group.Go(func() error {
				for range acts {
					act, err := l.Begin(testEntry)
					if err != nil {
						return err
					}
					if err := act.End(Written, act.ID(), nil); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	require.NoError(t, group.Wait())
	entries, err := Read(t.Context(), path, Filter{})
	require.NoError(t, err)
	require.Len(t, entries, processes*(acts+1)+4*acts)
	var unknown []string
	for _, e := range entries {
		if e.Outcome == Unknown {
			unknown = append(unknown, e.ID)
			continue
		}
		require.Equal(t, e.ID, e.Transfer)
	}
	require.ElementsMatch(t, killed, unknown)
}
