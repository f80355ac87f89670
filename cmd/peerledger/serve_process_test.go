//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// serving is a process of "peerledger serve".
type serving struct {
	ready

	process *exec.Cmd
	stderr  *bytes.Buffer // complete after wait
	took    time.Duration // from the start to the ready line
}

// startServe starts a process of serve on a free port.
func startServe(t *testing.T, environment []string, args ...string) serving {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	s := serving{stderr: new(bytes.Buffer)}
	s.process = exec.Command(self, append([]string{"serve", "--json", "--address", "127.0.0.1:0"}, args...)...)
	s.process.Env = append(append(os.Environ(), runAsEnv+"=peerledger"), environment...)
	s.process.Stderr = s.stderr
	out, err := s.process.StdoutPipe()
	require.NoError(t, err)
	begin := time.Now()
	require.NoError(t, s.process.Start())
	t.Cleanup(func() {
		if s.process.ProcessState == nil {
			_ = s.process.Process.Kill()
			_ = s.process.Wait()
		}
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	s.took = time.Since(begin)
	if err != nil {
		require.Fail(t, "serve has ended", "%v: %s", s.process.Wait(), s.stderr)
	}
	require.NoError(t, json.Unmarshal(line, &s.ready))
	return s
}

// wait waits for the end of the process, and returns the exit status.
func (s serving) wait(t *testing.T) int {
	t.Helper()
	hung := time.AfterFunc(patience, func() { _ = s.process.Process.Kill() })
	defer hung.Stop()
	_ = s.process.Wait() // the status tells
	return s.process.ProcessState.ExitCode()
}

// A signal ends serve with status 0, and the folder can be served again at once.
func TestServeStopsOnASignal(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "books")
	for i, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if signal.Ignored(sig) {
			continue // the test runs under nohup, and so does the command
		}
		s := startServe(t, nil, "--folder", folder)
		require.Equal(t, i == 0, s.New)
		register(t, s.Address)
		require.NoError(t, s.process.Process.Signal(sig))
		require.Equal(t, statusDone, s.wait(t), s.stderr)
		require.Empty(t, s.stderr.String())
	}
}

// A client can open a session as soon as the ready line is there.
func TestServeIsReadyAtTheReadyLine(t *testing.T) {
	t.Parallel()
	s := startServe(t, nil)
	begin := time.Now()
	register(t, s.Address)
	t.Logf("%v from the start of the process to the ready line, %v from there to the answered register", s.took, time.Since(begin))
	require.NoError(t, s.process.Process.Signal(os.Interrupt))
	require.Equal(t, statusDone, s.wait(t), s.stderr)
}
