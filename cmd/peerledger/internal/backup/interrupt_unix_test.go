//go:build unix

package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// interruptedIn names the folder of a node in which a child process makes a backup. Its stop and
// start wait for a file of their name.
const interruptedIn = "PEERLEDGER_BACKUP_INTERRUPTED_IN"

func createInterrupted(dir string) {
	ctx, end := signal.NotifyContext(context.Background(), os.Interrupt) // like the command
	defer end()
	context.AfterFunc(ctx, func() { _ = os.WriteFile(filepath.Join(dir, "seen"), nil, 0o600) })
	n := node{filepath.Join(dir, "7_0.tigerbeetle"), filepath.Join(dir, "backups")}
	command := func(name string) func(context.Context) error {
		path := filepath.Join(dir, name)
		return Shell(fmt.Sprintf("echo %s begun >>%s/log; while [ ! -e %s ]; do sleep 0.01; done; echo %s done >>%s/log", name, dir, path, name, dir), os.Stderr)
	}
	o := n.makeOptions()
	o.Stop, o.Start = command("stop"), command("start")
	if _, err := Create(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Ctrl-C goes to the whole foreground process group. After any number of interrupts, the stop
// finishes and the server is started again.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		interrupted []string // the step during which an interrupt arrives
		failed      bool
	}{
		"not":                       {nil, false},
		"while it stops":            {[]string{"stop"}, true},
		"while it starts":           {[]string{"start"}, true}, // before the copy is read back
		"while it stops and starts": {[]string{"stop", "start"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			dir := filepath.Dir(n.file)
			log := func() string {
				content, err := os.ReadFile(filepath.Join(dir, "log"))
				if err != nil {
					return ""
				}
				return strings.ReplaceAll(strings.TrimSpace(string(content)), "\n", ", ")
			}
			child := exec.CommandContext(t.Context(), os.Args[0])
			child.Env = append(os.Environ(), interruptedIn+"="+dir)
			child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			require.NoError(t, child.Start())
			for _, step := range []string{"stop", "start"} {
				require.Eventually(t, func() bool { return strings.Contains(log(), step+" begun") }, 20*time.Second, time.Millisecond, step)
				for _, interrupted := range test.interrupted {
					if interrupted == step {
						require.NoError(t, syscall.Kill(-child.Process.Pid, syscall.SIGINT))
						require.Eventually(t, func() bool { return fileExists(filepath.Join(dir, "seen")) }, 20*time.Second, time.Millisecond)
					}
				}
				require.NoError(t, os.WriteFile(filepath.Join(dir, step), nil, 0o600))
			}
			err := child.Wait()
			require.Equal(t, test.failed, err != nil, "%v", err)
			require.Equal(t, "stop begun, stop done, start begun, start done", log())
			require.Empty(t, listLeftovers(t, n.folder))
		})
	}
}

// The end of the context kills a command with all its children.
func TestShellEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pid := filepath.Join(dir, "pid")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- Shell("sleep 600 & echo $! >"+pid+".tmp; mv "+pid+".tmp "+pid+"; wait", os.Stderr)(ctx)
	}()
	var child int
	require.Eventually(t, func() bool {
		content, err := os.ReadFile(pid)
		if err != nil {
			return false
		}
		_, err = fmt.Sscan(string(content), &child)
		return err == nil
	}, 20*time.Second, time.Millisecond)
	cancel()
	require.Error(t, <-ended)
	require.Eventually(t, func() bool { return errors.Is(syscall.Kill(child, 0), syscall.ESRCH) || isZombie(child) }, 20*time.Second, time.Millisecond)
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// isZombie reports whether a process has ended without being waited for.
func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
