package settlement

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
)

// ReturnedPayment is a payment of a peer that came back: a chargeback, or a transfer that the bank
// took back. A payment may come back in parts.
type ReturnedPayment struct {
	Account accounts.PeerAccount
	// Key names the return, as in Incoming: the same in every report of it, and another for
	// every other one of the account.
	Key string
	// Payment is the key under which the payment was received (Incoming.Key), whatever it is:
	// earlier versions took keys with white space around them.
	Payment string
	Amount  ledger.Amount // units of it that came back
}

// RecordReturned books a payment of a peer that came back. What the peer does not have any more
// it owes: that part is arrears, and is collected from what the peer earns or pays later. It
// may be called any number of times for one return, from any process, and books it once.
//
// A payment that waits in suspense for a closed peer, and comes back as a whole, is taken out
// of suspense.
//
// Errors are *BookingErrors: ErrNoPayment if nothing was received under the key Payment (a
// payment that is only announced does not come back, it fails: Fail),
// *ReturnedError (ErrReturnedTooMuch) if more would come back than was paid, and those of
// Receive. With them nothing was booked. Two processes that book different returns of one
// payment at the same moment are not held against each other.
func (e *Engine) RecordReturned(ctx context.Context, r ReturnedPayment) (PaymentBooking, error) {
	return e.record(ctx, r.Account, r.Key, r.Amount, func() (PaymentBooking, error) {
		if r.Payment == "" {
			return PaymentBooking{}, &accounts.FieldError{Subject: "returned payment", Field: "Payment", Reason: "must not be empty"}
		}
		return e.inTurn(ctx, r.Account, func() (PaymentBooking, error) { return e.bookReturned(ctx, &r) })
	})
}

func (e *Engine) bookReturned(ctx context.Context, r *ReturnedPayment) (PaymentBooking, error) {
	payment, err := e.paymentOf(ctx, r)
	if err != nil {
		return PaymentBooking{}, err
	}
	row := ledger.Transfer{
		Amount: r.Amount, UserData128: e.keyTag(r.Account, r.Payment), UserData64: e.returnTag(r), Code: chart.CodeReturned,
	}
	name := e.name("returned", r.Account, r.Key)
	if own, _ := e.book.AssetIDs(r.Account.Ledger()); payment.CreditAccountID == own.Suspense && payment.Amount == r.Amount {
		receipt, done, err := e.returnFromSuspense(ctx, r, payment, name, row)
		if done || err != nil {
			return receipt, err
		}
	}
	return e.bookDebit(ctx, name, r.Account, row, func(ctx context.Context) error { return e.mayReturn(ctx, r, payment.Amount) })
}

// returnTag tells returns apart. It is never 0, which no filter finds.
func (e *Engine) returnTag(r *ReturnedPayment) uint64 {
	return max(e.ns.Derive("return", chart.ID(e.book.PeerIDs(r.Account).Settlement), []byte(r.Key)).Hi, 1)
}

// paymentRows are what announces and books the payment under a key, the first row first.
func (e *Engine) paymentRows(ctx context.Context, a accounts.PeerAccount, key string) ([]ledger.Transfer, error) {
	name := e.paymentName(a, key)
	ids := make([]ledger.ID, idempotent.MaxAttempts)
	for i := range ids {
		ids[i] = name.ID(uint64(i))
	}
	rows, err := e.ledger.LookupTransfers(ctx, ids)
	return rows, wrap("look the payment up", err)
}

// paymentOf finds the payment that comes back.
func (e *Engine) paymentOf(ctx context.Context, r *ReturnedPayment) (ledger.Transfer, error) {
	rows, err := e.paymentRows(ctx, r.Account, r.Payment)
	if err != nil {
		return ledger.Transfer{}, err
	}
	received := slices.IndexFunc(rows, func(row ledger.Transfer) bool { return row.Code == chart.CodeIncoming })
	switch {
	case received >= 0:
		return rows[received], nil
	case len(rows) > 0:
		return ledger.Transfer{}, fmt.Errorf("%w: it is announced, and not received: if it will not come, it has failed", ErrNoPayment)
	default:
		return ledger.Transfer{}, ErrNoPayment
	}
}

// mayReturn refuses a return that is not booked yet if it is of more than is left of the
// payment, or if its key is that of another one.
func (e *Engine) mayReturn(ctx context.Context, r *ReturnedPayment, paid ledger.Amount) error {
	returns := ledger.AccountFilter{
		AccountID: e.book.PeerIDs(r.Account).Settlement, Code: chart.CodeReturned, Flags: ledger.AccountFilterCredits,
	}
	// The id of what left suspense follows from its payment, so only this finds its key.
	returns.UserData64 = e.returnTag(r)
	switch rows, err := e.allRows(ctx, returns); {
	case err != nil:
		return wrap("read what was booked under the key", err)
	case len(rows) > 0:
		return e.keyReused(rows[0])
	}
	returns.UserData64, returns.UserData128 = 0, e.keyTag(r.Account, r.Payment)
	rows, err := e.allRows(ctx, returns)
	if err != nil {
		return wrap("read what of the payment came back", err)
	}
	var returned ledger.Amount
	for _, row := range rows {
		returned, _ = returned.Add(row.Amount) // it is a part of what the account was credited
	}
	if total, fits := returned.Add(r.Amount); fits && !paid.Less(total) {
		return nil
	}
	asset, _ := e.book.Asset(r.Account.Ledger())
	return &ReturnedError{
		Account: r.Account, Asset: asset, Payment: r.Payment, Paid: paid, Returned: returned, Wanted: r.Amount,
	}
}

// returnFromSuspense takes a payment out of suspense, under the ids that giving it back to the
// peer would have: only one of the two can be booked. done is false if it was given back
// before, or if this return was booked as arrears.
func (e *Engine) returnFromSuspense(
	ctx context.Context, r *ReturnedPayment, payment ledger.Transfer, name idempotent.Name, row ledger.Transfer,
) (receipt PaymentBooking, done bool, err error) {
	booked, err := idempotent.Booked(ctx, e.ledger, name.ID)
	if booked || err != nil {
		return PaymentBooking{}, false, err
	}
	own, _ := e.book.AssetIDs(r.Account.Ledger())
	row.DebitAccountID, row.CreditAccountID, row.Ledger = own.Suspense, e.book.PeerIDs(r.Account).Settlement, r.Account.Ledger()
	receipt, err = e.bookCredit(ctx, row, credit{
		id:  func(attempt uint64) ledger.ID { return e.releaseID(payment.ID, attempt) },
		may: func(ctx context.Context) error { return e.mayReturn(ctx, r, payment.Amount) },
	})
	if errors.Is(err, accounts.ErrKeyReused) { // it was given back to the peer, or by another return
		return PaymentBooking{}, false, nil
	}
	return receipt, true, err
}
