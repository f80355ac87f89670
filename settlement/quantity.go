package settlement

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// IncomingQuantity is a payment of a peer to us in the scale of its rail, which may be finer than the scale of the
// asset, and may differ from payment to payment. The value is Amount / 10^Scale whole units of the asset.
type IncomingQuantity struct {
	Account accounts.PeerAccount
	// Key names the payment, as in [IncomingPayment]. Both kinds of payments share the keys of the account.
	Key    string
	Amount *big.Int // above 0
	Scale  uint8
}

// RecordIncomingQuantity is [Engine.RecordIncoming] for a value that need not be whole units of the asset. It books
// the whole units, and keeps the remainder below a unit exactly: as soon as remainders of the account add up to a
// unit, the payment that completes the unit books it too. The units, the remainder and the key are booked in one
// step of the ledger, so no crash loses or doubles any of them, with any number of processes.
//
// A key is bound to the value, in any scale: 250 at scale 2 repeats 25 at scale 1. The Amount of the [PaymentBooking] is what
// the first call booked, and may be 0.
//
// RecordIncomingQuantity returns the errors of RecordIncoming, and [ErrUnbookable]. [Engine.Remainder] reads the remainder.
func (e *Engine) RecordIncomingQuantity(ctx context.Context, in IncomingQuantity) (PaymentBooking, error) {
	return e.tracePayment(ctx, PaymentQuantity, in.Account, in.Key, func(ctx context.Context) (PaymentBooking, error) {
		if !e.acquireCall() {
			return PaymentBooking{}, ErrEngineClosed
		}
		defer e.wg.Done()
		booked, amount, err := e.recordQuantity(ctx, in)
		if err != nil {
			return PaymentBooking{}, e.newBookingError(in.Account, in.Key, amount, err)
		}
		e.Enqueue([]accounts.PeerAccount{in.Account})
		return booked, nil
	})
}

// recordQuantity books a value. With an error it returns the whole units of the value, as far as they are known.
func (e *Engine) recordQuantity(ctx context.Context, in IncomingQuantity) (booked PaymentBooking, whole ledger.Amount, err error) {
	if err := e.checkPeer("payment", in.Account); err != nil {
		return PaymentBooking{}, ledger.Amount{}, err
	}
	if err := accounts.CheckKey("payment", "Key", in.Key); err != nil {
		return PaymentBooking{}, ledger.Amount{}, err
	}
	asset, _ := e.book.Asset(in.Account.Ledger())
	value, err := splitValue(in.Amount, in.Scale, asset.Scale)
	if err != nil {
		return PaymentBooking{}, ledger.Amount{}, err
	}
	closed, err := e.isClosed(ctx, in.Account)
	if err != nil {
		return PaymentBooking{}, value.whole, err
	}
	booked, err = e.bookValue(ctx, in.Account, in.Key, value, closed)
	if err != nil || booked.InSuspense {
		e.openAccounts.Delete(in.Account)
	}
	return booked, value.whole, mapOverflow(err)
}

// isClosed looks up whether a peer's account is closed. Without the look-up the ledger would refuse the booking, and burn
// an id. An account that was open needs no second look-up until a booking fails or goes to suspense: accounts never
// vanish, and closing one is rare.
func (e *Engine) isClosed(ctx context.Context, a accounts.PeerAccount) (bool, error) {
	if _, open := e.openAccounts.Load(a); open {
		return false, nil
	}
	b, err := e.book.LookUpBalances(ctx, a)
	if err != nil {
		return false, err
	}
	if !b[0].Closed {
		e.openAccounts.Store(a, struct{}{})
	}
	return b[0].Closed, nil
}

// fractionDigits is the precision of remainders: they are kept in 10^-38 of a unit, because 10^38 is the largest
// power of ten that fits 128 bits.
const fractionDigits = 38

// fractionsOfUnit is the number of fractions in a unit, 10^38. Two remainders together fit 128 bits.
var fractionsOfUnit = uint128.FromBig(powerOfTen(fractionDigits))

// unitValue is a value in units of an asset: whole units, and below one unit in 10^-38 of a unit.
type unitValue struct {
	whole    ledger.Amount
	fraction uint128.Uint128 // less than fractionsOfUnit
}

// splitValue converts amount / 10^scale to an asset's units, exactly, or returns an error.
func splitValue(amount *big.Int, scale, assetScale uint8) (unitValue, error) {
	if amount == nil || amount.Sign() <= 0 {
		return unitValue{}, &accounts.FieldError{Subject: "payment", Field: "Amount", Reason: "must be above 0"}
	}
	whole, fraction, below := new(big.Int), new(big.Int), new(big.Int)
	if scale <= assetScale {
		whole.Mul(amount, powerOfTen(int(assetScale-scale)))
	} else {
		divisor := powerOfTen(int(scale - assetScale))
		whole.QuoRem(amount, divisor, fraction)
		fraction.Mul(fraction, fractionsOfUnit.Big()).QuoRem(fraction, divisor, below)
	}
	switch {
	case below.Sign() != 0:
		return unitValue{}, fmt.Errorf("%w: it has digits below 10^-%d of a unit", ErrUnbookable, fractionDigits)
	case whole.Cmp(chart.MaxByKey.Big()) >= 0: // with one more unit out of remainders it is at most MaxByKey
		return unitValue{}, fmt.Errorf("%w: it is 2^127 units or more", ErrUnbookable)
	default:
		return unitValue{ledger.Amount(uint128.FromBig(whole)), uint128.FromBig(fraction)}, nil
	}
}

func powerOfTen(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// mapOverflow marks the refusals for totals that no longer fit an account, which never get smaller.
func mapOverflow(err error) error {
	var refused *ledger.TransferError
	if errors.As(err, &refused) && isOverflow(refused.Status) {
		return fmt.Errorf("%w: %w", ErrUnbookable, err)
	}
	return err
}

func isOverflow(s ledger.CreateTransferStatus) bool {
	switch s { //nolint:exhaustive // the others are no overflows
	case ledger.TransferOverflowsDebits, ledger.TransferOverflowsCredits, ledger.TransferOverflowsDebitsPosted,
		ledger.TransferOverflowsCreditsPosted, ledger.TransferOverflowsDebitsPending, ledger.TransferOverflowsCreditsPending:
		return true
	default:
		return false
	}
}
