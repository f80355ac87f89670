//go:build cgo

package cluster

import (
	"context"
	"fmt"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/internal/unsafecast"
	"github.com/peerledger/peerledger/ledger"
)

// CreateAccounts implements [ledger.Ledger]. The package documentation describes the answers to a
// request that was sent twice.
func (l *Ledger) CreateAccounts(ctx context.Context, accounts []ledger.Account) ([]ledger.CreateAccountResult, error) {
	if err := l.checkBatch(len(accounts), "accounts"); err != nil {
		return nil, err
	}
	a, err := sendList[ledger.Account, ledger.CreateAccountResult](ctx, l, accounts, "accounts", tb.Client.CreateAccounts)
	if err != nil || !a.resent {
		return a.rows, err
	}
	return l.reconcileAccounts(ctx, accounts, a.rows)
}

// CreateTransfers implements [ledger.Ledger]. The package documentation describes the answers to a
// request that was sent twice.
func (l *Ledger) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	if err := l.checkBatch(len(transfers), "transfers"); err != nil {
		return nil, err
	}
	a, err := l.createTransfers(ctx, transfers)
	if err != nil || !a.resent {
		return a.rows, err
	}
	return l.reconcileTransfers(ctx, transfers, a.rows)
}

func (l *Ledger) createTransfers(ctx context.Context, transfers []ledger.Transfer) (answer[ledger.CreateTransferResult], error) {
	return sendList[ledger.Transfer, ledger.CreateTransferResult](ctx, l, transfers, "transfers", tb.Client.CreateTransfers)
}

// LookupAccounts implements [ledger.Ledger].
func (l *Ledger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	a, err := sendList[ledger.ID, ledger.Account](ctx, l, ids, "ids", tb.Client.LookupAccounts)
	return a.rows, err
}

// LookupTransfers implements [ledger.Ledger].
func (l *Ledger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	a, err := sendList[ledger.ID, ledger.Transfer](ctx, l, ids, "ids", tb.Client.LookupTransfers)
	return a.rows, err
}

// GetAccountTransfers implements [ledger.Ledger].
func (l *Ledger) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	return sendQuery[ledger.Transfer](ctx, l, filter, filter.Limit, tb.Client.GetAccountTransfers, nil)
}

// GetAccountBalances implements [ledger.Ledger].
func (l *Ledger) GetAccountBalances(ctx context.Context, filter ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	return sendQuery[ledger.AccountBalance](ctx, l, filter, filter.Limit, tb.Client.GetAccountBalances, nil)
}

// QueryAccounts implements [ledger.Ledger].
func (l *Ledger) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	return sendQuery[ledger.Account](ctx, l, filter, filter.Limit, tb.Client.QueryAccounts, nil)
}

// QueryTransfers implements [ledger.Ledger].
func (l *Ledger) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	return sendQuery[ledger.Transfer](ctx, l, filter, filter.Limit, tb.Client.QueryTransfers, nil)
}

// GetChangeEvents implements [ledger.ChangeFeed]. Calls take turns, because two concurrent calls on
// one native client end the whole process.
func (l *Ledger) GetChangeEvents(ctx context.Context, filter ledger.ChangeEventsFilter) ([]ledger.ChangeEvent, error) {
	select {
	case l.feedTurn <- struct{}{}:
	case <-ctx.Done():
		return nil, contextError(ctx)
	case <-l.sessions.accepting.Done():
		return nil, l.sessions.endReason()
	}
	return sendQuery[ledger.ChangeEvent](ctx, l, filter, filter.Limit, tb.Client.GetChangeEvents, func() { <-l.feedTurn })
}

// sendList sends a request with a list. The native client reads the memory of the list itself, and
// its answer is returned without a copy.
func sendList[E, R, NativeE, NativeR any](
	ctx context.Context, l *Ledger, events []E, unit string, operation func(tb.Client, []NativeE) ([]NativeR, error),
) (answer[R], error) {
	a, err := sendRequest(ctx, l, events, func(client tb.Client, events []E) ([]R, error) {
		rows, err := operation(client, unsafecast.Slice[NativeE](events))
		return unsafecast.Slice[R](rows), err
	}, nil)
	return a, translateTooMuchData(err, unit, len(events))
}

// sendQuery sends a request with a filter. For release see sendRequest.
func sendQuery[R, F, NativeF, NativeR any](
	ctx context.Context, l *Ledger, filter F, limit uint32,
	operation func(tb.Client, NativeF) ([]NativeR, error), release func(),
) ([]R, error) {
	a, err := sendRequest(ctx, l, []F{filter}, func(client tb.Client, filter []F) ([]R, error) {
		rows, err := operation(client, unsafecast.Value[NativeF](filter[0]))
		return unsafecast.Slice[R](rows), err
	}, release)
	return a.rows, translateTooMuchData(err, "as limit", int(limit))
}

// checkBatch refuses a create request above the limit before it is sent.
func (l *Ledger) checkBatch(n int, unit string) error {
	if limit := l.BatchMax(); n > limit {
		return fmt.Errorf("cluster: %w: %d %s, at most %d", ledger.ErrTooMuchData, n, unit, limit)
	}
	return nil
}
