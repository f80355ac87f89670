package transfers_test

import (
	"context"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/peerledger/peerledger/internal/remotetest"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// The embedded ledger of TestSoak runs in a separate process: its books are not part of the
// measured memory, and kill -9 ends it like a server.
const soakServerEnv = "PEERLEDGER_SOAK_SERVER"

// TestSoakServer is the process that TestSoak kills. It ends with its parent process. The test
// does nothing in any other process.
func TestSoakServer(t *testing.T) { //nolint:paralleltest // the only test of its process
	folder := os.Getenv(soakServerEnv)
	if folder == "" {
		return
	}
	l, err := embedded.Open(folder)
	require.NoError(t, err)
	require.NoError(t, remotetest.Serve(t.Context(), l, os.Stdin, os.Stdout))
	require.NoError(t, l.Close())
}

// remoteLedger is the ledger in the separate process. While the process is down, calls return
// [ledger.ErrOutcomeUnknown].
type remoteLedger struct {
	t       *testing.T
	folder  string
	command *exec.Cmd
	client  atomic.Pointer[remotetest.Client] // of the current or the last process
}

var _ ledger.Ledger = (*remoteLedger)(nil)

// startRemote starts the process. It is killed at the end of the test.
func startRemote(t *testing.T) *remoteLedger {
	t.Helper()
	r := &remoteLedger{t: t, folder: t.TempDir()}
	r.startProcess()
	t.Cleanup(r.killProcess)
	return r
}

// startProcess starts the process on its existing books, and returns when it answers.
func (r *remoteLedger) startProcess() {
	r.t.Helper()
	r.command = exec.Command(os.Args[0], "-test.run=^TestSoakServer$", "-test.timeout=0")
	r.command.Env = append(os.Environ(), soakServerEnv+"="+r.folder, "GOGC=25") // the books are nearly all of its memory
	r.command.Stderr = os.Stderr
	stdin, err := r.command.StdinPipe()
	require.NoError(r.t, err)
	stdout, err := r.command.StdoutPipe()
	require.NoError(r.t, err)
	require.NoError(r.t, r.command.Start())
	r.client.Store(remotetest.NewClient(stdout, stdin))
	_, err = r.LookupAccounts(r.t.Context(), nil)
	require.NoError(r.t, err)
}

func (r *remoteLedger) processID() int64 { return int64(r.command.Process.Pid) }

// killProcess kills the process, in the middle of a request or not.
func (r *remoteLedger) killProcess() {
	_ = r.command.Process.Kill() // an error means that it has ended
	<-r.client.Load().Ended()
	_ = r.command.Wait() // closes the pipes; the error is the signal's
}

// Close ends the process in order. REQUIRES: the process is up.
func (r *remoteLedger) Close() error { return r.client.Load().Close() }

func (r *remoteLedger) CreateAccounts(ctx context.Context, accounts []ledger.Account) ([]ledger.CreateAccountResult, error) {
	return r.client.Load().CreateAccounts(ctx, accounts)
}

func (r *remoteLedger) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return r.client.Load().CreateTransfers(ctx, transfers)
}

func (r *remoteLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	return r.client.Load().LookupAccounts(ctx, ids)
}

func (r *remoteLedger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	return r.client.Load().LookupTransfers(ctx, ids)
}

func (r *remoteLedger) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	return r.client.Load().GetAccountTransfers(ctx, filter)
}

func (r *remoteLedger) GetAccountBalances(ctx context.Context, filter ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	return r.client.Load().GetAccountBalances(ctx, filter)
}

func (r *remoteLedger) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	return r.client.Load().QueryAccounts(ctx, filter)
}

func (r *remoteLedger) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	return r.client.Load().QueryTransfers(ctx, filter)
}
