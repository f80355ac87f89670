package settlement

import (
	"context"
	"errors"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// Voucher is a peer's promise on a payment channel of everything that the peer has paid through the channel. A
// newer voucher replaces the older ones.
type Voucher struct {
	Account accounts.PeerAccount
	// Channel names the channel, and is not empty. A new name has no white space around it
	// ([accounts.CheckKey]). Channels of different accounts are separate.
	Channel    string
	Cumulative ledger.Amount // units: the sum of all vouchers of the channel
}

// VoucherBooking is a booked voucher.
type VoucherBooking struct {
	// Booking.Amount is the voucher's increase over the previous one, in units.
	accounts.Booking
	Number     uint32        // position among the channel's booked vouchers, from 1
	Cumulative ledger.Amount // units, of all vouchers of the channel together
	InSuspense bool          // the peer's account was closed: the money is in our suspense account
}

// RecordVoucher books the increase of a voucher over the channel's highest booked voucher. The increase pays down the
// peer's debt, as [Engine.RecordIncoming] does, though the money is only claimed until the voucher is redeemed
// ([Engine.RecordRedemption], [Engine.Exposure]). The caller has checked the voucher, above all its signature, and
// that the channel covers it.
//
// RecordVoucher may be called any number of times, from any number of processes at once, and in any order: the
// calls together book the highest voucher, once. The errors are *[BookingError]: [ErrVoucherLower] if a higher
// voucher is booked, [ErrChannelFull], and the errors of RecordIncoming except [accounts.ErrKeyReused].
// [ErrEngineClosed] is returned after [Engine.Close].
func (e *Engine) RecordVoucher(ctx context.Context, v Voucher) (VoucherBooking, error) {
	return e.traceVoucher(ctx, PaymentVoucher, v, func(ctx context.Context, closed bool) (VoucherBooking, error) {
		return e.bookNextRow(ctx, v, chart.CodeVoucher, closed)
	})
}

// RecordRedemption marks a voucher as final: the voucher was redeemed, or the channel was closed with it. A voucher
// that is not booked yet is booked as well. RecordRedemption may be repeated; AlreadyBooked is true if the mark was
// there before. RecordRedemption returns the errors of [Engine.RecordVoucher], and [ErrVoucherLower] if more was
// redeemed before.
func (e *Engine) RecordRedemption(ctx context.Context, v Voucher) (VoucherBooking, error) {
	return e.traceVoucher(ctx, PaymentRedemption, v, func(ctx context.Context, closed bool) (VoucherBooking, error) {
		_, err := e.bookNextRow(ctx, v, chart.CodeVoucher, closed)
		if err != nil && !errors.Is(err, ErrVoucherLower) {
			return VoucherBooking{}, err
		}
		return e.bookNextRow(ctx, v, chart.CodeFinal, closed)
	})
}

// traceVoucher is bookVoucher between the start and the end of the tracer.
func (e *Engine) traceVoucher(
	ctx context.Context, kind PaymentKind, v Voucher, book func(ctx context.Context, closed bool) (VoucherBooking, error),
) (booked VoucherBooking, err error) {
	_, err = e.tracePayment(ctx, kind, v.Account, v.Channel, func(ctx context.Context) (PaymentBooking, error) {
		booked, err = e.bookVoucher(ctx, v, func(closed bool) (VoucherBooking, error) { return book(ctx, closed) })
		return PaymentBooking{Booking: booked.Booking, InSuspense: booked.InSuspense}, err
	})
	return booked, err
}

// bookVoucher checks a voucher, books it, and wraps the error. book gets whether the peer is closed.
func (e *Engine) bookVoucher(
	ctx context.Context, v Voucher, book func(closed bool) (VoucherBooking, error),
) (VoucherBooking, error) {
	if !e.acquireCall() {
		return VoucherBooking{}, ErrEngineClosed
	}
	defer e.wg.Done()
	booked, err := func() (VoucherBooking, error) {
		if err := e.checkVoucher(v); err != nil {
			return VoucherBooking{}, err
		}
		b, err := e.book.LookUpBalances(ctx, v.Account)
		if err != nil {
			return VoucherBooking{}, err // without this look-up the ledger would refuse, and burn an id
		}
		return book(b[0].Closed)
	}()
	if err != nil {
		return VoucherBooking{}, e.newBookingError(v.Account, v.Channel, v.Cumulative, err)
	}
	e.Enqueue([]accounts.PeerAccount{v.Account})
	return booked, nil
}

func (e *Engine) checkVoucher(v Voucher) error {
	if err := e.checkPeer("voucher", v.Account); err != nil {
		return err
	}
	switch {
	case v.Channel == "":
		return &accounts.FieldError{Subject: "voucher", Field: "Channel", Reason: "must not be empty"}
	case v.Cumulative.IsZero():
		return &accounts.FieldError{Subject: "voucher", Field: "Cumulative", Reason: "must not be 0"}
	case v.Cumulative == ledger.AmountMax:
		return &accounts.FieldError{Subject: "voucher", Field: "Cumulative", Reason: "must not be ledger.AmountMax"}
	default:
		return nil
	}
}

// bookNextRow writes the next row of a channel: an increase ([chart.CodeVoucher]) or a redemption mark
// ([chart.CodeFinal]). A row has its number and the channel's sum, and its id follows from the number: of several
// writers of a number one succeeds, and the others read the newest row again. So no row comes between the newest
// row, from which the increase is computed, and the next.
func (e *Engine) bookNextRow(ctx context.Context, v Voucher, code uint16, closed bool) (VoucherBooking, error) {
	for {
		newest, err := e.readNewestRow(ctx, v.Account, channelTag(e.ns, v.Channel), code)
		if err != nil {
			return VoucherBooking{}, wrap("read the channel's newest row", err)
		}
		switch v.Cumulative.Compare(newest.Cumulative) {
		case 0:
			newest.AlreadyBooked = true
			return newest, nil
		case -1:
			asset, _ := e.book.Asset(v.Account.Ledger())
			return VoucherBooking{}, fmt.Errorf("%w: %s", ErrVoucherLower, asset.Text(newest.Cumulative))
		}
		if newest.Number == 0 && code == chart.CodeVoucher {
			if err := accounts.CheckKey("voucher", "Channel", v.Channel); err != nil {
				return VoucherBooking{}, err // earlier versions took any name: such channels go on
			}
		}
		if newest.Number+1 == 0 {
			return VoucherBooking{}, ErrChannelFull
		}
		booked, err := e.bookRowAfter(ctx, v, code, newest, closed)
		if !errors.Is(err, accounts.ErrKeyReused) {
			return booked, err
		}
	}
}

// bookRowAfter writes the row after newest. It returns [accounts.ErrKeyReused] if another writer took the number.
func (e *Engine) bookRowAfter(ctx context.Context, v Voucher, code uint16, newest VoucherBooking, closed bool) (VoucherBooking, error) {
	ids := e.book.PeerIDs(v.Account)
	assetIDs, _ := e.book.AssetIDs(v.Account.Ledger())
	number := newest.Number + 1
	row := ledger.Transfer{
		DebitAccountID: ids.Settlement, CreditAccountID: assetIDs.Control,
		UserData128: uint128.Uint128(v.Cumulative), UserData64: channelTag(e.ns, v.Channel), UserData32: number,
		Ledger: v.Account.Ledger(), Code: code,
	}
	if code == chart.CodeVoucher {
		row.CreditAccountID, row.Amount = ids.Peer, v.Cumulative.SubFloor(newest.Cumulative)
	}
	var suspense ledger.ID
	if code == chart.CodeVoucher {
		suspense = assetIDs.Suspense
	}
	booked, err := e.bookCredit(ctx, row, creditRequest{suspenseID: suspense, peerClosed: closed, idOf: func(attempt uint64) ledger.ID {
		return e.ns.Derive("voucher", chart.U32(uint32(code)), chart.ID(ids.Settlement),
			[]byte(v.Channel), chart.U32(number), chart.U64(attempt))
	}})
	if err != nil {
		return VoucherBooking{}, err
	}
	return VoucherBooking{Booking: booked.Booking, Number: number, Cumulative: v.Cumulative, InSuspense: booked.InSuspense}, nil
}

// readNewestRow reads a channel's newest row of a code; the zero VoucherBooking if there is none.
func (e *Engine) readNewestRow(ctx context.Context, a accounts.PeerAccount, channel uint64, code uint16) (VoucherBooking, error) {
	row, found, err := sequence.Newest(ctx, e.ledger, ledger.AccountFilter{
		AccountID: e.book.PeerIDs(a).Settlement, Code: code, UserData64: channel,
		Flags: ledger.AccountFilterDebits,
	})
	if err != nil || !found {
		return VoucherBooking{}, err
	}
	booked := newVoucherBooking(&row)
	assetIDs, _ := e.book.AssetIDs(a.Ledger())
	booked.InSuspense = row.CreditAccountID == assetIDs.Suspense
	return booked, nil
}

func newVoucherBooking(row *ledger.Transfer) VoucherBooking {
	return VoucherBooking{
		Booking: accounts.Booking{Transfer: row.ID, Amount: row.Amount, BookedAt: timeOf(row.Timestamp)},
		Number:  row.UserData32, Cumulative: ledger.Amount(row.UserData128),
	}
}

// channelTag marks the rows of a channel with 64 bits of a hash: two channels of an account would collide only
// among billions. It is never 0, because filters ignore 0.
func channelTag(ns chart.Namespace, channel string) uint64 {
	return max(ns.Derive("channel", []byte(channel)).Hi, 1)
}
