package settlement_test

import (
	"context"
	"sync"

	"github.com/peerledger/peerledger/ledger"
)

// faultyLedger is a ledger with requests that fail before or after they were applied, as decided by fault.
type faultyLedger struct {
	ledger.Ledger
	fault func(call) fault

	mu    sync.Mutex
	calls int
}

// call is one request: its number, from 0, and whether it creates anything.
type call struct {
	number  int
	creates bool
}

// fault is the error of a request: before or after the request is applied.
type fault struct {
	before, after error
}

var noFault = fault{}

func (f *faultyLedger) nextFault(creates bool) fault {
	f.mu.Lock()
	c := call{number: f.calls, creates: creates}
	f.calls++
	f.mu.Unlock()
	return f.fault(c)
}

// runRequest runs do with the fault of the next call.
func runRequest[R any](f *faultyLedger, creates bool, do func() (R, error)) (R, error) {
	var none R
	fault := f.nextFault(creates)
	if fault.before != nil {
		return none, fault.before
	}
	answer, err := do()
	if err == nil && fault.after != nil {
		return none, fault.after
	}
	return answer, err
}

func (f *faultyLedger) CreateTransfers(ctx context.Context, rows []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return runRequest(f, true, func() ([]ledger.CreateTransferResult, error) { return f.Ledger.CreateTransfers(ctx, rows) })
}

func (f *faultyLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	return runRequest(f, false, func() ([]ledger.Account, error) { return f.Ledger.LookupAccounts(ctx, ids) })
}

func (f *faultyLedger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	return runRequest(f, false, func() ([]ledger.Transfer, error) { return f.Ledger.LookupTransfers(ctx, ids) })
}

func (f *faultyLedger) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	return runRequest(f, false, func() ([]ledger.Transfer, error) { return f.Ledger.GetAccountTransfers(ctx, filter) })
}

func (f *faultyLedger) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	return runRequest(f, false, func() ([]ledger.Transfer, error) { return f.Ledger.QueryTransfers(ctx, filter) })
}

func (f *faultyLedger) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	return runRequest(f, false, func() ([]ledger.Account, error) { return f.Ledger.QueryAccounts(ctx, filter) })
}
