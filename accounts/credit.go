package accounts

import (
	"context"
	"errors"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
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

func (b *Book) writeLine(ctx context.Context, change LineChange, o lineOptions) (LineChange, error) {
	nonce := newNonce()
	row := func(n uint64) ledger.Transfer {
		row := b.revokeTransfer(change.Account, change.Before.SubFloor(change.After), n, nonce)
		if change.Before.Less(change.After) {
			row = b.grantTransfer(lineRequest{account: change.Account, want: change.After.SubFloor(change.Before)}, n, nonce)
		} else if o.partial {
			row.Flags = ledger.TransferBalancingDebit | ledger.TransferBalancingCredit
		}
		row.UserData32 = o.reasonCode
		return row
	}
	n, err := sequence.Place(ctx, b.ledger, change.Number+1, row)
	if err != nil {
		return LineChange{}, b.explainLine(ctx, change, err)
	}
	change.Number = n
	if !o.partial || change.Before.Less(change.After) {
		return change, nil
	}
	placed, err := b.ledger.LookupTransfers(ctx, []ledger.ID{row(n).ID})
	if err != nil || len(placed) == 0 {
		return change, fmt.Errorf("the line of %v was lowered: look up by how much: %w", change.Account, err)
	}
	change.After = change.Before.SubFloor(placed[0].Amount)
	return change, nil
}

// explainLine says why the ledger did not take a row, with the line as it is now.
func (b *Book) explainLine(ctx context.Context, change LineChange, err error) error {
	err = fmt.Errorf("change the credit line of %v: %w", change.Account, err)
	var refused *ledger.TransferError
	isTaken := errors.Is(err, sequence.ErrTaken)
	if !isTaken && !errors.As(err, &refused) {
		return err
	}
	balance, lookErr := b.Balance(ctx, change.Account)
	switch {
	case lookErr != nil:
		return errors.Join(err, lookErr)
	case isTaken:
		return &LineConflictError{Account: change.Account, Asset: balance.Asset, Line: balance.CreditLine}
	case balance.Closed:
		return wrapAccount(change.Account, ErrPeerClosed)
	case balance.Suspended:
		return wrapAccount(change.Account, ErrSuspended)
	case refused.Status == ledger.TransferExceedsCredits:
		return lineInUseError(balance, change.Before.SubFloor(change.After))
	default:
		return err
	}
}

// lineInUseError is the error of a line that was to be lowered by more than is free.
func lineInUseError(balance Balance, by ledger.Amount) error {
	return &LineInUseError{
		Account: balance.Account, Asset: balance.Asset, Line: balance.CreditLine, Free: balance.freeLine(),
		By: by, Wanted: balance.CreditLine.SubFloor(by),
	}
}

// newestLine is the number of the newest change of a line, 0 if there is none.
func (b *Book) newestLine(ctx context.Context, account PeerAccount) (uint64, error) {
	row, _, err := sequence.Newest(ctx, b.ledger, ledger.AccountFilter{
		AccountID: b.PeerIDs(account).Line, Code: chart.CodeGrant,
		Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
	})
	if err != nil {
		return 0, fmt.Errorf("read the newest change of the credit line of %v: %w", account, err)
	}
	return row.UserData64, nil
}

// revokeTransfer is row n of the changes of a line: the peer account gives room back.
func (b *Book) revokeTransfer(account PeerAccount, amount ledger.Amount, n uint64, nonce uint128.Uint128) ledger.Transfer {
	row := b.grantTransfer(lineRequest{account: account, want: amount}, n, nonce)
	row.DebitAccountID, row.CreditAccountID = row.CreditAccountID, row.DebitAccountID
	return row
}

// checkPeer refuses what is no peer's handle of this Book.
func (b *Book) checkPeer(account PeerAccount) error {
	if account.IsZero() || account.IsOwn() {
		return &FieldError{Subject: account.String(), Field: "Account", Reason: "must be a peer's"}
	}
	if _, known := b.assets[account.ledger]; !known {
		return wrapAccount(account, ErrUnknownAsset)
	}
	return nil
}

func wrapAccount(account PeerAccount, err error) error { return fmt.Errorf("%w: %v", err, account) }
