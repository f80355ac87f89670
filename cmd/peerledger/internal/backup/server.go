package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/vsr"
	"github.com/peerledger/peerledger/ledger"
)

// OpenCluster opens a cluster of one replica at an address.
type OpenCluster func(ctx context.Context, clusterID uint128.Uint128, address string) (ledger.Ledger, error)

// copyFlags start a copy in half the memory. With --development alone TigerBeetle 0.17.9 ends
// with an assertion if the file has larger requests than it then takes, so it is to take the
// largest; that flag asks for --experimental.
func copyFlags() []string { return []string{"--development", "--experimental", "--limit-request=1MiB"} }

// endTimeout is how long a server gets to end when it is told to.
const endTimeout = 5 * time.Second

// Binary is a Server that runs a tigerbeetle binary on a port of 127.0.0.1 that the system
// chooses, which nobody else knows. flags are those of tigerbeetle start; the default ones
// start the file of any server in 1.4 GiB of memory.
func Binary(path string, open OpenCluster, flags ...string) Server {
	if len(flags) == 0 {
		flags = copyFlags()
	}
	return func(ctx context.Context, file string) (ledger.Ledger, func() error, error) {
		args := append([]string{"start", "--addresses=0"}, flags...)
		cmd := exec.CommandContext(ctx, path, append(args, file)...)
		// With --addresses=0 it prints its port, and ends when its standard input does.
		stdin, err := cmd.StdinPipe()
		if err != nil {
			return nil, nil, err
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			return nil, nil, err
		}
		log := &lastLines{limit: 5}
		cmd.Stderr, cmd.WaitDelay = log, time.Second
		if err := cmd.Start(); err != nil {
			return nil, nil, err
		}
		stop := func() error { return endServer(cmd, stdin) }
		port, err := bufio.NewReader(stdout).ReadString('\n')
		if err != nil {
			_ = stop() // what it said is the reason
			return nil, nil, fmt.Errorf("%s ended: %s", path, log)
		}
		return openCopy(ctx, file, "127.0.0.1:"+strings.TrimSpace(port), open, stop)
	}
}

// endServer ends a server.
func endServer(cmd *exec.Cmd, stdin io.Closer) error {
	_ = stdin.Close() // it ends with that, or is killed
	timer := time.AfterFunc(endTimeout, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	var ended *exec.ExitError
	if errors.As(err, &ended) || errors.Is(err, exec.ErrWaitDelay) {
		return nil // however it ended, it is gone, and its copy goes next
	}
	return err
}

// openCopy opens the ledger of a server that was started.
func openCopy(ctx context.Context, file, address string, open OpenCluster, stop func() error) (ledger.Ledger, func() error, error) {
	sb, err := vsr.ReadSuperblock(file)
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	l, err := open(ctx, sb.ClusterID, address)
	if err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return l, func() error { return errors.Join(l.Close(), stop()) }, nil
}

// lastLines keeps the end of a log.
type lastLines struct {
	limit int

	mu    sync.Mutex
	lines []string
}

// Write takes whole lines and parts of lines alike: what matters is that the end is there.
func (l *lastLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, strings.Split(strings.TrimRight(string(p), "\n"), "\n")...)
	l.lines = l.lines[max(0, len(l.lines)-l.limit):]
	return len(p), nil
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "; ")
}
