package accounts

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
)

// Adjustment is a correction booked by an operator, for example after comparing the books with a
// peer.
type Adjustment struct {
	// Account is a peer's, or our own ([Book.OwnAccount]). An adjustment of our own account moves
	// between our liquidity and suspense, for example to write off a remainder in suspense.
	Account PeerAccount
	// Key names the adjustment: 1 to 1023 bytes, without white space at either end. Repeat an
	// adjustment under the same key, and take a new key for every further adjustment of the
	// account.
	Key string
	// Credit is how much more we owe the peer, in units, or how much less the peer owes us; Debit
	// is the opposite. Exactly one of the two is 0. For our own account Credit raises our
	// position. The opposite side is the asset's suspense account. At most 2^127.
	Credit, Debit ledger.Amount
	// ReasonCode is a number of the caller's, kept with the adjustment. It must not be 0.
	ReasonCode uint32
	// ConditionTag is the first 8 bytes of the corrected packet's execution condition, as in
	// [Entry.ConditionTag]: [Compare] counts the adjustment and the packet together. Default 0:
	// no packet.
	ConditionTag [8]byte
	// BeyondHeadroom books a Debit in full, also if the peer is closed or if its headroom, less
	// its arrears, does not cover the Debit. The part that the account cannot pay becomes
	// arrears. By default both cases are refused.
	BeyondHeadroom bool
}

// Adjust books a correction with a reason code, once and for ever for its key: a call may be
// repeated any number of times, from any process. A suspended peer can be adjusted.
//
// A Debit counts as sent. A Credit counts as paid in: it pays down the peer's debt, and the rest
// is prepaid. A Debit also collects arrears, as far as the peer's account can pay.
//
// Errors:
//   - [ErrInvalid], naming the field;
//   - *[CoverError] ([ErrNotCovered]) if the peer's headroom, less its arrears, does not cover a Debit without BeyondHeadroom;
//     what recorders have reserved ([Book.Reservations]) is no headroom until they release it, as they do after [Book.SuspendPeer];
//   - [ErrPeerClosed] if the peer is closed, except for a Debit with BeyondHeadroom;
//   - [ErrKeyReused] if a different adjustment was booked under the key; [ErrKeyBurnt];
//   - [ErrNotProvisioned], [ErrUnknownAsset];
//   - *[DriftError] if the ledger's arrears account has unexpected fields;
//   - the error of a request: after [ledger.ErrOutcomeUnknown] call again.
//
// Except for the error of a request, nothing was booked and the key is still free.
func (b *Book) Adjust(ctx context.Context, a Adjustment) (Booking, error) {
	if err := b.checkAdjustment(&a); err != nil {
		return Booking{}, err
	}
	row := b.adjustTransfer(a.Account, a.Debit, a.Credit)
	row.UserData128 = b.keyTag(a.Account.id, a.Key)
	row.UserData64, row.UserData32 = binary.BigEndian.Uint64(a.ConditionTag[:]), a.ReasonCode
	name := b.bookingName(idempotent.KindAdjustment, a.Account.id, a.Key)
	request := b.newAdjustRequest(&a, name, row)
	request.Precheck = func(ctx context.Context) error { return b.checkCoverage(ctx, &a) }
	booking, err := request.Book(ctx, b.ledger)
	if err != nil {
		return Booking{}, b.explainBooking(ctx, "adjust", a.Account, a.Debit, booking, err)
	}
	return newBooking(name.ID(booking.Attempt), row.Amount, booking), nil
}

// newAdjustRequest builds the request of an adjustment: a single row, or for a peer's debit a row
// with a collection behind it.
func (b *Book) newAdjustRequest(a *Adjustment, name idempotent.Name, row ledger.Transfer) idempotent.Request {
	if a.Account.IsOwn() || a.Debit.IsZero() {
		return idempotent.Request{Build: func(attempt uint64) []ledger.Transfer {
			row.ID = name.ID(attempt)
			return []ledger.Transfer{row}
		}}
	}
	ids := b.PeerIDs(a.Account)
	if a.BeyondHeadroom {
		row.DebitAccountID = ids.Arrears
	}
	return name.Debit(row, chart.Collect(ids.Peer, ids.Arrears, a.Account.ledger))
}

// adjustTransfer moves debit from an account to suspense, or credit from suspense to the account.
func (b *Book) adjustTransfer(account PeerAccount, debit, credit ledger.Amount) ledger.Transfer {
	suspense := b.assets[account.ledger].ids.Suspense
	row := ledger.Transfer{
		DebitAccountID: account.id, CreditAccountID: suspense, Amount: debit,
		Ledger: account.ledger, Code: chart.CodeAdjust,
	}
	if debit.IsZero() {
		row.DebitAccountID, row.CreditAccountID, row.Amount = suspense, account.id, credit
	}
	return row
}

func (b *Book) checkAdjustment(a *Adjustment) error {
	subject := "adjustment of " + a.Account.String()
	switch {
	case a.Account.IsZero():
		return &FieldError{Subject: subject, Field: "Account", Reason: "is missing"}
	case b.assets[a.Account.ledger].asset.Ledger == 0:
		return wrapAccount(a.Account, ErrUnknownAsset)
	case a.Credit.IsZero() == a.Debit.IsZero():
		return &FieldError{Subject: subject, Field: "Credit", Reason: "and Debit: exactly one of them must not be 0"}
	case chart.MaxByKey.Less(a.Credit):
		return &FieldError{Subject: subject, Field: "Credit", Reason: b.maxByKeyRule(a.Account)}
	case chart.MaxByKey.Less(a.Debit):
		return &FieldError{Subject: subject, Field: "Debit", Reason: b.maxByKeyRule(a.Account)}
	case a.ReasonCode == 0:
		return &FieldError{Subject: subject, Field: "ReasonCode", Reason: "must not be 0"}
	default:
		return checkKey(subject, a.Key)
	}
}

// maxByKeyRule words the rule for the largest amount of a booking.
func (b *Book) maxByKeyRule(account PeerAccount) string {
	return fmt.Sprintf("must not be beyond 2^127 units, %s", b.assets[account.ledger].asset.Text(chart.MaxByKey))
}

// checkCoverage refuses an adjustment before the ledger would, so that no id is burnt. The
// ledger's own checks still decide. It creates the arrears account if the adjustment needs one.
func (b *Book) checkCoverage(ctx context.Context, a *Adjustment) error {
	if a.Account.IsOwn() {
		return nil
	}
	balances, err := b.LookUpBalances(ctx, a.Account)
	if err != nil {
		return err
	}
	balance := &balances[0]
	switch {
	case balance.Closed && !a.BeyondHeadroom, balance.Closed && a.Debit.IsZero():
		return wrapAccount(a.Account, ErrPeerClosed)
	case headroomAfterArrears(balance).Less(a.Debit) && !a.BeyondHeadroom:
		return &CoverError{Account: a.Account, Asset: balance.Asset, Has: headroomAfterArrears(balance), Wanted: a.Debit}
	case a.Debit.IsZero(), balance.HasArrearsAccount():
		return nil
	default:
		return b.EnsureArrears(ctx, a.Account)
	}
}

// headroomAfterArrears returns the headroom of an account less its arrears: arrears are collected from
// the headroom first.
func headroomAfterArrears(b *Balance) ledger.Amount { return b.Headroom.SubFloor(b.Arrears) }
