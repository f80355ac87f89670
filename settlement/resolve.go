package settlement

import (
	"context"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// resolve closes an order in the ledger with what was paid: a post, a void if
// nothing was, or a chain if it was more than ordered. Sent again, by anybody, it
// is the same event and a success.
//
// A transient refusal (somebody closed an account) burns the ids, so each attempt
// has its own, and starts where those before are burnt.
func (e *Engine) resolve(ctx context.Context, o Order, paid ledger.Amount) error {
	if e.register.wasRefused(o) {
		if err := e.mayPost(ctx, o, paid); err != nil {
			return wrap("resolve the order", err)
		}
	}
	if o.Amount.Less(paid) {
		if err := e.book.EnsureArrears(ctx, o.Account); err != nil {
			return wrap("resolve the order", err)
		}
	}
	for attempt := uint64(0); ; attempt++ {
		chain := e.resolution(o, paid, attempt)
		results, err := e.ledger.CreateTransfers(ctx, chain)
		if err != nil {
			return wrap("resolve the order", err)
		}
		outcome := ledger.ChainOutcome(results)
		switch {
		case outcome.Outcome.Done():
			return nil
		case outcome.Status == ledger.TransferIDAlreadyFailed:
			continue
		case resolvedBefore(outcome):
			return e.compareResolution(ctx, o, paid, outcome.Status)
		default:
			e.register.refused(o)
			id := chain[max(outcome.Breaker, 0)].ID
			return wrap("resolve the order", refusalError(&ledger.TransferError{ID: id, Status: outcome.Status}))
		}
	}
}

// mayPost refuses a post on a closed account without asking for it, once the ledger has
// refused one: each refusal burns an id, and every later attempt would have to walk over it.
func (e *Engine) mayPost(ctx context.Context, o Order, paid ledger.Amount) error {
	if paid.IsZero() {
		return nil // a void is always allowed
	}
	b, err := e.book.LookUpBalances(ctx, o.Account)
	if err == nil && b[0].Closed && !b[0].Settling.IsZero() {
		return accounts.ErrPeerClosed
	}
	return err
}

// resolution is the event, or the chain of events, that closes an order.
func (e *Engine) resolution(o Order, paid ledger.Amount, attempt uint64) []ledger.Transfer {
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

// excessChain posts an order in full, charges what was paid beyond it to the peer's arrears,
// so that no limit can refuse it, and collects what the peer account has.
//
// The order of the members matters when the chain meets an earlier resolution:
// the first one differs if the rest does, and the linked post from a post alone.
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

// resolvedBefore reports whether the ledger says that the order is closed already,
// by another event than this one.
func resolvedBefore(c ledger.Chain) bool {
	return c.Conflict() ||
		c.Status == ledger.TransferPendingTransferAlreadyPosted ||
		c.Status == ledger.TransferPendingTransferAlreadyVoided
}

// compareResolution looks up how an order was closed. The same amount is a
// success, whoever booked it; anything else is not touched.
func (e *Engine) compareResolution(
	ctx context.Context, o Order, paid ledger.Amount, status ledger.CreateTransferStatus,
) error {
	// The order, its post or void, and what was booked beyond it.
	rows, err := e.ledger.GetAccountTransfers(ctx, ledger.AccountFilter{
		AccountID: e.book.PeerIDs(o.Account).Settlement, UserData64: uint64(o.tag),
		Limit: 3, Flags: ledger.AccountFilterCredits,
	})
	if err != nil {
		return wrap("look up how the order was resolved", err)
	}
	var booked ledger.Amount
	for _, row := range rows {
		post := row.PendingID == o.ID && row.Flags.Has(ledger.TransferPostPending)
		excess := row.UserData128 == uint128.Uint128(o.ID)
		if post || excess {
			booked, _ = booked.Add(row.Amount)
		}
	}
	if booked == paid {
		return nil
	}
	return fmt.Errorf("%w: %s paid, %s booked (%v)", ErrOrderConflict, o.Asset.Text(paid), o.Asset.Text(booked), status)
}
