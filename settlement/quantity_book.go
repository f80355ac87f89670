package settlement

import (
	"context"
	"errors"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
)

// fractionBooking books a payment with a fraction: one chain of the payment's own row, the end of its announcement
// if there is one, and the next row of the remainder.
//
// The own row has the payment's key as id, and the number of the remainder in user_data_64, never 0. It credits the
// control account with 0 units if the payment makes no whole unit. The units follow from the remainder at that
// moment, so two calls under a key may send different rows. The ledger takes one chain, and each call finds the
// booked value by the two remainders (readStoredValue).
type fractionBooking struct {
	payment    IncomingPayment
	value      unitValue
	attempt    uint64           // of the key; all lower ones are burnt, or taken by the announcement
	announced  *ledger.Transfer // the announcement of the payment; nil: none
	endsBefore bool             // the announcement has ended before: the chain does without its end
	suspense   bool             // the peer account is closed
}

// bookFraction books a payment whose value is not whole units.
func (e *Engine) bookFraction(ctx context.Context, in IncomingPayment, value unitValue, closed bool) (PaymentBooking, error) {
	f := fractionBooking{payment: in, value: value, suspense: closed}
	booked, found, err := e.findFraction(ctx, &f)
	if found || err != nil {
		return booked, err
	}
	turn, err := e.remainders.take(ctx, e.book.PeerIDs(in.Account).Settlement)
	if err != nil {
		return PaymentBooking{}, err
	}
	defer turn.release()
	for f.attempt < idempotent.MaxAttempts {
		booked, done, err := e.tryFraction(ctx, &f, turn)
		if done || err != nil {
			return booked, err
		}
	}
	return PaymentBooking{}, accounts.ErrKeyBurnt
}

// findFraction looks the key up. found is true if the value is booked; the error is [accounts.ErrKeyReused] if
// another is. An announcement under the key is noted in f.
func (e *Engine) findFraction(ctx context.Context, f *fractionBooking) (booked PaymentBooking, found bool, err error) {
	rows, err := e.readPaymentRows(ctx, f.payment.Account, f.payment.Key)
	if err != nil {
		return PaymentBooking{}, false, err
	}
	if len(rows) > 0 && rows[0].Code == chart.CodeAnnounced {
		announced := rows[0] // the first attempt in the ledger; the payment comes behind it
		f.announced, f.attempt = &announced, e.attemptAfter(f, announced.ID)
		rows = rows[1:]
	}
	if len(rows) > 0 {
		return e.compareFraction(ctx, f, &rows[0])
	}
	return PaymentBooking{}, false, nil
}

// attemptAfter returns the number of the attempt behind the one with an id.
func (e *Engine) attemptAfter(f *fractionBooking, id ledger.ID) (attempt uint64) {
	for attempt = 0; attempt < idempotent.MaxAttempts && e.paymentName(f.payment.Account, f.payment.Key).ID(attempt) != id; {
		attempt++
	}
	return max(attempt+1, f.attempt)
}

// compareFraction compares the booked value with the value of the call.
func (e *Engine) compareFraction(ctx context.Context, f *fractionBooking, row *ledger.Transfer) (PaymentBooking, bool, error) {
	stored, err := e.readStoredValue(ctx, f.payment.Account, row)
	switch {
	case err != nil:
		return PaymentBooking{}, false, err
	case stored != f.value:
		return PaymentBooking{}, false, e.keyReusedError(*row)
	}
	booked := e.newFractionBooking(f, row)
	booked.AlreadyBooked = true
	return booked, true, nil
}

func (e *Engine) newFractionBooking(f *fractionBooking, row *ledger.Transfer) PaymentBooking {
	assetIDs, _ := e.book.AssetIDs(row.Ledger)
	booked := PaymentBooking{
		Booking:    accounts.Booking{Transfer: row.ID, Amount: row.Amount, BookedAt: timeOf(row.Timestamp)},
		InSuspense: row.CreditAccountID == assetIDs.Suspense,
	}
	if f.announced != nil {
		booked.Announced = f.announced.Amount
	}
	return booked
}

// tryFraction sends the chain once, in the account's turn. done is false if the next try has to differ; f and turn
// are changed for it then.
func (e *Engine) tryFraction(ctx context.Context, f *fractionBooking, turn *remainderTurn) (booked PaymentBooking, done bool, err error) {
	if turn.newest == nil {
		newest, err := e.readRemainder(ctx, f.payment.Account, 0)
		if err != nil {
			return PaymentBooking{}, false, err
		}
		turn.newest = &newest
	}
	newest := *turn.newest
	rows, next := e.fractionRows(f, newest)
	turn.newest = nil // unknown, unless the answer tells
	results, err := e.ledger.CreateTransfers(ctx, rows)
	if err != nil {
		return PaymentBooking{}, false, err
	}
	chain := ledger.ChainOutcome(results)
	if chain.Outcome == ledger.OutcomeApplied {
		turn.newest = &next
		rows[0].Timestamp = results[0].Timestamp
		return e.newFractionBooking(f, &rows[0]), true, nil
	}
	if chain.Breaker == len(rows)-1 && chain.Status == ledger.TransferIDAlreadyFailed {
		turn.newest = &remainder{next.number, newest.fractions} // the number is burnt: no payment has it or ever will
		return PaymentBooking{}, false, nil
	}
	return e.answerFraction(ctx, f, rows, chain)
}

// fractionRows returns the chain for a remainder, and the remainder after it.
func (e *Engine) fractionRows(f *fractionBooking, newest remainder) ([]ledger.Transfer, remainder) {
	next, units := newest.add(f.value)
	a := f.payment.Account
	assetIDs, _ := e.book.AssetIDs(a.Ledger())
	own := ledger.Transfer{
		ID:             e.paymentName(a, f.payment.Key).ID(f.attempt),
		DebitAccountID: e.book.PeerIDs(a).Settlement, CreditAccountID: e.book.PeerIDs(a).Peer, Amount: units,
		UserData128: e.paymentTag(a, f.payment.Key), UserData64: next.number,
		Ledger: a.Ledger(), Code: chart.CodeIncoming, Flags: ledger.TransferLinked,
	}
	switch {
	case units.IsZero():
		own.CreditAccountID = assetIDs.Control
	case f.suspense:
		own.CreditAccountID = assetIDs.Suspense
	}
	rows := []ledger.Transfer{own}
	if f.announced != nil && !f.endsBefore {
		end := e.receivedVoidRow(f.announced, own.ID)
		end.Flags |= ledger.TransferLinked
		rows = append(rows, end)
	}
	return append(rows, e.remainderRow(a, next)), next
}

// answerFraction decides by the member of the chain that the ledger refused.
func (e *Engine) answerFraction(
	ctx context.Context, f *fractionBooking, rows []ledger.Transfer, chain ledger.Chain,
) (booked PaymentBooking, done bool, err error) {
	refusal := &ledger.TransferError{ID: rows[max(chain.Breaker, 0)].ID, Status: chain.Status}
	taken := chain.Status == ledger.TransferExists || chain.Conflict()
	switch isOwn, isRemainder := chain.Breaker == 0, chain.Breaker == len(rows)-1; {
	case isOwn && taken: // perhaps by an equal call with the same remainder, perhaps by another value
		return e.findFraction(ctx, f)
	case isOwn && chain.Status == ledger.TransferIDAlreadyFailed:
		f.attempt++
	case isOwn && isCreditClosed(refusal) && !f.suspense: // closed since the look-up; the attempt is burnt
		f.attempt, f.suspense = f.attempt+1, true
	case isRemainder && taken: // another payment took the number
	case !isOwn && !isRemainder && announcementEnded(refusal):
		f.endsBefore = true
	default:
		return PaymentBooking{}, false, e.mapBookingError(idempotent.Booking{}, refusal)
	}
	return PaymentBooking{}, false, nil
}

// refusedTransfer returns the ledger's refusal in an error.
func refusedTransfer(err error) (refused *ledger.TransferError, is bool) {
	is = errors.As(err, &refused)
	return refused, is
}
