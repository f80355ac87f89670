// Package keyed books something once for a key, for ever: payments that a rail
// reports, corrections and capital that an operator books.
//
// The id of what is booked follows from the key and the number of an attempt. The next
// attempt is made only when the ledger has burnt an id of this one, so at most one is
// ever in the ledger. All that is booked must follow from the call, so that the same
// call again finds it.
package keyed

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/ledger"
)

// ErrConflict says that something else is booked under the key, or the same thing in
// another way. Whoever can tell the two apart looks the attempt's transfers up.
var ErrConflict = errors.New("keyed: the key is taken")

// Booking is what is booked under a key.
type Booking struct {
	Attempt uint64 // whose transfers they are, also with ErrConflict
	// Already says that they were in the ledger before. A balancing transfer may then
	// have moved less than this call asks for.
	Already   bool
	Timestamp uint64 // of the first transfer
}

// Book books the transfers that build returns for an attempt, linked into one chain.
//
// The errors are ErrConflict, a *ledger.TransferError if the ledger refused one of them
// (the key is as free as before), and those of the request.
func Book(ctx context.Context, l ledger.Ledger, build func(attempt uint64) []ledger.Transfer) (Booking, error) {
	for attempt := uint64(0); ; attempt++ {
		rows := build(attempt)
		for i := range rows[:len(rows)-1] {
			rows[i].Flags |= ledger.TransferLinked
		}
		results, err := l.CreateTransfers(ctx, rows)
		if err != nil {
			return Booking{}, err
		}
		booking := Booking{Attempt: attempt, Timestamp: results[0].Timestamp}
		chain := ledger.ChainOutcome(results)
		switch {
		case chain.Outcome.Done():
			booking.Already = chain.Outcome == ledger.OutcomeAlreadyApplied
			return booking, nil
		case chain.Conflict():
			return booking, ErrConflict
		case chain.Status != ledger.TransferIDAlreadyFailed:
			refused := rows[max(chain.Breaker, 0)]
			return booking, &ledger.TransferError{ID: refused.ID, Status: chain.Status}
		}
	}
}

// attempts is how many attempts Booked looks for. There are more only if as many were
// refused in races.
const attempts = 16

// Booked reports whether one of a key's first attempts is in the ledger; id is that of a
// transfer of the attempt. Ask before refusing on the strength of a balance what the
// ledger would refuse: each refusal by the ledger burns an id, and what is booked
// already is not refused.
func Booked(ctx context.Context, l ledger.Ledger, id func(attempt uint64) ledger.ID) (bool, error) {
	ids := make([]ledger.ID, attempts)
	for i := range ids {
		ids[i] = id(uint64(i))
	}
	rows, err := l.LookupTransfers(ctx, ids)
	if err != nil {
		return false, fmt.Errorf("look up what is booked: %w", err)
	}
	return len(rows) > 0, nil
}
