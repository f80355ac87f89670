package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
)

// WriteOff gives up arrears of a peer: see [Book.WriteOff].
type WriteOff struct {
	Account PeerAccount // of a peer
	// Key names the write-off: 1 to 1023 bytes, without white space at either end. Repeat a
	// write-off under the same key, and take a new key for every further write-off of the
	// account. [Book.Adjust] and [Book.WriteOff] have separate keys.
	Key        string
	Amount     ledger.Amount // the most to give up, in units, not 0; [ledger.AmountMax] for all
	ReasonCode uint32        // a number of the caller's, kept with the write-off; not 0
}

// WriteOff gives up arrears that a peer's account cannot pay, once and for ever for its key. The
// peer's account first pays as much as it can. Of the rest, the Amount is given up, or the whole
// rest if it is less: [Booking.Amount] has the sum. Our suspense account bears it. Arrears of a
// suspended or closed peer can be written off, too.
//
// Errors: [ErrInvalid], naming the field; [ErrNoArrears] if the peer's account can pay all of its
// arrears; [ErrKeyReused] if a different write-off was booked under the key; [ErrKeyBurnt];
// [ErrNotProvisioned]; [ErrUnknownAsset]; or the error of a request. After
// [ledger.ErrOutcomeUnknown] call again.
//
// If the arrears are collected during the call, an amount of 0 is booked. The error is then
// [ErrNoArrears], also for every repetition, and only a new key writes off later arrears.
func (b *Book) WriteOff(ctx context.Context, w WriteOff) (Booking, error) {
	if err := b.checkWriteOff(&w); err != nil {
		return Booking{}, err
	}
	ids := b.PeerIDs(w.Account)
	name := b.bookingName(idempotent.KindWriteOff, ids.Arrears, w.Key)
	request := name.WriteOff(ledger.Transfer{
		DebitAccountID: b.assets[w.Account.ledger].ids.Suspense, CreditAccountID: ids.Arrears, Amount: w.Amount,
		UserData128: b.keyTag(ids.Arrears, w.Key), UserData32: w.ReasonCode,
		Ledger: w.Account.ledger, Code: chart.CodeAdjust, Flags: ledger.TransferBalancingCredit,
	}, chart.Collect(ids.Peer, ids.Arrears, w.Account.ledger))
	request.Precheck = func(ctx context.Context) error { return b.checkUnpayable(ctx, w.Account) }
	booking, err := request.Book(ctx, b.ledger)
	if err != nil {
		return Booking{}, b.explainBooking(ctx, "write off the arrears of", w.Account, w.Amount, booking, err)
	}
	return b.readWrittenOff(ctx, &w, name.ID(booking.Attempt), booking)
}

func (b *Book) checkWriteOff(w *WriteOff) error {
	subject := "write-off of " + w.Account.String()
	switch {
	case w.Amount.IsZero():
		return &FieldError{Subject: subject, Field: "Amount", Reason: "must not be 0"}
	case w.ReasonCode == 0:
		return &FieldError{Subject: subject, Field: "ReasonCode", Reason: "must not be 0"}
	}
	if err := b.checkPeer(w.Account); err != nil {
		return err
	}
	return checkKey(subject, w.Key)
}

// checkUnpayable refuses to write off arrears that the peer account can pay. A peer with arrears
// has an arrears account, so none is created.
func (b *Book) checkUnpayable(ctx context.Context, account PeerAccount) error {
	balances, err := b.LookUpBalances(ctx, account)
	if err != nil {
		return err
	}
	pays := balances[0].Headroom
	if balances[0].Closed {
		pays = ledger.Amount{}
	}
	if balances[0].Arrears.SubFloor(pays).IsZero() {
		return ErrNoArrears
	}
	return nil
}

// readWrittenOff reads the sum written off, as decided by the ledger.
func (b *Book) readWrittenOff(ctx context.Context, w *WriteOff, id ledger.ID, booking idempotent.Booking) (Booking, error) {
	rows, err := b.ledger.LookupTransfers(ctx, []ledger.ID{id})
	if err == nil && len(rows) != 1 {
		err = errors.New("the ledger does not have the transfer")
	}
	switch {
	case err != nil:
		return Booking{}, fmt.Errorf("arrears of %v were written off: look up how much: %w", w.Account, err)
	case rows[0].Amount.IsZero():
		return Booking{}, wrapAccount(w.Account, ErrNoArrears)
	}
	booking.Timestamp = rows[0].Timestamp
	return newBooking(id, rows[0].Amount, booking), nil
}
