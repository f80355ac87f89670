//go:build unix

package realtest_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience bounds the wait for a line of a program, on a busy machine.
const patience = time.Minute

// program is a process that the test starts, kills and starts again. Its methods are called by one goroutine.
type program struct {
	t       *testing.T
	name    string
	command []string
	env     []string
	given   string   // the whole standard input; none: a pipe for commands
	log     *os.File // standard error of all lives

	process *exec.Cmd
	input   io.WriteCloser
	lines   chan string   // of standard output; closed at its end
	ended   chan struct{} // closed when the process has ended
	err     error         // of the process, set before ended is closed
}

// newProgram makes a program. The end of the test kills the process.
func newProgram(t *testing.T, name string, env []string, command ...string) *program {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	require.NoError(t, err)
	p := &program{t: t, name: name, command: command, env: env, log: log}
	t.Cleanup(func() {
		p.killIfRunning()
		if t.Failed() {
			t.Logf("the last lines of %s:\n%s", name, lastLines(p.readLog(), 40))
		}
		_ = log.Close()
	})
	return p
}

// start starts the process, and returns the line in which the process tells that it is ready.
func (p *program) start(ready string) string {
	p.t.Helper()
	p.process = exec.Command(p.command[0], p.command[1:]...)
	p.process.Env = append(os.Environ(), p.env...)
	p.process.Stderr = p.log
	if p.given != "" {
		p.process.Stdin = strings.NewReader(p.given)
	} else {
		var err error
		p.input, err = p.process.StdinPipe()
		require.NoError(p.t, err)
	}
	output, err := p.process.StdoutPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, p.process.Start())
	p.lines, p.ended = make(chan string, 64), make(chan struct{})
	go p.follow(p.process, output, p.lines, p.ended)
	return p.expect(ready)
}

// follow reads a life's lines, and waits for its end. Lines beyond the room in the channel are dropped: programs
// print few lines that a test waits for.
func (p *program) follow(process *exec.Cmd, output io.Reader, lines chan<- string, ended chan<- struct{}) {
	for scanner := bufio.NewScanner(output); scanner.Scan(); {
		select {
		case lines <- scanner.Text():
		default:
		}
	}
	p.err = process.Wait()
	close(lines)
	close(ended)
}

// expect waits for a line that has the text.
func (p *program) expect(text string) string {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, more := <-p.lines:
			require.True(p.t, more, "%s has ended by itself", p.name)
			if strings.Contains(line, text) {
				return line
			}
		case <-timeout:
			require.FailNow(p.t, "no line", "%s did not print %q within %v", p.name, text, patience)
		}
	}
}

// ask gives the program a command, and waits until the command is done.
func (p *program) ask(command string) {
	p.t.Helper()
	_, err := fmt.Fprintln(p.input, command)
	require.NoError(p.t, err, p.name)
	p.expect("done " + command)
}

// kill kills the process with SIGKILL. A process that has ended by itself fails the test.
func (p *program) kill() {
	p.t.Helper()
	require.NoError(p.t, p.process.Process.Kill(), "%s has ended by itself", p.name)
	<-p.ended
}

// pause stops the process for some time: the program is there and answers nothing.
func (p *program) pause(d time.Duration) {
	p.t.Helper()
	require.NoError(p.t, p.process.Process.Signal(syscall.SIGSTOP))
	<-time.After(d)
	require.NoError(p.t, p.process.Process.Signal(syscall.SIGCONT))
}

// end has the process end by itself, and requires success.
func (p *program) end() {
	p.t.Helper()
	require.NoError(p.t, p.input.Close())
	select {
	case <-p.ended:
		require.NoError(p.t, p.err, p.name)
	case <-time.After(patience):
		require.FailNow(p.t, "no end", "%s did not end within %v", p.name, patience)
	}
}

func (p *program) killIfRunning() {
	if p.ended != nil {
		_ = p.process.Process.Kill() // an error means that the process has ended
		<-p.ended
	}
}

// readLog reads the standard error of all lives.
func (p *program) readLog() string {
	text, err := os.ReadFile(p.log.Name())
	require.NoError(p.t, err)
	return string(text)
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// freePort returns a free port of 127.0.0.1. The kernel takes the ports of outgoing connections from 32768 on, so
// the port stays free while its program is dead.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 15_000 + rand.IntN(17_000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			require.NoError(t, l.Close())
			return port
		}
	}
	require.FailNow(t, "no free port")
	return 0
}
