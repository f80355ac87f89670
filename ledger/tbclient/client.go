//go:build cgo

package tbclient

import (
	"context"
	"errors"

	tb "github.com/tigerbeetle/tigerbeetle-go"

	"github.com/peerledger/peerledger/internal/unsafecast"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// New is a client of the ledger. Several clients of one ledger are like several
// sessions of one cluster: each is closed by itself, and none closes the ledger,
// which stays its owner's. The client is safe for concurrent use, and Close may
// race with calls.
//
// The client starts no goroutine, so one that is never closed holds nothing up.
func New(l *embedded.Ledger) tb.Client {
	c := &client{ledger: l}
	c.ctx, c.cancel = context.WithCancel(context.Background()) //nolint:forbidigo // calls have no context; Close ends them
	return c
}

type client struct {
	ledger *embedded.Ledger
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
}

func (c *client) CreateAccounts(accounts []tb.Account) ([]tb.CreateAccountResult, error) {
	return askLedger[tb.CreateAccountResult](c, c.ledger.CreateAccounts, unsafecast.Slice[ledger.Account](accounts))
}

func (c *client) CreateTransfers(transfers []tb.Transfer) ([]tb.CreateTransferResult, error) {
	return askLedger[tb.CreateTransferResult](c, c.ledger.CreateTransfers, unsafecast.Slice[ledger.Transfer](transfers))
}

func (c *client) LookupAccounts(ids []tb.Uint128) ([]tb.Account, error) {
	return askLedger[tb.Account](c, c.ledger.LookupAccounts, copyIDs(ids))
}

func (c *client) LookupTransfers(ids []tb.Uint128) ([]tb.Transfer, error) {
	return askLedger[tb.Transfer](c, c.ledger.LookupTransfers, copyIDs(ids))
}

func (c *client) GetAccountTransfers(filter tb.AccountFilter) ([]tb.Transfer, error) {
	return askLedger[tb.Transfer](c, c.ledger.GetAccountTransfers, unsafecast.Value[ledger.AccountFilter](filter))
}

func (c *client) GetAccountBalances(filter tb.AccountFilter) ([]tb.AccountBalance, error) {
	return askLedger[tb.AccountBalance](c, c.ledger.GetAccountBalances, unsafecast.Value[ledger.AccountFilter](filter))
}

func (c *client) QueryAccounts(filter tb.QueryFilter) ([]tb.Account, error) {
	return askLedger[tb.Account](c, c.ledger.QueryAccounts, unsafecast.Value[ledger.QueryFilter](filter))
}

func (c *client) QueryTransfers(filter tb.QueryFilter) ([]tb.Transfer, error) {
	return askLedger[tb.Transfer](c, c.ledger.QueryTransfers, unsafecast.Value[ledger.QueryFilter](filter))
}

func (c *client) GetChangeEvents(filter tb.ChangeEventsFilter) ([]tb.ChangeEvent, error) {
	return askLedger[tb.ChangeEvent](c, c.ledger.GetChangeEvents, unsafecast.Value[ledger.ChangeEventsFilter](filter))
}

// Nop does not reach a server with the real client either.
func (c *client) Nop() error {
	if c.ctx.Err() != nil {
		return tb.ErrClientClosed
	}
	return nil
}

func (c *client) Close() { c.cancel() }

// askLedger puts a question to the ledger and returns its answer as rows of
// TigerBeetle's. On a closed client the ledger refuses it, since the context that
// it is given has ended; this is why nothing is checked before.
func askLedger[T, Q, A any](
	c *client, operation func(context.Context, Q) ([]A, error), question Q,
) ([]T, error) {
	answer, err := operation(c.ctx, question)
	switch {
	case err == nil && len(answer) == 0:
		return []T{}, nil // never nil, even if the ledger's answer is
	case err == nil:
		return unsafecast.Slice[T](answer), nil
	case errors.Is(err, ledger.ErrTooMuchData):
		return nil, tb.ErrTooMuchData
	}
	<-c.ctx.Done() // as if no cluster were there; see the package comment
	return nil, tb.ErrClientClosed
}
