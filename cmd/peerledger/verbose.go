package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// newLogger returns the logger of --verbose: text on standard error, or JSON with --json.
func (a *app) newLogger() *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	if a.json {
		return slog.New(slog.NewJSONHandler(a.stderr, options))
	}
	return slog.New(slog.NewTextHandler(a.stderr, options))
}

// observeLedger puts the log of --verbose around a ledger, and the wrapper of the program that runs the command.
func (a *app) observeLedger(l ledger.Ledger) ledger.Ledger {
	if a.wrapLedger != nil {
		l = a.wrapLedger(l)
	}
	if !a.verbose {
		return l
	}
	return loggedLedger{l, a.newLogger()}
}

// loggedLedger logs each request of a ledger, with its duration. Its methods may be called concurrently.
type loggedLedger struct {
	ledger.Ledger
	log *slog.Logger
}

// logRequest sends a request and logs it. asked is the number of events or ids of the request, or its limit.
func logRequest[T any](ctx context.Context, l loggedLedger, operation string, asked int, send func() ([]T, error)) ([]T, error) {
	began := time.Now()
	answered, err := send()
	attributes := []slog.Attr{
		slog.String("operation", operation), slog.Int("asked", asked), slog.Int("answered", len(answered)), slog.Float64("took_seconds", time.Since(began).Seconds()),
	}
	if err != nil {
		attributes = append(attributes, slog.String("error", err.Error()))
	}
	l.log.LogAttrs(ctx, slog.LevelDebug, "request", attributes...)
	return answered, err
}

func (l loggedLedger) CreateAccounts(ctx context.Context, accounts []ledger.Account) ([]ledger.CreateAccountResult, error) {
	return logRequest(ctx, l, "create_accounts", len(accounts), func() ([]ledger.CreateAccountResult, error) { return l.Ledger.CreateAccounts(ctx, accounts) })
}

func (l loggedLedger) CreateTransfers(ctx context.Context, transfers []ledger.Transfer) ([]ledger.CreateTransferResult, error) {
	return logRequest(ctx, l, "create_transfers", len(transfers), func() ([]ledger.CreateTransferResult, error) { return l.Ledger.CreateTransfers(ctx, transfers) })
}

func (l loggedLedger) LookupAccounts(ctx context.Context, ids []ledger.ID) ([]ledger.Account, error) {
	return logRequest(ctx, l, "lookup_accounts", len(ids), func() ([]ledger.Account, error) { return l.Ledger.LookupAccounts(ctx, ids) })
}

func (l loggedLedger) LookupTransfers(ctx context.Context, ids []ledger.ID) ([]ledger.Transfer, error) {
	return logRequest(ctx, l, "lookup_transfers", len(ids), func() ([]ledger.Transfer, error) { return l.Ledger.LookupTransfers(ctx, ids) })
}

func (l loggedLedger) GetAccountTransfers(ctx context.Context, filter ledger.AccountFilter) ([]ledger.Transfer, error) {
	return logRequest(ctx, l, "get_account_transfers", int(filter.Limit), func() ([]ledger.Transfer, error) { return l.Ledger.GetAccountTransfers(ctx, filter) })
}

func (l loggedLedger) GetAccountBalances(ctx context.Context, filter ledger.AccountFilter) ([]ledger.AccountBalance, error) {
	return logRequest(ctx, l, "get_account_balances", int(filter.Limit), func() ([]ledger.AccountBalance, error) { return l.Ledger.GetAccountBalances(ctx, filter) })
}

func (l loggedLedger) QueryAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	return logRequest(ctx, l, "query_accounts", int(filter.Limit), func() ([]ledger.Account, error) { return l.Ledger.QueryAccounts(ctx, filter) })
}

func (l loggedLedger) QueryTransfers(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Transfer, error) {
	return logRequest(ctx, l, "query_transfers", int(filter.Limit), func() ([]ledger.Transfer, error) { return l.Ledger.QueryTransfers(ctx, filter) })
}
