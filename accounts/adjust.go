package accounts

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
)

// Adjustment is a correction that an operator books, after comparing the books with a
// peer, for example.
type Adjustment struct {
	// Account is a peer's, or our own (Book.OwnAccount): then it moves between our liquidity
	// and suspense, to write off what is left in there.
	Account PeerAccount
	// Key names the adjustment, 1 to 1023 bytes, without white space around it: the same in
	// every call for it, and another for every other adjustment of the account.
	Key string
	// Credit is how much more we owe the peer from then on, in units, or how much less
	// it owes us; Debit is the opposite. One of them is 0. For our own account Credit
	// raises our position. The other side is the asset's suspense account. At most 2^127.
	Credit, Debit ledger.Amount
	// ReasonCode is a number of the caller's that says why. Not 0.
	ReasonCode uint32
	// ConditionTag is the first 8 bytes of the execution condition of the packet that is
	// corrected, as in Entry.ConditionTag, so that Compare finds the two together. Default
	// 0: none.
	ConditionTag [8]byte
	// BeyondHeadroom books a Debit whether or not the peer's headroom covers it beside its
	// arrears, and also if the peer is closed: what the account cannot pay becomes arrears. Default: such a Debit
	// is refused.
	BeyondHeadroom bool
}

// Adjust books a correction with a reason, once for its key, for ever: it may be
// repeated any number of times, from any process. A suspended peer can be adjusted.
//
// A Debit counts as sent, and a Credit as paid in: it pays down what the peer owes, and the
// rest is prepaid. A Debit also collects what the peer's account can pay of its arrears.
//
// Errors: ErrInvalid names the field; *CoverError (ErrNotCovered) if the peer's headroom less
// its arrears does not cover a Debit, and ErrPeerClosed if the peer is closed, both unless
// BeyondHeadroom is set for a Debit; ErrKeyReused if another adjustment was booked under the key; ErrKeySpent;
// ErrNotProvisioned, ErrUnknownAsset, *DriftError if the arrears account is another one, or
// that of a request. With all of them but the last nothing was booked, and the key is as free
// as before. After ledger.ErrOutcomeUnknown call again.
func (b *Book) Adjust(ctx context.Context, a Adjustment) (Booking, error) {
	if err := b.checkAdjustment(&a); err != nil {
		return Booking{}, err
	}
	row := b.adjustTransfer(a.Account, a.Debit, a.Credit)
	row.UserData128 = b.keyTag(a.Account.id, a.Key)
	row.UserData64, row.UserData32 = binary.BigEndian.Uint64(a.ConditionTag[:]), a.ReasonCode
	name := b.bookingName("adjust", a.Account.id, a.Key)
	request := b.newAdjustRequest(&a, name, row)
	request.May = func(ctx context.Context) error { return b.checkCoverage(ctx, &a) }
	booking, err := request.Book(ctx, b.ledger)
	if err != nil {
		return Booking{}, b.explainBooking(ctx, "adjust", a.Account, a.Debit, booking, err)
	}
	return newBooking(name.ID(booking.Attempt), row.Amount, booking), nil
}

// newAdjustRequest is what books an adjustment: its row alone, or for a peer's debit with a
// collection behind it.
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

// adjustTransfer moves debit from an account to suspense, or credit the other way.
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
		return &FieldError{Subject: subject, Field: "Reason", Reason: "must not be 0"}
	default:
		return checkKey(subject, a.Key)
	}
}

// maxByKeyRule is the rule for the largest amount of a booking.
func (b *Book) maxByKeyRule(account PeerAccount) string {
	return fmt.Sprintf("must not be beyond 2^127 units, %s", b.assets[account.ledger].asset.Text(chart.MaxByKey))
}

// checkCoverage refuses what the ledger would refuse, without burning an id for it. What the
// ledger decides, it still decides by itself. It makes sure that an arrears account is there
// which is to be booked on.
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
	case afterArrears(balance).Less(a.Debit) && !a.BeyondHeadroom:
		return &CoverError{Account: a.Account, Asset: balance.Asset, Has: afterArrears(balance), Wanted: a.Debit}
	case a.Debit.IsZero(), balance.HasArrearsAccount():
		return nil
	default:
		return b.EnsureArrears(ctx, a.Account)
	}
}

// afterArrears is what can be taken from an account beside its arrears, which are collected
// from the same headroom.
func afterArrears(b *Balance) ledger.Amount { return b.Headroom.SubFloor(b.Arrears) }
