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

// copyFlags returns flags that start a copy in half the memory. With --development alone
// TigerBeetle 0.17.9 fails an assertion if the file holds larger requests than the flag allows. So
// the server takes the largest requests; that flag needs --experimental.
func copyFlags() []string { return []string{"--development", "--experimental", "--limit-request=1MiB"} }

// endTimeout is how long a server has to end before it is killed.
const endTimeout = 5 * time.Second

// Binary returns a [Server] that runs a tigerbeetle binary on a free port of 127.0.0.1 that no
// other program knows. flags are flags of tigerbeetle start; the default flags start the file of
// any server in 1.4 GiB of memory.
func Binary(path string, open OpenCluster, flags ...string) Server {
	if len(flags) == 0 {
		flags = copyFlags()
	}
	return func(ctx context.Context, file string) (ledger.Ledger, func() error, error) {
		args := append([]string{"start", "--addresses=0"}, flags...)
		cmd := exec.CommandContext(ctx, path, append(args, file)...)
		// With --addresses=0 the server prints its port, and ends at the end of its standard input.
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
			_ = stop() // the server's log has the reason
			return nil, nil, fmt.Errorf("%s ended: %s", path, log)
		}
		return openCopy(ctx, file, "127.0.0.1:"+strings.TrimSpace(port), open, stop)
	}
}

// endServer closes the server's standard input, and kills the server after endTimeout.
func endServer(cmd *exec.Cmd, stdin io.Closer) error {
	_ = stdin.Close()
	timer := time.AfterFunc(endTimeout, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Wait()
	var ended *exec.ExitError
	if errors.As(err, &ended) || errors.Is(err, exec.ErrWaitDelay) {
		return nil // the server has ended; its status does not matter
	}
	return err
}

// openCopy opens the ledger of a started server; the returned function closes the ledger and calls
// stop.
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

// lastLines keeps the last lines of a log.
type lastLines struct {
	limit int

	mu    sync.Mutex
	lines []string
}

// Write also accepts parts of lines: only the end of the log matters.
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
