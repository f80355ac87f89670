package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
)

// Capital is money that the owner puts into the connector or takes out.
type Capital struct {
	Asset Asset // an asset of the Book
	// Key names the movement: 1 to 1023 bytes, without white space at either end. Repeat a
	// movement under the same key, and take a new key for every further movement of the asset.
	// [Book.Fund] and [Book.Withdraw] have separate keys.
	Key    string
	Amount ledger.Amount // units, not 0
	// ReasonCode is a number of the caller's, kept with the movement ([Entry.ReasonCode]). Default 0:
	// no reason.
	ReasonCode uint32
}

// Fund books capital put in: our liquidity in the asset rises. It books once and for ever for its
// key, however often and from wherever the call is repeated.
//
// Errors: [ErrInvalid], naming the field; [ErrUnknownAsset]; [ErrNotProvisioned] if the ledger
// has no accounts of the asset; [ErrKeyReused] if a different amount or reason was booked under
// the key; [ErrKeyBurnt]; or the error of a request. After [ledger.ErrOutcomeUnknown] call again.
func (b *Book) Fund(ctx context.Context, c Capital) (Booking, error) {
	own, err := b.checkCapital("funding", &c)
	if err != nil {
		return Booking{}, err
	}
	ids := b.assets[c.Asset.Ledger].ids
	name := b.bookingName("fund", ids.Liquidity, c.Key)
	booking, err := idempotent.Book(ctx, b.ledger, func(attempt uint64) []ledger.Transfer {
		row := b.capitalTransfer(name.ID(attempt), &c)
		row.DebitAccountID, row.CreditAccountID = ids.Outside, ids.Liquidity
		return []ledger.Transfer{row}
	})
	if err != nil {
		return Booking{}, b.explainBooking(ctx, "fund", own, c.Amount, booking, err)
	}
	return newBooking(name.ID(booking.Attempt), c.Amount, booking), nil
}

// Withdraw books capital taken out, under the rules of [Book.Fund]. If our free liquidity in the
// asset does not cover the amount, nothing is booked, and a *[CoverError] ([ErrNotCovered]) has
// the free amount.
func (b *Book) Withdraw(ctx context.Context, c Capital) (Booking, error) {
	own, err := b.checkCapital("withdrawal", &c)
	if err != nil {
		return Booking{}, err
	}
	ids := b.assets[c.Asset.Ledger].ids
	name, posts := b.bookingName("withdraw", ids.Liquidity, c.Key), b.bookingName("withdrawn", ids.Liquidity, c.Key)
	// The liquidity account has no limit: packets may take it below 0. So the hold takes at most
	// the free amount, and the post demands the whole amount. If the hold is smaller, the ledger
	// refuses the post and with it the chain.
	booking, err := idempotent.Book(ctx, b.ledger, func(attempt uint64) []ledger.Transfer {
		hold := b.capitalTransfer(name.ID(attempt), &c)
		hold.DebitAccountID, hold.CreditAccountID = ids.Liquidity, ids.Outside
		hold.Flags = ledger.TransferPending | ledger.TransferBalancingDebit
		post := ledger.Transfer{
			ID: posts.ID(attempt), PendingID: hold.ID, Amount: c.Amount, Flags: ledger.TransferPostPending,
		}
		return []ledger.Transfer{hold, post}
	})
	var refused *ledger.TransferError
	switch {
	case err == nil:
		return newBooking(posts.ID(booking.Attempt), c.Amount, booking), nil
	case errors.As(err, &refused) && refused.Status == ledger.TransferExceedsPendingTransferAmount:
		return Booking{}, b.notCoveredError(ctx, own, c.Amount)
	default:
		return Booking{}, b.explainBooking(ctx, "withdraw from", own, c.Amount, booking, err)
	}
}

func (b *Book) notCoveredError(ctx context.Context, own PeerAccount, wanted ledger.Amount) error {
	positions, err := b.OwnPositions(ctx)
	if err != nil {
		return errors.Join(ErrNotCovered, err)
	}
	for _, p := range positions {
		if p.Asset.Ledger == own.ledger {
			return &CoverError{Account: own, Asset: p.Asset, Has: p.Free, Wanted: wanted}
		}
	}
	return ErrNotCovered
}

// capitalTransfer returns the common fields of the rows of Fund and Withdraw.
func (b *Book) capitalTransfer(id ledger.ID, c *Capital) ledger.Transfer {
	return ledger.Transfer{
		ID: id, Amount: c.Amount, UserData128: b.keyTag(b.assets[c.Asset.Ledger].ids.Liquidity, c.Key),
		UserData32: c.ReasonCode, Ledger: c.Asset.Ledger, Code: chart.CodeFund,
	}
}

func (b *Book) checkCapital(kind string, c *Capital) (own PeerAccount, err error) {
	subject := fmt.Sprintf("%s of %v", kind, c.Asset)
	if own, err = b.OwnAccount(c.Asset); err != nil {
		return PeerAccount{}, err
	}
	if c.Amount.IsZero() {
		return PeerAccount{}, &FieldError{Subject: subject, Field: "Amount", Reason: "must not be 0"}
	}
	return own, checkKey(subject, c.Key)
}
