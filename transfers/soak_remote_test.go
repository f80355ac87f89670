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

// The embedded ledger of TestSoak runs in a process of its own: so its books are not
// in the memory that is measured, and kill -9 takes it away as it would take a server.
const soakServerEnv = "PEERLEDGER_SOAK_SERVER"

// TestSoakServer is the process that TestSoak kills. It ends when its parent does.
func TestSoakServer(t *testing.T) { //nolint:paralleltest // it is alone in its process
	folder := os.Getenv(soakServerEnv)
	if folder == "" {
		t.Skip("it is a part of TestSoak")
	}
	l, err := embedded.Open(folder)
	require.NoError(t, err)
	require.NoError(t, remotetest.Serve(t.Context(), l, os.Stdin, os.Stdout))
	require.NoError(t, l.Close())
}

// remoteLedger is the ledger in the other process. While that is down, calls end with
// ledger.ErrOutcomeUnknown.
type remoteLedger struct {
	t       *testing.T
	folder  string
	command *exec.Cmd
	client  atomic.Pointer[remotetest.Client] // of the process, also when it is gone
}

var _ ledger.Ledger = (*remoteLedger)(nil)

// startRemote starts the process. The end of the test ends it.
func startRemote(t *testing.T) *remoteLedger {
	t.Helper()
	r := &remoteLedger{t: t, folder: t.TempDir()}
	r.startProcess()
	t.Cleanup(r.killProcess)
	return r
}

// startProcess starts the process again, on the books that it had, and returns when it answers.
func (r *remoteLedger) startProcess() {
	r.t.Helper()
	r.command = exec.Command(os.Args[0], "-test.run=^TestSoakServer$", "-test.timeout=0")
	r.command.Env = append(os.Environ(), soakServerEnv+"="+r.folder, "GOGC=25") // its books are all that it has
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

// killProcess takes the process away, in the middle of whatever it does.
func (r *remoteLedger) killProcess() {
	_ = r.command.Process.Kill() // an error means that it is gone
	<-r.client.Load().Ended()
	_ = r.command.Wait() // closes the pipes; that a signal ended it is no news
}

// Close ends the process in order. It must be up.
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
