// Package sequence writes numbered rows into the ledger so that exactly one
// writer wins each number: settlement orders and changes of a credit line.
//
// A row is a transfer whose id is derived from its number, so a number can be
// taken once. Whoever wants to write reads the newest row first, then whatever
// else its decision rests on, and then places the next number: if anybody wrote
// in between, that number is taken and the decision must be made again. Reading
// in the other order would rest a fresh number on a stale balance.
package sequence

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/ledger"
)

// ErrTaken says that another writer has taken the number. Read the newest row
// and decide again.
var ErrTaken = errors.New("sequence: the number is taken")

// Newest returns the newest transfer that filter selects (its order and limit
// are set here); ok is false if there is none.
func Newest(ctx context.Context, l ledger.Ledger, filter ledger.AccountFilter) (row ledger.Transfer, ok bool, err error) {
	filter.Limit = 1
	filter.Flags |= ledger.AccountFilterReversed
	rows, err := l.GetAccountTransfers(ctx, filter)
	if err != nil || len(rows) == 0 {
		return ledger.Transfer{}, false, err
	}
	return rows[0], true, nil
}

// Place writes the row with number first, or the next number whose id is not
// burnt; each row refused earlier burnt one, and all are walked over, one request
// each, until the context ends. The row that build returns must depend on nothing
// but the number and the call, and must carry something of this
// call's own (an owner, a nonce), so that another writer's row is never taken
// for ours.
//
// It returns the number written. The errors are ErrTaken, *ledger.TransferError
// if the ledger refused the row, and those of the request.
func Place(
	ctx context.Context, l ledger.Ledger, first uint64, build func(n uint64) ledger.Transfer,
) (n uint64, err error) {
	return PlaceChain(ctx, l, first, func(n uint64) []ledger.Transfer { return []ledger.Transfer{build(n)} })
}

// PlaceChain is Place for rows that are placed together, or not at all. All ids in the
// chain must follow from the number, since any of them may be burnt. The
// *ledger.TransferError is that of the row that was refused.
func PlaceChain(
	ctx context.Context, l ledger.Ledger, first uint64, build func(n uint64) []ledger.Transfer,
) (n uint64, err error) {
	for n = first; ; n++ {
		rows := build(n)
		chain, err := sendChain(ctx, l, rows)
		switch {
		case err != nil:
			return 0, fmt.Errorf("row %d: %w", n, err)
		case chain.Outcome.Done():
			return n, nil
		case chain.Conflict():
			return 0, fmt.Errorf("row %d: %w", n, ErrTaken)
		case chain.Status != ledger.TransferIDAlreadyFailed:
			refused := rows[max(chain.Breaker, 0)]
			return 0, fmt.Errorf("row %d: %w", n, &ledger.TransferError{ID: refused.ID, Status: chain.Status})
		}
	}
}

// sendChain sends rows as one linked chain.
func sendChain(ctx context.Context, l ledger.Ledger, rows []ledger.Transfer) (ledger.Chain, error) {
	for i := range rows[:len(rows)-1] {
		rows[i].Flags |= ledger.TransferLinked
	}
	results, err := l.CreateTransfers(ctx, rows)
	if err != nil {
		return ledger.Chain{}, err
	}
	return ledger.ChainOutcome(results), nil
}
