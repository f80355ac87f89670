package transfers_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/ledger"
)

// remote is the ledger in the other process. While that is down, calls end with
// ledger.ErrOutcomeUnknown.
type remote struct {
	t      *testing.T
	folder string

	mu   sync.Mutex
	conn *remoteConn // nil while it is down
}

var _ ledger.Ledger = (*remote)(nil)

// remoteConn is one life of the process.
type remoteConn struct {
	command *exec.Cmd
	stdin   io.Closer
	out     *frames
	ended   chan struct{} // closed when the process is gone

	mu      sync.Mutex
	number  uint64
	waiting map[uint64]chan<- remoteAnswer // nil when it has ended
}

type remoteAnswer struct {
	failed bool
	data   []byte
}

// startRemote starts the process. The end of the test ends it.
func startRemote(t *testing.T) *remote {
	t.Helper()
	r := &remote{t: t, folder: t.TempDir()}
	r.start()
	t.Cleanup(r.kill)
	return r
}

// start starts the process again, on the books that it had, and returns when it answers.
func (r *remote) start() {
	r.t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestSoakServer$", "-test.timeout=0")
	command.Env = append(os.Environ(), soakServerEnv+"="+r.folder, "GOGC=25") // its books are all that it has
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	require.NoError(r.t, err)
	stdout, err := command.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, command.Start())
	c := &remoteConn{
		command: command, stdin: stdin, out: &frames{to: bufio.NewWriterSize(stdin, 1<<16)},
		ended: make(chan struct{}), waiting: make(map[uint64]chan<- remoteAnswer),
	}
	go c.read(bufio.NewReaderSize(stdout, 1<<16))
	r.mu.Lock()
	r.conn = c
	r.mu.Unlock()
	_, err = r.LookupAccounts(r.t.Context(), nil)
	require.NoError(r.t, err)
}

func (r *remote) pid() int64 { return int64(r.conn.command.Process.Pid) }

// kill takes the process away, in the middle of whatever it does.
func (r *remote) kill() {
	r.mu.Lock()
	c := r.conn
	r.conn = nil
	r.mu.Unlock()
	if c != nil {
		_ = c.command.Process.Kill() // an error means that it is gone
		<-c.ended
	}
}

// read hands answers out until the process is gone; then nobody has to wait any more.
func (c *remoteConn) read(in io.Reader) {
	defer close(c.ended)
	for {
		head, err := readHead(in)
		if err != nil {
			break
		}
		data, err := readRows[byte](in, head.Length)
		if err != nil {
			break
		}
		if to := c.leave(head.Number); to != nil {
			to <- remoteAnswer{head.Failed, data} // there is room
		}
	}
	_ = c.stdin.Close()
	_ = c.command.Wait() // that a signal ended it is no news
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, to := range c.waiting {
		close(to)
	}
	c.waiting = nil
}

// enter says who waits for the answer to a request. ok is false if the process is gone.
func (c *remoteConn) enter() (number uint64, answer <-chan remoteAnswer, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waiting == nil {
		return 0, nil, false
	}
	to := make(chan remoteAnswer, 1)
	c.number++
	c.waiting[c.number] = to
	return c.number, to, true
}

// leave is who waits for an answer, nil if nobody does any more.
func (c *remoteConn) leave(number uint64) chan<- remoteAnswer {
	c.mu.Lock()
	defer c.mu.Unlock()
	to := c.waiting[number]
	delete(c.waiting, number)
	return to
}

// ask sends one request and waits for its answer.
func ask[Out, In any](ctx context.Context, r *remote, op uint8, rows []In) ([]Out, error) {
	unknown := func(why any) ([]Out, error) { return nil, fmt.Errorf("%w: %v", ledger.ErrOutcomeUnknown, why) }
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	r.mu.Lock()
	c := r.conn
	r.mu.Unlock()
	if c == nil {
		return unknown("the process is down")
	}
	number, answers, ok := c.enter()
	if !ok {
		return unknown("the process has ended")
	}
	if err := c.out.write(frameHead{Number: number, Op: op}, bytesOf(rows)); err != nil {
		c.leave(number)
		return unknown(err)
	}
	select {
	case answer, ok := <-answers:
		switch {
		case !ok:
			return unknown("the process has ended")
		case answer.failed:
			return unknown(string(answer.data))
		default:
			return readRows[Out](bytes.NewReader(answer.data), uint32(len(answer.data)))
		}
	case <-ctx.Done():
		c.leave(number)
		return unknown(context.Cause(ctx))
	}
}

func (r *remote) CreateAccounts(ctx context.Context, accounts []ledger.Account) ([]ledger.CreateAccountResult, error) {
	return ask[ledger.CreateAccountResult](ctx, r, opCreateAccounts, accounts)
}

func (r *remote) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return ask[ledger.CreateTransferResult](ctx, r, opCreateTransfers, transfers)
}

func (r *remote) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	return ask[ledger.Account](ctx, r, opLookupAccounts, ids)
}

func (r *remote) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	return ask[ledger.Transfer](ctx, r, opLookupTransfers, ids)
}

func (r *remote) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	return ask[ledger.Transfer](ctx, r, opGetAccountTransfers, []ledger.AccountFilter{filter})
}

func (r *remote) GetAccountBalances(ctx context.Context, filter ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	return ask[ledger.AccountBalance](ctx, r, opGetAccountBalances, []ledger.AccountFilter{filter})
}

func (r *remote) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	return ask[ledger.Account](ctx, r, opQueryAccounts, []ledger.QueryFilter{filter})
}

func (r *remote) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	return ask[ledger.Transfer](ctx, r, opQueryTransfers, []ledger.QueryFilter{filter})
}

// Close ends the process in order. It must be up.
func (r *remote) Close() error {
	r.mu.Lock()
	c := r.conn
	r.conn = nil
	r.mu.Unlock()
	err := c.stdin.Close()
	<-c.ended
	return err
}
