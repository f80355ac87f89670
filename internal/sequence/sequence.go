// Package sequence writes numbered rows into the ledger so exactly one writer wins each number:
// settlement orders and changes of a credit line.
//
// A row is a transfer with an id derived from its number, so a number can be taken once. A writer
// first reads the newest row ([Newest]), then everything else needed to decide, and then places the
// next number ([Place]). If another writer has placed a row in between, the number is taken and the
// writer must decide again. In the opposite order of reading, a fresh number could rest on a stale
// balance.
//
// [TryAttempts] is the loop under [Place], for every caller with ids derived from the number of an
// attempt.
package sequence

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/ledger"
)

// ErrTaken is returned when another writer has taken the number. Read the newest row and decide
// again.
var ErrTaken = errors.New("sequence: the number is taken")

// Newest returns the newest transfer selected by filter, whose order and limit Newest sets; ok is
// false if there is none.
func Newest(ctx context.Context, l ledger.Ledger, filter ledger.AccountFilter) (row ledger.Transfer, ok bool, err error) {
	filter.Limit = 1
	filter.Flags |= ledger.AccountFilterReversed
	rows, err := l.GetAccountTransfers(ctx, filter)
	if err != nil || len(rows) == 0 {
		return ledger.Transfer{}, false, err
	}
	return rows[0], true, nil
}

// Place writes the row with number first, or with the next number whose id is not burnt. Each row
// refused earlier has burnt a number; Place sends one request for each, until the context ends.
//
// The row returned by build must depend on nothing but the number and the call, and must carry a
// mark of this call (an owner, a nonce), so the row of another writer is never taken for this one.
//
// Place returns the number written. The errors are [ErrTaken], a [ledger.TransferError] if the
// ledger refused the row, and the request's.
func Place(
	ctx context.Context, l ledger.Ledger, first uint64, build func(n uint64) ledger.Transfer,
) (n uint64, err error) {
	return PlaceChain(ctx, l, first, func(n uint64) []ledger.Transfer { return []ledger.Transfer{build(n)} })
}

// PlaceChain is [Place] for rows placed together, or not at all. All ids in the chain must follow
// from the number, since any of them may be burnt. The [ledger.TransferError] names the refused
// row.
func PlaceChain(
	ctx context.Context, l ledger.Ledger, first uint64, build func(n uint64) []ledger.Transfer,
) (n uint64, err error) {
	attempt, err := TryAttempts(ctx, l, first, NoEnd, build)
	switch {
	case err != nil:
	case attempt.Chain.Outcome.Done():
		return attempt.Number, nil
	case attempt.Chain.Conflict():
		err = ErrTaken
	default:
		err = attempt.Refusal()
	}
	return 0, fmt.Errorf("row %d: %w", attempt.Number, err)
}
