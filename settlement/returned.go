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

// ReturnedPayment is a payment of a peer that came back: a chargeback, or a recalled bank transfer. A payment may
// come back in parts.
type ReturnedPayment struct {
	Account accounts.PeerAccount
	// Key names the return, as in [IncomingPayment]: the same in every report of the return, and unique among
	// the returns of the account.
	Key string
	// Payment is the key of the received payment ([IncomingPayment.Key]), in any form: earlier versions accepted
	// white space around keys.
	Payment string
	Amount  ledger.Amount // units that came back
}

// RecordReturned books the return of a peer's payment. The peer owes the part of the amount that its account no
// longer has: the part becomes arrears, collected from later earnings and payments. RecordReturned may be called
// any number of times for one return, from any process, and books it once.
//
// A payment in suspense for a closed peer that comes back as a whole is taken out of suspense.
//
// The errors are *[BookingError]: [ErrNoPayment] if nothing was received under the key Payment (end a payment that
// is only announced with [Engine.Fail]), *[ReturnedError] ([ErrReturnedTooMuch]) if more would come back than was
// paid, and the errors of [Engine.RecordIncoming]. None of them books anything. The check does not cover two
// different returns of one payment that two processes book at the same moment.
func (e *Engine) RecordReturned(ctx context.Context, r ReturnedPayment) (PaymentBooking, error) {
	return e.recordPayment(ctx, r.Account, r.Key, r.Amount, func() (PaymentBooking, error) {
		if r.Payment == "" {
			return PaymentBooking{}, &accounts.FieldError{Subject: "returned payment", Field: "Payment", Reason: "must not be empty"}
		}
		return e.bookInTurn(ctx, r.Account, func() (PaymentBooking, error) { return e.bookReturn(ctx, &r) })
	})
}

func (e *Engine) bookReturn(ctx context.Context, r *ReturnedPayment) (PaymentBooking, error) {
	payment, err := e.findReturnedPayment(ctx, r)
	if err != nil {
		return PaymentBooking{}, err
	}
	row := ledger.Transfer{
		Amount: r.Amount, UserData128: e.paymentTag(r.Account, r.Payment), UserData64: e.returnTag(r), Code: chart.CodeReturned,
	}
	name := e.bookingName(idempotent.KindReturned, r.Account, r.Key)
	if assetIDs, _ := e.book.AssetIDs(r.Account.Ledger()); payment.CreditAccountID == assetIDs.Suspense && payment.Amount == r.Amount {
		booked, done, err := e.returnFromSuspense(ctx, r, payment, name, row)
		if done || err != nil {
			return booked, err
		}
	}
	return e.bookDebit(ctx, name, r.Account, row, func(ctx context.Context) error { return e.checkReturn(ctx, r, payment.Amount) })
}

// returnTag identifies a return. It is never 0, because filters ignore 0.
func (e *Engine) returnTag(r *ReturnedPayment) uint64 {
	return max(e.ns.Derive("return", chart.ID(e.book.PeerIDs(r.Account).Settlement), []byte(r.Key)).Hi, 1)
}

// readPaymentRows reads the rows that announce and book the payment of a key, in the order of attempts.
func (e *Engine) readPaymentRows(ctx context.Context, a accounts.PeerAccount, key string) ([]ledger.Transfer, error) {
	rows, err := idempotent.LookUpRows(ctx, e.ledger, e.paymentName(a, key).ID)
	return rows, wrap("look the payment up", err)
}

// findReturnedPayment finds the payment that came back.
func (e *Engine) findReturnedPayment(ctx context.Context, r *ReturnedPayment) (ledger.Transfer, error) {
	rows, err := e.readPaymentRows(ctx, r.Account, r.Payment)
	if err != nil {
		return ledger.Transfer{}, err
	}
	index := slices.IndexFunc(rows, func(row ledger.Transfer) bool { return row.Code == chart.CodeIncoming })
	switch {
	case index >= 0:
		return rows[index], nil
	case len(rows) > 0:
		return ledger.Transfer{}, fmt.Errorf("%w: the payment is announced, and not received; if it will not arrive, call Fail", ErrNoPayment)
	default:
		return ledger.Transfer{}, ErrNoPayment
	}
}

// checkReturn refuses a new return if more would come back than is left of the payment, or if the key belongs to
// another return.
func (e *Engine) checkReturn(ctx context.Context, r *ReturnedPayment, paid ledger.Amount) error {
	returns := ledger.AccountFilter{
		AccountID: e.book.PeerIDs(r.Account).Settlement, Code: chart.CodeReturned, Flags: ledger.AccountFilterCredits,
	}
	// A return from suspense has an id that follows from its payment: only the tag finds the key.
	returns.UserData64 = e.returnTag(r)
	switch rows, err := e.readAllRows(ctx, returns); {
	case err != nil:
		return wrap("read the return under the key", err)
	case len(rows) > 0:
		return e.keyReusedError(rows[0])
	}
	returns.UserData64, returns.UserData128 = 0, e.paymentTag(r.Account, r.Payment)
	rows, err := e.readAllRows(ctx, returns)
	if err != nil {
		return wrap("read the returns of the payment", err)
	}
	var returned ledger.Amount
	for _, row := range rows {
		returned, _ = returned.Add(row.Amount) // no overflow: a part of the account's credits
	}
	if total, fits := returned.Add(r.Amount); fits && !paid.Less(total) {
		return nil
	}
	asset, _ := e.book.Asset(r.Account.Ledger())
	return &ReturnedError{
		Account: r.Account, Asset: asset, Payment: r.Payment, Paid: paid, Returned: returned, Wanted: r.Amount,
	}
}

// returnFromSuspense takes a payment out of suspense under the ids that a release to the peer would have, so only
// one of the two can be booked. done is false if the payment was released before, or if the return was booked as
// arrears.
func (e *Engine) returnFromSuspense(
	ctx context.Context, r *ReturnedPayment, payment ledger.Transfer, name idempotent.Name, row ledger.Transfer,
) (booked PaymentBooking, done bool, err error) {
	debited, err := idempotent.Booked(ctx, e.ledger, name.ID)
	if debited || err != nil {
		return PaymentBooking{}, false, err
	}
	assetIDs, _ := e.book.AssetIDs(r.Account.Ledger())
	row.DebitAccountID, row.CreditAccountID, row.Ledger = assetIDs.Suspense, e.book.PeerIDs(r.Account).Settlement, r.Account.Ledger()
	booked, err = e.bookCredit(ctx, row, creditRequest{
		idOf:  func(attempt uint64) ledger.ID { return e.releaseID(payment.ID, attempt) },
		check: func(ctx context.Context) error { return e.checkReturn(ctx, r, payment.Amount) },
	})
	if errors.Is(err, accounts.ErrKeyReused) { // released to the peer, or taken by another return
		return PaymentBooking{}, false, nil
	}
	return booked, true, err
}
