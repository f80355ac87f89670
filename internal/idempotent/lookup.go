package idempotent

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/internal/tbexists"
	"github.com/peerledger/peerledger/ledger"
)

// Booked reports whether an attempt of a key is in the ledger; id returns the id of a transfer of
// an attempt. Call Booked before refusing by a balance: each refusal by the ledger burns an id,
// and an earlier booking must not be refused.
func Booked(ctx context.Context, l ledger.Ledger, id func(attempt uint64) ledger.ID) (bool, error) {
	rows, err := LookUpRows(ctx, l, id)
	if err != nil {
		return false, fmt.Errorf("look up what is booked: %w", err)
	}
	return len(rows) > 0, nil
}

// LookUpRows reads the transfers with the ids of all attempts of a key, in the order of attempts and in one
// request. The error is the request's.
func LookUpRows(ctx context.Context, l ledger.Ledger, id func(attempt uint64) ledger.ID) ([]ledger.Transfer, error) {
	ids := make([]ledger.ID, MaxAttempts)
	for i := range ids {
		ids[i] = id(uint64(i))
	}
	return l.LookupTransfers(ctx, ids)
}

// lookupAttempts finds the booked attempt among the numbers from first up to, and without, end, in
// one request. AlreadyBooked is false if none is booked. The error is [ErrConflict] if other
// transfers are booked under the attempt's ids.
func (r Request) lookupAttempts(ctx context.Context, l ledger.Ledger, first, end uint64) (Booking, error) {
	var ids []ledger.ID
	for attempt := first; attempt < end; attempt++ {
		for _, row := range r.Build(attempt) {
			ids = append(ids, row.ID)
		}
	}
	rows, err := l.LookupTransfers(ctx, ids)
	if err != nil {
		return Booking{}, fmt.Errorf("look up what is booked: %w", err)
	}
	stored := make(map[ledger.ID]ledger.Transfer, len(rows))
	for _, row := range rows {
		stored[row.ID] = row
	}
	for attempt := first; len(stored) > 0 && attempt < end; attempt++ {
		if booking, err := compareAttempt(attempt, r.Build(attempt), stored); booking.AlreadyBooked || err != nil {
			return booking, err
		}
	}
	return Booking{}, nil
}

// lookupTaken reads the rows under the ids of an attempt that the ledger answered as taken.
func (r Request) lookupTaken(ctx context.Context, l ledger.Ledger, attempt uint64) (Booking, error) {
	booking, err := r.lookupAttempts(ctx, l, attempt, attempt+1)
	if err == nil && !booking.AlreadyBooked {
		err = ErrConflict
	}
	return booking, err
}

// compareAttempt compares an attempt's transfers with the stored rows of the same ids.
// AlreadyBooked is false if no row is stored.
func compareAttempt(attempt uint64, wanted []ledger.Transfer, stored map[ledger.ID]ledger.Transfer) (Booking, error) {
	booking := Booking{Attempt: attempt}
	var err error
	for _, want := range wanted {
		row, found := stored[want.ID]
		if !found {
			continue
		}
		booking.Rows = append(booking.Rows, row)
		if !isSameRow(want, row, stored) {
			err = ErrConflict
		}
	}
	if len(booking.Rows) == 0 {
		return Booking{}, nil
	}
	booking.Timestamp = booking.Rows[0].Timestamp
	booking.AlreadyBooked = err == nil
	return booking, err
}

// isSameRow reports whether the stored row is the wanted one. The stored row may be linked, may
// have been imported from another ledger, and may have another account in the place of one of
// the two: an older version booked debits from the peer account, and the money of a closed
// peer goes into suspense.
func isSameRow(want, row ledger.Transfer, stored map[ledger.ID]ledger.Transfer) bool {
	const ignored = ledger.TransferLinked | ledger.TransferImported
	want.Flags &^= ignored
	row.Flags &^= ignored
	switch {
	case want.DebitAccountID == row.DebitAccountID:
		want.CreditAccountID = row.CreditAccountID
	case want.CreditAccountID == row.CreditAccountID:
		want.DebitAccountID = row.DebitAccountID
	}
	findHold := func(id ledger.ID) *ledger.Transfer {
		t := stored[id]
		return &t
	}
	return tbexists.CompareTransfer(&want, &row, findHold) == ledger.TransferExists
}
