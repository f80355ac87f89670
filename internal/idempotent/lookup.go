package idempotent

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/internal/tbexists"
	"github.com/peerledger/peerledger/ledger"
)

// lookupAttempts finds the booked one of the attempts from first up to, and without, end, in one
// request. Already is false if none of them is booked. The error is ErrConflict if what is
// booked is something else.
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

// compareAttempt compares an attempt's transfers with those of them that are stored. Already is
// false if none is.
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

// isSameRow reports whether the stored row is what is wanted. It may be linked to others, it may
// have been imported from another ledger, and one of its accounts may be another one: an
// older version booked debits from the peer account, and the money of a closed peer goes
// into suspense.
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
	hold := func(id ledger.ID) *ledger.Transfer {
		t := stored[id]
		return &t
	}
	return tbexists.CompareTransfer(&want, &row, hold) == ledger.TransferExists
}
