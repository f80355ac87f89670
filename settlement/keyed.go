package settlement

import (
	"context"
	"fmt"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
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

// keyed is a payment that is booked once for its key, for ever.
//
// Its transfer has an id derived from the key and the number of the attempt. The
// next attempt is made only when the id of this one is burnt, so at most one is
// ever in the ledger. Everything in it follows from the call, so the same call
// again finds it.
type keyed struct {
	kind string // of the id
	key  string
	row  ledger.Transfer // without the id
	// suspense takes the credit if the peer's account is closed; zero: nobody.
	suspense ledger.ID
}

// outgoing reports whether the payment is taken from the peer's account.
func (k keyed) outgoing() bool { return k.suspense.IsZero() }

// bookOnce books a keyed payment, or finds that it is booked.
func (e *Engine) bookOnce(ctx context.Context, account accounts.Account, k keyed) (Receipt, error) {
	row := k.row
	row.UserData128 = uint128.Uint128(e.ns.Derive("key", chart.ID(e.book.PeerIDs(account).Settlement), []byte(k.key)))
	row.Ledger = account.Ledger()
	for attempt := uint64(0); ; attempt++ {
		row.ID = e.keyedID(account, k, attempt)
		results, err := e.ledger.CreateTransfers(ctx, []ledger.Transfer{row})
		if err != nil {
			return Receipt{}, err
		}
		status := results[0].Status
		switch {
		case status.Outcome().Done():
			row.Timestamp = results[0].Timestamp
			return k.receipt(&row, status == ledger.TransferExists), nil
		case status.Conflict():
			return e.bookedBefore(ctx, k, row)
		case status == ledger.TransferIDAlreadyFailed:
		case status == ledger.TransferCreditAccountAlreadyClosed && !k.outgoing() && row.CreditAccountID != k.suspense:
			row.CreditAccountID = k.suspense
		default:
			return Receipt{}, refusal(&ledger.TransferError{ID: row.ID, Status: status})
		}
	}
}

func (e *Engine) keyedID(account accounts.Account, k keyed, attempt uint64) ledger.ID {
	settlement := chart.ID(e.book.PeerIDs(account).Settlement)
	return e.ns.Derive(k.kind, settlement, []byte(k.key), chart.U64(attempt))
}

// mayBook refuses what the ledger would refuse, without asking for it: each refusal
// by the ledger burns an id, and every later call with the key would have to walk
// over it. What the ledger decides, it still decides by itself.
func (e *Engine) mayBook(ctx context.Context, account accounts.Account, k keyed) error {
	b, err := e.book.Balance(ctx, account)
	switch {
	case err != nil:
		return err
	case k.outgoing() && b.Closed:
		err = ErrAccountClosed
	case k.outgoing() && b.Headroom.Less(k.row.Amount):
		err = fmt.Errorf("%w: it has %v", ErrNotCovered, b.Headroom)
	default:
		return nil
	}
	booked, lookErr := e.isBooked(ctx, account, k)
	if booked || lookErr != nil {
		return lookErr
	}
	return err
}

// isBooked reports whether one of the key's first attempts is in the ledger. There
// are more only if as many were refused in races.
func (e *Engine) isBooked(ctx context.Context, account accounts.Account, k keyed) (bool, error) {
	const attempts = 16
	ids := make([]ledger.ID, attempts)
	for i := range ids {
		ids[i] = e.keyedID(account, k, uint64(i))
	}
	rows, err := e.ledger.LookupTransfers(ctx, ids)
	return len(rows) > 0, wrap("look up what is booked", err)
}

// bookedBefore looks at what is booked under the id: the same payment, perhaps
// into suspense, or another one.
func (e *Engine) bookedBefore(ctx context.Context, k keyed, row ledger.Transfer) (Receipt, error) {
	rows, err := e.ledger.LookupTransfers(ctx, []ledger.ID{row.ID})
	if err != nil {
		return Receipt{}, wrap("look up what is booked", err)
	}
	if len(rows) != 1 || rows[0].Amount != row.Amount {
		return Receipt{}, ErrKeyReused
	}
	return k.receipt(&rows[0], true), nil
}

// receipt is that of the row that books the payment.
func (k keyed) receipt(row *ledger.Transfer, already bool) Receipt {
	return Receipt{
		Transfer: row.ID, Amount: row.Amount, Booked: timeOf(row.Timestamp),
		Already: already, Suspense: row.CreditAccountID == k.suspense,
	}
}

// refusal names what the ledger's refusal of a keyed payment means.
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
