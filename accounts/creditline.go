package accounts

import (
	"context"

	"github.com/peerledger/peerledger/ledger"
)

// LineChange is a change of a credit line that is in the ledger.
type LineChange struct {
	Account       PeerAccount
	Before, After ledger.Amount // the line, in units
	// Number is that of the change, 1 for the first grant of a peer; numbers may be
	// left out. If nothing had to be changed it is that of the change before.
	Number uint64
}

// LineOption says how a credit line is to be changed.
type LineOption func(*lineOptions)

type lineOptions struct {
	partial      bool
	expectedLine *ledger.Amount
	reasonCode   uint32
}

// WithPartialRevoke takes back as much as is not in use, if not all that is asked for is free.
// Without it nothing is taken back then (ErrLineInUse).
func WithPartialRevoke() LineOption { return func(o *lineOptions) { o.partial = true } }

// WithExpectedLine makes the change only if the line is this amount of units now; if it is not,
// nothing is changed (ErrLineConflict). Use it when a person decides on a line that was
// read before, and to repeat an ExtendCredit or RevokeCredit whose outcome is unknown.
func WithExpectedLine(line ledger.Amount) LineOption {
	return func(o *lineOptions) { o.expectedLine = &line }
}

// WithReasonCode keeps a number of the caller's with the change, which a Statement shows.
func WithReasonCode(code uint32) LineOption { return func(o *lineOptions) { o.reasonCode = code } }

// ExtendCredit raises a peer's credit line by an amount of units.
//
// A change rests on the line as it is read first. Of two operators who change a line at
// once, in one process or two, one wins; the other gets a *LineConflictError
// (ErrLineConflict) with the line as it is then, and nothing of its change is done.
//
// Other errors change nothing either: ErrInvalid if the line would be above the asset's
// ceiling (Config.Ceilings) or Unlimited, ErrSuspended or ErrPeerClosed, ErrNotProvisioned,
// ErrUnknownAsset, or that of a request. But after ledger.ErrOutcomeUnknown, which comes
// only when the context has ended, the change may be in the ledger: read the Balance, or
// repeat the change with WithExpectedLine.
func (b *Book) ExtendCredit(ctx context.Context, account PeerAccount, by ledger.Amount, opts ...LineOption) (LineChange, error) {
	return b.changeLine(ctx, account, opts, func(b Balance, _ lineOptions) (ledger.Amount, error) {
		sum, fits := b.CreditLine.Add(by)
		if !fits {
			sum = ledger.AmountMax
		}
		return sum, nil
	})
}

// RevokeCredit lowers a peer's credit line by an amount of units. What is in use, for
// what the peer owes or for its packets in flight, cannot be taken back: if not all of
// the amount is free, a *LineInUseError (ErrLineInUse) says how much is, unless
// WithPartialRevoke is given. Otherwise it is as ExtendCredit.
func (b *Book) RevokeCredit(ctx context.Context, account PeerAccount, by ledger.Amount, opts ...LineOption) (LineChange, error) {
	return b.changeLine(ctx, account, opts, func(b Balance, o lineOptions) (ledger.Amount, error) {
		if b.CreditLine.Less(by) && !o.partial {
			return ledger.Amount{}, lineInUseError(b, by)
		}
		return b.CreditLine.SubFloor(by), nil
	})
}

// SetCreditLine makes a peer's credit line this amount of units. It is as ExtendCredit
// if that raises the line, and as RevokeCredit if it lowers it; it may be repeated after
// any error.
func (b *Book) SetCreditLine(ctx context.Context, account PeerAccount, line ledger.Amount, opts ...LineOption) (LineChange, error) {
	return b.changeLine(ctx, account, opts, func(Balance, lineOptions) (ledger.Amount, error) { return line, nil })
}

// changeLine writes the next row of a line's changes. The newest row is read first, and
// then the balance that the change rests on: if anybody changes the line in between, the
// row's number is taken, and the change is not made on what is old.
func (b *Book) changeLine(
	ctx context.Context, account PeerAccount, opts []LineOption,
	targetOf func(b Balance, o lineOptions) (ledger.Amount, error),
) (LineChange, error) {
	var o lineOptions
	for _, opt := range opts {
		opt(&o)
	}
	if err := b.checkPeer(account); err != nil {
		return LineChange{}, err
	}
	newest, err := b.newestLine(ctx, account)
	if err != nil {
		return LineChange{}, err
	}
	balance, err := b.Balance(ctx, account)
	if err != nil {
		return LineChange{}, err
	}
	current := balance.CreditLine
	target, err := targetOf(balance, o)
	switch {
	case o.expectedLine != nil && *o.expectedLine != current:
		return LineChange{}, &LineConflictError{Account: account, Asset: balance.Asset, Line: current}
	case err != nil:
		return LineChange{}, err
	}
	change := LineChange{Account: account, Before: current, After: target, Number: newest}
	if target == current {
		return change, nil
	}
	if err := b.checkLineChange(balance, target, o); err != nil {
		return LineChange{}, err
	}
	return b.writeLine(ctx, change, o)
}

// checkLineChange finds what the ledger would refuse, so that no id is burnt for it, and what
// is above the ceiling. What the ledger decides, it still decides by itself.
func (b *Book) checkLineChange(balance Balance, target ledger.Amount, o lineOptions) error {
	switch current := balance.CreditLine; {
	case balance.Closed:
		return wrapAccount(balance.Account, ErrPeerClosed)
	case balance.Suspended:
		return wrapAccount(balance.Account, ErrSuspended)
	case current.Less(target):
		return b.checkCeiling(balance.Account, target)
	case balance.freeLine().Less(current.SubFloor(target)) && !o.partial:
		return lineInUseError(balance, current.SubFloor(target))
	default:
		return nil
	}
}

// freeLine is how much of the line is not in use.
func (b *Balance) freeLine() ledger.Amount { return b.CreditLine.Min(b.Headroom) }
