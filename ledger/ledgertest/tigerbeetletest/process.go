//go:build cgo && unix

package tigerbeetletest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// processes runs replicas as processes of a binary.
type processes struct{ binary string }

func (h processes) createServer(ctx context.Context, spec replicaSpec) (server, error) {
	folder, err := os.MkdirTemp("", "tigerbeetletest-")
	if err != nil {
		return nil, err
	}
	p := &process{binary: h.binary, folder: folder, spec: spec}
	format := exec.CommandContext(ctx, h.binary, spec.formatArgs(p.dataFile())...)
	if output, err := format.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("format: %w: %s", err, output), p.removeServer(ctx))
	}
	return p, nil
}

// process is a replica as a process.
type process struct {
	binary string
	folder string
	spec   replicaSpec

	running *os.Process
	exited  chan struct{} // closed when the process has ended
}

func (p *process) dataFile() string { return filepath.Join(p.folder, p.spec.fileName()) }
func (p *process) logFile() string  { return filepath.Join(p.folder, "log") }

func (p *process) startServer(context.Context) error {
	output, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.binary, p.spec.startArgs(p.dataFile())...)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = killWithParent()
	started := make(chan error)
	p.exited = make(chan struct{})
	go func() { // ends with the process; stopServer and killServer wait for the end
		// The process dies with the thread that started it, so this goroutine must own the thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the error only reports the signal
			close(p.exited)
		}
		_ = output.Close() // only the process wrote to the file
	}()
	if err := <-started; err != nil {
		return err
	}
	p.running = cmd.Process
	return nil
}

func (p *process) stopServer(ctx context.Context) error { return p.endProcess(ctx, syscall.SIGTERM) }

func (p *process) killServer(ctx context.Context) error { return p.endProcess(ctx, syscall.SIGKILL) }

// endProcess sends a signal to end the process, and waits for the end.
func (p *process) endProcess(ctx context.Context, signal syscall.Signal) error {
	if err := p.running.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.exited:
		p.running = nil
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *process) pauseServer(context.Context) error  { return p.running.Signal(syscall.SIGSTOP) }
func (p *process) resumeServer(context.Context) error { return p.running.Signal(syscall.SIGCONT) }

func (p *process) readLog(context.Context) (string, error) {
	text, err := os.ReadFile(p.logFile())
	if errors.Is(err, os.ErrNotExist) {
		return "", nil // never started
	}
	return string(text), err
}

func (p *process) removeServer(ctx context.Context) error {
	if p.running != nil {
		if err := p.killServer(ctx); err != nil {
			return err
		}
	}
	return os.RemoveAll(p.folder)
}
