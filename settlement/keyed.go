package settlement

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/keyed"
	"github.com/peerledger/peerledger/ledger"
)

// Receipt is a booked payment.
type Receipt struct {
	Transfer ledger.ID     // the transfer that books it
	Amount   ledger.Amount // units
	Booked   time.Time     // the ledger's time
	// Already says that the key was booked before, or by this very call when
	// the ledger's first answer got lost.
	Already bool
	// Suspense says that the peer's account was closed, and that the money is
	// kept in our suspense account.
	Suspense bool
}

// keyedPayment is a payment that is booked once for its key (internal/keyed).
type keyedPayment struct {
	kind string // of the id
	key  string
	row  ledger.Transfer // without the id
	// suspense takes the credit if the peer's account is closed; zero: nobody.
	suspense ledger.ID
}

// outgoing reports whether the payment is taken from the peer's account.
func (p keyedPayment) outgoing() bool { return p.suspense.IsZero() }

// bookOnce books a payment, or finds that it is booked.
func (e *Engine) bookOnce(ctx context.Context, account accounts.Account, p keyedPayment) (Receipt, error) {
	row := p.row
	row.UserData128 = uint128.Uint128(e.ns.Derive("key", chart.ID(e.book.PeerIDs(account).Settlement), []byte(p.key)))
	row.Ledger = account.Ledger()
	build := func(attempt uint64) []ledger.Transfer {
		row.ID = e.paymentID(account, p, attempt)
		return []ledger.Transfer{row}
	}
	booking, err := keyed.Book(ctx, e.ledger, build)
	if creditClosed(err) && !p.outgoing() {
		row.CreditAccountID = p.suspense
		booking, err = keyed.Book(ctx, e.ledger, build)
	}
	var refused *ledger.TransferError
	switch {
	case errors.Is(err, keyed.ErrConflict):
		return e.bookedBefore(ctx, p, row)
	case errors.As(err, &refused):
		return Receipt{}, refusal(refused)
	case err != nil:
		return Receipt{}, err
	}
	row.Timestamp = booking.Timestamp
	if booking.Already {
		row = booking.Rows[0] // its other account may be another one than is asked for now
	}
	return p.receipt(&row, booking.Already), nil
}

// creditClosed reports whether the ledger refused a transfer because the account that it
// credits is closed.
func creditClosed(err error) bool {
	var refused *ledger.TransferError
	return errors.As(err, &refused) && refused.Status == ledger.TransferCreditAccountAlreadyClosed
}

func (e *Engine) paymentID(account accounts.Account, p keyedPayment, attempt uint64) ledger.ID {
	settlement := chart.ID(e.book.PeerIDs(account).Settlement)
	return e.ns.Derive(p.kind, settlement, []byte(p.key), chart.U64(attempt))
}

// mayBook refuses what the ledger would refuse, without asking for it: each refusal
// by the ledger burns an id, and every later call with the key would have to walk
// over it. What the ledger decides, it still decides by itself.
func (e *Engine) mayBook(ctx context.Context, account accounts.Account, p keyedPayment) error {
	b, err := e.book.Balance(ctx, account)
	switch {
	case err != nil:
		return err
	case p.outgoing() && b.Closed:
		err = ErrAccountClosed
	case p.outgoing() && b.Headroom.Less(p.row.Amount):
		err = fmt.Errorf("%w: it has %v", ErrNotCovered, b.Headroom)
	default:
		return nil
	}
	booked, lookErr := keyed.Booked(ctx, e.ledger, func(attempt uint64) ledger.ID { return e.paymentID(account, p, attempt) })
	if booked || lookErr != nil {
		return lookErr
	}
	return err
}

// bookedBefore looks at what is booked under the id: the same payment, perhaps
// into suspense, or another one.
func (e *Engine) bookedBefore(ctx context.Context, p keyedPayment, row ledger.Transfer) (Receipt, error) {
	rows, err := e.ledger.LookupTransfers(ctx, []ledger.ID{row.ID})
	if err != nil {
		return Receipt{}, wrap("look up what is booked", err)
	}
	if len(rows) != 1 || rows[0].Amount != row.Amount {
		return Receipt{}, ErrKeyReused
	}
	return p.receipt(&rows[0], true), nil
}

// receipt is that of the row that books the payment.
func (p keyedPayment) receipt(row *ledger.Transfer, already bool) Receipt {
	return Receipt{
		Transfer: row.ID, Amount: row.Amount, Booked: timeOf(row.Timestamp),
		Already: already, Suspense: row.CreditAccountID == p.suspense,
	}
}

// refusal names what the ledger's refusal of a payment means.
func refusal(err *ledger.TransferError) error {
	switch err.Status { //nolint:exhaustive // the others have no name of their own
	case ledger.TransferDebitAccountNotFound, ledger.TransferCreditAccountNotFound:
		return fmt.Errorf("%w: %w", accounts.ErrNotProvisioned, err)
	case ledger.TransferDebitAccountAlreadyClosed, ledger.TransferCreditAccountAlreadyClosed:
		return fmt.Errorf("%w: %w", ErrAccountClosed, err)
	case ledger.TransferExceedsCredits:
		return fmt.Errorf("%w: %w", ErrNotCovered, err)
	default:
		return err
	}
}

// checkKeyed refuses what cannot be booked, before anything is sent.
func (e *Engine) checkKeyed(account accounts.Account, key string, amount ledger.Amount) error {
	_, known := e.book.Asset(account.Ledger())
	switch {
	case account.IsZero() || account.Own():
		return &accounts.FieldError{Subject: "payment", Field: "Account", Reason: "must be a peer's"}
	case !known:
		return fmt.Errorf("%w: %v", accounts.ErrUnknownAsset, account)
	case key == "":
		return &accounts.FieldError{Subject: "payment", Field: "Key", Reason: "must not be empty"}
	case amount.IsZero():
		return &accounts.FieldError{Subject: "payment", Field: "Amount", Reason: "must not be 0"}
	default:
		return nil
	}
}
