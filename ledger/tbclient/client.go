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

// New returns a client of the ledger. Several clients of one ledger are like several sessions of
// one cluster: each is closed by itself, and no client closes the ledger. The client is safe for
// concurrent use, and Close may race with calls.
//
// The client starts no goroutine, so an unclosed client costs nothing.
func New(l *embedded.Ledger) tb.Client {
	c := &client{ledger: l}
	c.ctx, c.cancel = context.WithCancel(context.Background()) //nolint:forbidigo // calls have no context; Close ends them
	return c
}

type client struct {
	ledger *embedded.Ledger
	ctx    context.Context // cancelled by Close
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

// Nop returns without contact to a server, as on the real client.
func (c *client) Nop() error {
	if c.ctx.Err() != nil {
		return tb.ErrClientClosed
	}
	return nil
}

func (c *client) Close() { c.cancel() }

// askLedger sends a request to the ledger and returns the answer as TigerBeetle's rows. After Close
// the ledger refuses the request, because ctx has ended; no check is needed before.
func askLedger[T, Q, A any](
	c *client, operation func(context.Context, Q) ([]A, error), request Q,
) ([]T, error) {
	answer, err := operation(c.ctx, request)
	switch {
	case err == nil && len(answer) == 0:
		return []T{}, nil // never nil, even if the ledger's answer is nil
	case err == nil:
		return unsafecast.Slice[T](answer), nil
	case errors.Is(err, ledger.ErrTooMuchData):
		return nil, tb.ErrTooMuchData
	}
	<-c.ctx.Done() // as without a cluster; see the package documentation
	return nil, tb.ErrClientClosed
}
