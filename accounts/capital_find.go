package accounts

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/internal/idempotent"
)

// FindFunding looks up what [Book.Fund] has booked under a key, in one request. found is false if nothing is booked. AlreadyBooked
// of the booking is set, and BookedAt is the time of its Transfer. The errors match [ErrUnknownAsset] or [ErrInvalid] (the key), or are of the request.
func (b *Book) FindFunding(ctx context.Context, asset Asset, key string) (booking Booking, found bool, err error) {
	return b.findCapital(ctx, "fund", asset, key)
}

// FindWithdrawal is [Book.FindFunding] for [Book.Withdraw].
func (b *Book) FindWithdrawal(ctx context.Context, asset Asset, key string) (booking Booking, found bool, err error) {
	return b.findCapital(ctx, "withdrawn", asset, key)
}

// findCapital reads the rows that move capital, by the kind of their ids.
func (b *Book) findCapital(ctx context.Context, kind string, asset Asset, key string) (Booking, bool, error) {
	if _, err := b.OwnAccount(asset); err != nil {
		return Booking{}, false, err
	}
	if err := checkKey("capital", key); err != nil {
		return Booking{}, false, err
	}
	name := b.bookingName(kind, b.assets[asset.Ledger].ids.Liquidity, key)
	rows, err := idempotent.LookUpRows(ctx, b.ledger, name.ID)
	if err != nil {
		return Booking{}, false, fmt.Errorf("find capital: %w", err)
	}
	if len(rows) == 0 {
		return Booking{}, false, nil
	}
	return Booking{Transfer: rows[0].ID, Amount: rows[0].Amount, BookedAt: timeOf(rows[0].Timestamp), AlreadyBooked: true}, true, nil
}
