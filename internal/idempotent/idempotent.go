// Package idempotent books something once for a key, for ever: payments that a rail
// reports, corrections and capital that an operator books.
//
// The id of what is booked follows from the key and the number of an attempt. The next
// attempt is made only when the ledger has burnt an id of this one, so at most one is
// ever in the ledger. A ledger that was copied to another one has lost its burnt ids, and
// would take an attempt that it refused before. So Book first looks all attempts up, and
// tries one only if none is there. All that is booked must follow from the call, so that
// the same call again finds it.
package idempotent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

var (
	// ErrConflict says that something else is booked under the key. Booking.Rows has it.
	ErrConflict = errors.New("keyed: the key is taken")
	// ErrSpent says that the ledger has burnt the ids of all attempts, and nothing is
	// booked under the key. Nothing ever will be: use another key. Only programs without
	// probes, those of older versions, burn that many.
	ErrSpent = errors.New("keyed: all attempts of the key were refused before")
)

// MaxAttempts is how many attempts a key has. One more than those that are looked up could be
// booked twice on a copy of the ledger.
const MaxAttempts = 16

// probedFrom is the attempt from which on a probe goes first. Those before it do without, since
// hardly a key is ever refused. Without probes a key could be used up: by a call that is
// repeated with a deadline that always ends it between two attempts, or by a debit that is tried
// again and again on an account whose balance goes up and down.
const probedFrom = 8

// Request says what to book under a key, and when.
type Request struct {
	// Build returns the transfers of an attempt. Book links them into one chain. It is
	// called last for the attempt that Book returns.
	Build func(attempt uint64) []ledger.Transfer
	// First is the attempt to begin with: what those before it have is not this booking.
	// Default: 0.
	First uint64
	// May refuses what the ledger would refuse, without burning an id. Book asks it after
	// the look-up and before the first attempt, so what is booked already is not refused.
	// Default: nobody refuses.
	May func(context.Context) error
	// Fallback goes on to attempt 1 also if this call is the one that burns an id of
	// attempt 0. Attempt 1 must ask the ledger for less.
	Fallback bool
}

// Booking is what is booked under a key.
type Booking struct {
	Attempt       uint64 // whose transfers they are, also with an error
	AlreadyBooked bool   // they were in the ledger before
	Timestamp     uint64 // of the first transfer
	// Rows are the attempt's transfers as the ledger has them, in the order of Build. They
	// are there if Already, and with ErrConflict. A row of an older version may have another
	// account in the place of one of the two, and rows may be fewer than Build returns.
	Rows []ledger.Transfer
}

// Own is the row of a booking that the key names, without what is collected with it; the
// zero row if Rows has none.
func (b Booking) Own() ledger.Transfer {
	for _, row := range b.Rows {
		if row.Code != chart.CodeCollection {
			return row
		}
	}
	return ledger.Transfer{}
}

// Book books the transfers that build returns for an attempt. See Request.Book.
func Book(ctx context.Context, l ledger.Ledger, build func(attempt uint64) []ledger.Transfer) (Booking, error) {
	return Request{Build: build}.Book(ctx, l)
}

// Book books what the request says, or finds it booked.
//
// The errors are ErrConflict, ErrSpent, that of May, a *ledger.TransferError if the ledger
// refused one of the transfers (the key stays free, however often), and those of the requests.
func (r Request) Book(ctx context.Context, l ledger.Ledger) (Booking, error) {
	booking, err := r.lookupAttempts(ctx, l, r.First, MaxAttempts)
	if err != nil || booking.AlreadyBooked {
		return booking, err
	}
	if r.May != nil {
		if err := r.May(ctx); err != nil {
			// It may refuse because another call with the key has booked since the look-up.
			booking, lookErr := r.lookupAttempts(ctx, l, r.First, MaxAttempts)
			if booking.AlreadyBooked || lookErr != nil {
				return booking, lookErr
			}
			return Booking{}, err
		}
	}
	for attempt := r.First; attempt < MaxAttempts; attempt++ {
		rows, first := r.buildChain(attempt)
		results, err := l.CreateTransfers(ctx, rows)
		if err != nil {
			return Booking{}, err
		}
		chain := ledger.ChainOutcome(results)
		switch {
		case chain.Outcome == ledger.OutcomeApplied:
			return Booking{Attempt: attempt, Timestamp: results[first].Timestamp}, nil
		case chain.Outcome == ledger.OutcomeAlreadyApplied, chain.Conflict():
			return r.lookupTaken(ctx, l, attempt)
		case chain.Status == ledger.TransferIDAlreadyFailed,
			r.Fallback && attempt == 0 && chain.Status.Transient():
			continue
		}
		refused := rows[max(chain.Breaker, 0)]
		return Booking{Attempt: attempt}, &ledger.TransferError{ID: refused.ID, Status: chain.Status}
	}
	return Booking{}, ErrSpent
}

// buildChain is an attempt's transfers, linked; first is the index of the first of them. Before it,
// a later attempt has a probe.
func (r Request) buildChain(attempt uint64) (rows []ledger.Transfer, first int) {
	rows = r.Build(attempt)
	if attempt >= probedFrom {
		before := buildProbe(&rows[0])
		rows, first = append(before, rows...), len(before)
	}
	for i := range rows[:len(rows)-1] {
		rows[i].Flags |= ledger.TransferLinked
	}
	return rows, first
}

// buildProbe holds what a transfer moves and gives it back, under ids that nothing else has. If the
// ledger refuses the transfer, it refuses the probe, burns the probe's id and leaves the
// transfer's own free.
func buildProbe(row *ledger.Transfer) []ledger.Transfer {
	hold := ledger.Transfer{
		ID: chart.TimedID(time.Now()), DebitAccountID: row.DebitAccountID, CreditAccountID: row.CreditAccountID, Amount: row.Amount,
		Ledger: row.Ledger, Code: chart.CodeProbe,
		Flags: ledger.TransferPending | row.Flags&(ledger.TransferBalancingDebit|ledger.TransferBalancingCredit),
	}
	return []ledger.Transfer{hold, {ID: chart.TimedID(time.Now()), PendingID: hold.ID, Flags: ledger.TransferVoidPending}}
}

// lookupTaken looks at what the ledger has under the ids of an attempt that it did not take.
func (r Request) lookupTaken(ctx context.Context, l ledger.Ledger, attempt uint64) (Booking, error) {
	booking, err := r.lookupAttempts(ctx, l, attempt, attempt+1)
	if err == nil && !booking.AlreadyBooked {
		err = ErrConflict
	}
	return booking, err
}

// Booked reports whether one of a key's attempts is in the ledger; id is that of a
// transfer of the attempt. Ask before refusing on the strength of a balance what the
// ledger would refuse: each refusal by the ledger burns an id, and what is booked
// already is not refused.
func Booked(ctx context.Context, l ledger.Ledger, id func(attempt uint64) ledger.ID) (bool, error) {
	ids := make([]ledger.ID, MaxAttempts)
	for i := range ids {
		ids[i] = id(uint64(i))
	}
	rows, err := l.LookupTransfers(ctx, ids)
	if err != nil {
		return false, fmt.Errorf("look up what is booked: %w", err)
	}
	return len(rows) > 0, nil
}
