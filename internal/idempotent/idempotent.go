// Package idempotent books transfers once for a key, for ever: payments reported by a rail,
// corrections and capital booked by an operator.
//
// The ids of the transfers follow from the key and the number of an attempt. The next attempt is
// made only when the ledger has burnt an id of the previous one ([sequence.TryAttempts]), so at
// most one is ever in the ledger. The copy of a ledger has lost its burnt ids and would take an
// attempt refused by the original. So [Request.Book] first looks all attempts up, and tries one
// only if none is booked. Everything booked must follow from the call, so a repeated call finds it.
//
// From attempt 8 on, a probe goes in front of the transfers, a hold of the same amount and its
// release under ids used nowhere else: if the ledger refuses the amount, it burns an id of the probe,
// and the ids of the attempt stay free, so that refusals do not use the key up.
package idempotent

import (
	"context"
	"errors"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

var (
	// ErrConflict is returned with [Booking.Rows] when other transfers are booked under the key.
	ErrConflict = errors.New("idempotent: the key is taken")
	// ErrAllBurnt is returned when the ledger has burnt the ids of all attempts and nothing is
	// booked under the key. Nothing ever will be: use another key. Only programs without
	// probes, those of older versions, burn that many ids.
	ErrAllBurnt = errors.New("idempotent: all attempts of the key were refused before")
)

// MaxAttempts is the end of the numbers of a key's attempts: the last attempt has the number
// MaxAttempts - 1, also if [Request.First] is above 0. Only attempts before MaxAttempts are looked
// up: a further attempt could be booked twice on a copy of the ledger.
const MaxAttempts = 16

// Request describes the transfers to book under a key.
type Request struct {
	// Build returns the transfers of an attempt. [Request.Book] links them into one chain. The last
	// call is for the attempt returned by Book.
	Build func(attempt uint64) []ledger.Transfer
	// First is the number of the first attempt. Transfers under the numbers before First do not
	// belong to this booking. Default: 0.
	First uint64
	// Precheck refuses transfers in place of the ledger, without burning an id. [Request.Book] calls
	// [Request.Precheck] after the look-up and before the first attempt, so an earlier booking is not
	// refused. Default: no refusal.
	Precheck func(context.Context) error
	// Fallback goes on to attempt 1 also if this call is the one to burn an id of attempt 0.
	// Attempt 1 must ask the ledger for less.
	Fallback bool
}

// Booking is the booked attempt of a key.
type Booking struct {
	Attempt       uint64 // the attempt's number; set also with ErrConflict and a [ledger.TransferError]
	AlreadyBooked bool   // the transfers were in the ledger before the call
	Timestamp     uint64 // of the first transfer
	// Rows are the attempt's transfers as stored in the ledger, in the order of Build. Rows is set
	// if AlreadyBooked, and with [ErrConflict]. A row of an older version may have another account
	// in the place of one of the two, and rows may be fewer than Build returns.
	Rows []ledger.Transfer
}

// OwnRow returns the row named by the key, without the collection booked beside it; the zero row if
// Rows has none.
func (b Booking) OwnRow() ledger.Transfer {
	for _, row := range b.Rows {
		if row.Code != chart.CodeCollection {
			return row
		}
	}
	return ledger.Transfer{}
}

// Book books the transfers that build returns for an attempt. See [Request.Book].
func Book(ctx context.Context, l ledger.Ledger, build func(attempt uint64) []ledger.Transfer) (Booking, error) {
	return Request{Build: build}.Book(ctx, l)
}

// Book books the transfers of the request, or finds them booked.
//
// The errors are [ErrConflict], [ErrAllBurnt], the error of [Request.Precheck], a [ledger.TransferError] if
// the ledger refused a transfer (the key stays free, however often), and those of the requests.
func (r Request) Book(ctx context.Context, l ledger.Ledger) (Booking, error) {
	booking, err := r.lookupAttempts(ctx, l, r.First, MaxAttempts)
	if err != nil || booking.AlreadyBooked {
		return booking, err
	}
	if r.Precheck != nil {
		if err := r.Precheck(ctx); err != nil {
			// Another call with the key may have booked since the look-up, and so have caused
			// the refusal.
			booking, lookupErr := r.lookupAttempts(ctx, l, r.First, MaxAttempts)
			if booking.AlreadyBooked || lookupErr != nil {
				return booking, lookupErr
			}
			return Booking{}, err
		}
	}
	return r.bookAttempt(ctx, l)
}

// bookAttempt sends the attempts until one is booked or refused.
func (r Request) bookAttempt(ctx context.Context, l ledger.Ledger) (Booking, error) {
	attempt, err := sequence.TryAttempts(ctx, l, r.First, MaxAttempts, r.buildAttempt)
	if r.Fallback && err == nil && attempt.Number == 0 && attempt.Chain.Status.Transient() {
		attempt, err = sequence.TryAttempts(ctx, l, 1, MaxAttempts, r.buildAttempt)
	}
	switch {
	case errors.Is(err, sequence.ErrAllBurnt):
		return Booking{}, ErrAllBurnt
	case err != nil:
		return Booking{}, err
	case attempt.Chain.Outcome == ledger.OutcomeApplied:
		timestamp := attempt.Results[probeLength(attempt.Number)].Timestamp
		return Booking{Attempt: attempt.Number, Timestamp: timestamp}, nil
	case attempt.Chain.Outcome == ledger.OutcomeAlreadyApplied, attempt.Chain.Conflict():
		return r.lookupTaken(ctx, l, attempt.Number)
	default:
		return Booking{Attempt: attempt.Number}, attempt.Refusal()
	}
}
