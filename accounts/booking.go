package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
)

// Booking is the result of a booking under a key.
type Booking struct {
	Transfer      ledger.ID     // the transfer that books it
	Amount        ledger.Amount // in units
	BookedAt      time.Time     // by the ledger's clock
	AlreadyBooked bool          // booked by an earlier call, or by a request of this call whose answer was lost
}

func newBooking(id ledger.ID, amount ledger.Amount, booking idempotent.Booking) Booking {
	return Booking{Transfer: id, Amount: amount, BookedAt: timeOf(booking.Timestamp), AlreadyBooked: booking.AlreadyBooked}
}

// bookingName returns the name from which the ids of a booking follow.
func (b *Book) bookingName(kind string, account ledger.ID, key string) idempotent.Name {
	return idempotent.Name{Namespace: b.namespace, Kind: kind, Account: account, Key: key}
}

// keyTag returns the hash of a key in user_data_128 of the key's rows.
func (b *Book) keyTag(account ledger.ID, key string) uint128.Uint128 {
	return uint128.Uint128(b.namespace.Derive("key", chart.ID(account), []byte(key)))
}

// maxKey is the length of the longest key of a booking.
const maxKey = 1023

func checkKey(subject, key string) error {
	if !validName(key, maxKey) {
		return &FieldError{Subject: subject, Field: "Key", Reason: nameRule(maxKey)}
	}
	return CheckKey(subject, "Key", key)
}

// CheckKey refuses an empty key, and a text with white space or an invisible character at either
// end: probably a mistyped key. A mistyped key is a new key, so the same payment would be booked
// twice. A key of bytes that are no UTF-8 text, a hash for example, may have any bytes.
//
// The error is a *[FieldError] with the given subject and field.
func CheckKey(subject, field, key string) error {
	if key == "" {
		return &FieldError{Subject: subject, Field: field, Reason: "must not be empty"}
	}
	first, _ := utf8.DecodeRuneInString(key)
	last, _ := utf8.DecodeLastRuneInString(key)
	if utf8.ValidString(key) && (!isVisible(first) || !isVisible(last)) {
		return &FieldError{
			Subject: subject, Field: field,
			Reason: fmt.Sprintf("%.60q must not begin or end with white space or an invisible character", key),
		}
	}
	return nil
}

func isVisible(r rune) bool { return unicode.IsPrint(r) && !unicode.IsSpace(r) }

// DescribeBooking words the booking of a row, for errors about a key used before.
func (a Asset) DescribeBooking(row ledger.Transfer) string {
	return fmt.Sprintf("%s was booked under it at %s (transfer %v)",
		a.Text(row.Amount), timeOf(row.Timestamp).Format(time.RFC3339), row.ID)
}

// explainBooking turns the error of a booking into one that an operator can act on.
func (b *Book) explainBooking(ctx context.Context, action string, account PeerAccount, wanted ledger.Amount, booking idempotent.Booking, err error) error {
	var refused *ledger.TransferError
	switch {
	case errors.Is(err, ErrNotCovered), errors.Is(err, ErrPeerClosed), errors.Is(err, ErrNotProvisioned):
		return err // err names the account
	case errors.Is(err, idempotent.ErrConflict):
		return fmt.Errorf("%s %v: %w: %s", action, account, ErrKeyReused, b.assets[account.ledger].asset.DescribeBooking(booking.OwnRow()))
	case errors.Is(err, idempotent.ErrAllBurnt):
		return fmt.Errorf("%s %v: %w", action, account, ErrKeyBurnt)
	case !errors.As(err, &refused):
		return fmt.Errorf("%s %v: %w", action, account, err)
	}
	switch refused.Status { //nolint:exhaustive // the others are explained by their names
	case ledger.TransferDebitAccountNotFound, ledger.TransferCreditAccountNotFound:
		return fmt.Errorf("%s: %w: %w", action, wrapAccount(account, ErrNotProvisioned), err)
	case ledger.TransferDebitAccountAlreadyClosed, ledger.TransferCreditAccountAlreadyClosed:
		return fmt.Errorf("%s: %w: %w", action, wrapAccount(account, ErrPeerClosed), err)
	case ledger.TransferExceedsCredits:
		cover := &CoverError{Account: account, Asset: b.assets[account.ledger].asset, Wanted: wanted}
		balances, lookErr := b.LookUpBalances(ctx, account)
		if lookErr == nil {
			cover.Has = headroomAfterArrears(&balances[0])
		}
		return errors.Join(cover, lookErr)
	default:
		return fmt.Errorf("%s %v: %w", action, account, err)
	}
}
