package settlement

import (
	"context"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
)

// FindIncoming reads which payments are booked, in one request for thousands of payments. It writes nothing. The answer has one
// booking for each payment, in their order. AlreadyBooked is false, and the rest is zero, for a payment that is not booked with
// this amount: [Engine.RecordIncoming] books the payment, or tells what is booked under the key. Announced is always zero.
//
// The errors are *[BookingError] for the first payment that RecordIncoming would refuse without a look at the ledger, those of
// requests, and [ErrEngineClosed].
func (e *Engine) FindIncoming(ctx context.Context, payments []IncomingPayment) ([]PaymentBooking, error) {
	if !e.acquireCall() {
		return nil, ErrEngineClosed
	}
	defer e.wg.Done()
	for _, in := range payments {
		if err := e.checkPayment(in.Account, in.Key, in.Amount); err != nil {
			return nil, e.newBookingError(in.Account, in.Key, in.Amount, err)
		}
	}
	found := make([]PaymentBooking, len(payments))
	// Nearly all payments are booked under their first attempt.
	if err := e.findAttempts(ctx, payments, found, 0, 1); err != nil {
		return nil, err
	}
	return found, e.findAttempts(ctx, payments, found, 1, idempotent.MaxAttempts)
}

// findAttempts finds the payments that were not found yet, under the attempts from first up to, and without, end.
func (e *Engine) findAttempts(ctx context.Context, payments []IncomingPayment, found []PaymentBooking, first, end uint64) error {
	var ids []ledger.ID
	owner := map[ledger.ID][]int{}
	for i, in := range payments {
		if found[i].AlreadyBooked {
			continue
		}
		name := e.paymentName(in.Account, in.Key)
		for attempt := first; attempt < end; attempt++ {
			id := name.ID(attempt)
			if owner[id] == nil {
				ids = append(ids, id)
			}
			owner[id] = append(owner[id], i)
		}
	}
	rows, err := batch.Each(ctx, ids, 1, e.ledger.LookupTransfers)
	if err != nil {
		return err
	}
	for _, row := range rows {
		for _, i := range owner[row.ID] {
			if row.Code == chart.CodeIncoming && row.Amount == payments[i].Amount {
				found[i] = e.newFoundBooking(row)
			}
		}
	}
	return nil
}

func (e *Engine) newFoundBooking(row ledger.Transfer) PaymentBooking {
	assetIDs, _ := e.book.AssetIDs(row.Ledger)
	return PaymentBooking{
		Booking:    accounts.Booking{Transfer: row.ID, Amount: row.Amount, BookedAt: timeOf(row.Timestamp), AlreadyBooked: true},
		InSuspense: row.CreditAccountID == assetIDs.Suspense,
	}
}
