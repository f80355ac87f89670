package bench

import (
	"context"
	"sync/atomic"

	"github.com/peerledger/peerledger/ledger"
)

// operation is an operation of a [ledger.Ledger].
type operation int

const (
	createAccounts operation = iota
	createTransfers
	lookupAccounts
	lookupTransfers
	getAccountTransfers
	getAccountBalances
	queryAccounts
	queryTransfers
	operations // their number
)

// operationNames are the names in reports.
var operationNames = [operations]string{
	"create_accounts", "create_transfers", "lookup_accounts", "lookup_transfers",
	"get_account_transfers", "get_account_balances", "query_accounts", "query_transfers",
}

// countedLedger counts the requests to a [ledger.Ledger].
type countedLedger struct {
	ledger.Ledger
	counts [operations]atomic.Int64
}

// requestCounts are numbers of requests by operation.
type requestCounts [operations]int64

func (c *countedLedger) readCounts() (n requestCounts) {
	for op := range c.counts {
		n[op] = c.counts[op].Load()
	}
	return n
}

func (n requestCounts) subtract(before requestCounts) requestCounts {
	for op := range n {
		n[op] -= before[op]
	}
	return n
}

func (n requestCounts) sum() (all int64) {
	for _, count := range n {
		all += count
	}
	return all
}

func (c *countedLedger) CreateAccounts(ctx context.Context, events []ledger.Account) ([]ledger.CreateAccountResult, error) {
	c.counts[createAccounts].Add(1)
	return c.Ledger.CreateAccounts(ctx, events)
}

func (c *countedLedger) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	c.counts[createTransfers].Add(1)
	return c.Ledger.CreateTransfers(ctx, events)
}

func (c *countedLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	c.counts[lookupAccounts].Add(1)
	return c.Ledger.LookupAccounts(ctx, ids)
}

func (c *countedLedger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	c.counts[lookupTransfers].Add(1)
	return c.Ledger.LookupTransfers(ctx, ids)
}

func (c *countedLedger) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	c.counts[getAccountTransfers].Add(1)
	return c.Ledger.GetAccountTransfers(ctx, filter)
}

func (c *countedLedger) GetAccountBalances(ctx context.Context, filter ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	c.counts[getAccountBalances].Add(1)
	return c.Ledger.GetAccountBalances(ctx, filter)
}

func (c *countedLedger) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	c.counts[queryAccounts].Add(1)
	return c.Ledger.QueryAccounts(ctx, filter)
}

func (c *countedLedger) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	c.counts[queryTransfers].Add(1)
	return c.Ledger.QueryTransfers(ctx, filter)
}
