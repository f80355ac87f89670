package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// delayed is a ledger that answers after a delay, like a ledger behind a network. Requests do not
// wait for each other.
type delayed struct {
	ledger.Ledger
	delay time.Duration
}

func (d delayed) CreateAccounts(ctx context.Context, events []ledger.Account) ([]ledger.CreateAccountResult, error) {
	return holdAnswer(ctx, d, events, d.Ledger.CreateAccounts)
}

func (d delayed) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return holdAnswer(ctx, d, events, d.Ledger.CreateTransfers)
}

func (d delayed) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	return holdAnswer(ctx, d, ids, d.Ledger.LookupAccounts)
}

func (d delayed) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	return holdAnswer(ctx, d, ids, d.Ledger.LookupTransfers)
}

func (d delayed) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	return holdAnswer(ctx, d, filter, d.Ledger.GetAccountTransfers)
}

func (d delayed) GetAccountBalances(ctx context.Context, filter ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	return holdAnswer(ctx, d, filter, d.Ledger.GetAccountBalances)
}

func (d delayed) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	return holdAnswer(ctx, d, filter, d.Ledger.QueryAccounts)
}

func (d delayed) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	return holdAnswer(ctx, d, filter, d.Ledger.QueryTransfers)
}

// holdAnswer makes a request and delays its answer. If ctx ends first, the outcome is unknown.
func holdAnswer[Q, A any](ctx context.Context, d delayed, request Q, call func(context.Context, Q) ([]A, error)) ([]A, error) {
	answers, err := call(ctx, request)
	if err != nil {
		return nil, err // the ledger did not take the request, so there is no answer to delay
	}
	timer := time.NewTimer(d.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return answers, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, context.Cause(ctx))
	}
}

// stalled is a ledger that holds back every CreateTransfers request until release is closed.
type stalled struct {
	ledger.Ledger
	release chan struct{} // closed to let the requests go on
}

func (s stalled) CreateTransfers(ctx context.Context, events []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	select {
	case <-s.release:
		return s.Ledger.CreateTransfers(ctx, events)
	case <-ctx.Done():
		return nil, context.Cause(ctx) // the request did not reach the ledger
	}
}
