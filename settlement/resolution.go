package settlement

import (
	"context"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// bookResolution closes an order in the ledger with the amount paid: by a post, a void if nothing
// was paid, or a chain if more than the order was paid. Sent again, by any engine, the same
// event is a success. tracked is the order as this Engine's open order, or nil.
//
// A transient refusal (an account was closed meanwhile) burns the ids, so each attempt has ids of
// its own, and walks over the burnt ids of earlier attempts.
func (e *Engine) bookResolution(ctx context.Context, tracked *trackedOrder, o Order, paid ledger.Amount) error {
	if tracked != nil && tracked.closeRefused {
		if err := e.checkPostable(ctx, o, paid); err != nil {
			return wrap("resolve the order", err)
		}
	}
	if o.Amount.Less(paid) {
		if err := e.book.EnsureArrears(ctx, o.Account); err != nil {
			return wrap("resolve the order", err)
		}
	}
	attempt, err := sequence.TryAttempts(ctx, e.ledger, 0, sequence.NoEnd, func(n uint64) []ledger.Transfer {
		return e.resolutionChain(o, paid, n)
	})
	switch {
	case err != nil:
		return wrap("resolve the order", err)
	case attempt.Chain.Outcome.Done():
		return nil
	case isResolved(attempt.Chain):
		return e.compareResolution(ctx, o, paid, attempt.Chain.Status)
	}
	if tracked != nil {
		tracked.closeRefused = true
	}
	return wrap("resolve the order", refusalError(attempt.Refusal()))
}

// checkPostable refuses a post on a closed account without a request, once the ledger has refused a
// post: each refusal burns an id, and every later attempt would have to walk over the burnt id.
func (e *Engine) checkPostable(ctx context.Context, o Order, paid ledger.Amount) error {
	if paid.IsZero() {
		return nil // a void is always allowed
	}
	b, err := e.book.LookUpBalances(ctx, o.Account)
	if err == nil && b[0].Closed && !b[0].Settling.IsZero() {
		return accounts.ErrPeerClosed
	}
	return err
}

// resolutionChain returns the event, or the chain of events, that closes an order.
func (e *Engine) resolutionChain(o Order, paid ledger.Amount, attempt uint64) []ledger.Transfer {
	post := ledger.Transfer{
		ID:        e.ns.Derive("resolve", chart.ID(o.ID), chart.U64(attempt)),
		PendingID: o.ID, Amount: paid, Flags: ledger.TransferPostPending,
	}
	if paid.IsZero() {
		post.Flags = ledger.TransferVoidPending
	}
	if excess := paid.SubFloor(o.Amount); !excess.IsZero() {
		post.Amount = o.Amount
		return e.excessChain(o, post, excess, attempt)
	}
	return []ledger.Transfer{post}
}

// excessChain posts an order in full, charges the excess to the peer's arrears, so that no limit can
// refuse it, and collects the arrears as far as the peer account covers them.
//
// The order of the members matters when the chain meets an earlier resolution: the first member
// differs if the excess differs, and the linked post differs from a post alone.
func (e *Engine) excessChain(o Order, post ledger.Transfer, excess ledger.Amount, attempt uint64) []ledger.Transfer {
	ids := e.book.PeerIDs(o.Account)
	legID := func(n uint64) ledger.ID {
		return e.ns.Derive("excess", chart.ID(o.ID), chart.U64(attempt), chart.U64(n))
	}
	post.Flags |= ledger.TransferLinked
	collection := chart.Collect(ids.Peer, ids.Arrears, o.Account.Ledger())
	collection.ID = legID(1)
	return []ledger.Transfer{
		{
			ID: legID(0), DebitAccountID: ids.Arrears, CreditAccountID: ids.Settlement, Amount: excess,
			UserData128: uint128.Uint128(o.ID), UserData64: uint64(o.tag),
			Ledger: o.Account.Ledger(), Code: chart.CodeOverpaid, Flags: ledger.TransferLinked,
		},
		post,
		collection,
	}
}

// isResolved reports whether the ledger refused a resolution because a different event has closed the
// order already.
func isResolved(c ledger.Chain) bool {
	return c.Conflict() ||
		c.Status == ledger.TransferPendingTransferAlreadyPosted ||
		c.Status == ledger.TransferPendingTransferAlreadyVoided
}

// compareResolution looks up how an order was closed. The same amount is a success, from any engine; a
// different amount is ErrOrderConflict.
func (e *Engine) compareResolution(
	ctx context.Context, o Order, paid ledger.Amount, status ledger.CreateTransferStatus,
) error {
	// The order, its post or void, and the excess.
	rows, err := e.ledger.GetAccountTransfers(ctx, ledger.AccountFilter{
		AccountID: e.book.PeerIDs(o.Account).Settlement, UserData64: uint64(o.tag),
		Limit: 3, Flags: ledger.AccountFilterCredits,
	})
	if err != nil {
		return wrap("look up how the order was resolved", err)
	}
	var booked ledger.Amount
	for _, row := range rows {
		posted := row.PendingID == o.ID && row.Flags.Has(ledger.TransferPostPending)
		excess := row.UserData128 == uint128.Uint128(o.ID)
		if posted || excess {
			booked, _ = booked.Add(row.Amount)
		}
	}
	if booked == paid {
		return nil
	}
	return fmt.Errorf("%w: %s paid, %s booked (%v)", ErrOrderConflict, o.Asset.Text(paid), o.Asset.Text(booked), status)
}
