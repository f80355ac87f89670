package accounts

import (
	"context"

	"github.com/peerledger/peerledger/ledger"
)

// CreditLineChange is the result of a change of a credit line.
type CreditLineChange struct {
	Account       PeerAccount
	Before, After ledger.Amount // the line, in units
	// Number is the number of the change in the ledger, 1 for the first grant of a peer. Numbers
	// may be skipped. If the line was as wanted already, it is the number of the last change.
	Number uint64
	// Transfer is the row of the change; zero if the line was as wanted already.
	Transfer ledger.ID
}

// CreditLineOption is an option of [Book.ExtendCredit], [Book.RevokeCredit] and [Book.SetCreditLine].
type CreditLineOption interface{ applyToLine(o *lineOptions) }

type lineOption func(*lineOptions)

func (f lineOption) applyToLine(o *lineOptions) { f(o) }

type lineOptions struct {
	partial      bool
	expectedLine *ledger.Amount
	reasonCode   uint32
}

// WithPartialRevoke revokes as much of the amount as is not in use. By default, an amount that is
// not free in full changes nothing ([ErrLineInUse]).
func WithPartialRevoke() CreditLineOption {
	return lineOption(func(o *lineOptions) { o.partial = true })
}

// WithExpectedLine changes the line only if it is this amount of units now. Otherwise nothing is
// changed ([ErrLineConflict]). Use it for a decision on a line read before, and to repeat an
// ExtendCredit or RevokeCredit with an unknown outcome. By default any current line is changed.
func WithExpectedLine(line ledger.Amount) CreditLineOption {
	return lineOption(func(o *lineOptions) { o.expectedLine = &line })
}

// ExtendCredit raises a peer's credit line by an amount of units.
//
// A change rests on the line read at its beginning. Of two operators that change a line at once,
// in one process or two, one wins. The other operator gets a *[LineConflictError]
// ([ErrLineConflict]) with the new line, and nothing of its change is done.
//
// Further errors: [ErrInvalid] if the line would be above the asset's ceiling ([Config.Ceilings])
// or [Unlimited]; [ErrSuspended] or [ErrPeerClosed]; [ErrNotProvisioned]; [ErrUnknownAsset]; or
// the error of a request. With every error nothing is changed, with two exceptions.
// [ledger.ErrOutcomeUnknown] comes only after the end of ctx, and the change may be in the ledger:
// read the [Balance], or repeat the change with [WithExpectedLine]. An error together with a
// CreditLineChange.Number above 0 comes after a revocation [WithPartialRevoke], when the revoked
// amount cannot be read back: the line is lowered, at most to After.
func (b *Book) ExtendCredit(ctx context.Context, account PeerAccount, by ledger.Amount, opts ...CreditLineOption) (CreditLineChange, error) {
	return b.changeLine(ctx, account, opts, func(balance Balance, _ lineOptions) (ledger.Amount, error) {
		sum, fits := balance.CreditLine.Add(by)
		if !fits {
			sum = ledger.AmountMax
		}
		return sum, nil
	})
}

// RevokeCredit lowers a peer's credit line by an amount of units. The part of the line in use, by
// debts of the peer or by its packets in flight, cannot be revoked, and neither can what recorders
// have reserved ([Book.Reservations]): suspend the peer, wait until they have released it, and
// suspend the peer again [WithFreeRevoked]. If the amount is not free in full, a *[LineInUseError]
// ([ErrLineInUse]) has the free part, unless [WithPartialRevoke] is given. The remaining rules are as for [Book.ExtendCredit].
func (b *Book) RevokeCredit(ctx context.Context, account PeerAccount, by ledger.Amount, opts ...CreditLineOption) (CreditLineChange, error) {
	return b.changeLine(ctx, account, opts, func(balance Balance, o lineOptions) (ledger.Amount, error) {
		if balance.CreditLine.Less(by) && !o.partial {
			return ledger.Amount{}, lineInUseError(balance, by)
		}
		return balance.CreditLine.SubFloor(by), nil
	})
}

// SetCreditLine sets a peer's credit line to an amount of units. The rules are as for
// [Book.ExtendCredit] for raising a line, and those of [Book.RevokeCredit] for lowering a line.
// The call may be repeated after any error.
func (b *Book) SetCreditLine(ctx context.Context, account PeerAccount, line ledger.Amount, opts ...CreditLineOption) (CreditLineChange, error) {
	return b.changeLine(ctx, account, opts, func(Balance, lineOptions) (ledger.Amount, error) { return line, nil })
}

// changeLine writes the next row of a line's changes. It reads the newest row first, and then the
// balance. If a concurrent change comes in between, the row's number is taken, and nothing is
// written.
func (b *Book) changeLine(
	ctx context.Context, account PeerAccount, opts []CreditLineOption,
	targetOf func(balance Balance, o lineOptions) (ledger.Amount, error),
) (CreditLineChange, error) {
	var o lineOptions
	for _, opt := range opts {
		opt.applyToLine(&o)
	}
	if err := b.checkPeer(account); err != nil {
		return CreditLineChange{}, err
	}
	newest, err := b.newestLineNumber(ctx, account)
	if err != nil {
		return CreditLineChange{}, err
	}
	balance, err := b.Balance(ctx, account)
	if err != nil {
		return CreditLineChange{}, err
	}
	current := balance.CreditLine
	target, err := targetOf(balance, o)
	switch {
	case o.expectedLine != nil && *o.expectedLine != current:
		return CreditLineChange{}, &LineConflictError{Account: account, Asset: balance.Asset, CreditLine: current}
	case err != nil:
		return CreditLineChange{}, err
	}
	change := CreditLineChange{Account: account, Before: current, After: target, Number: newest}
	if target == current {
		return change, nil
	}
	if err := b.checkLineChange(balance, target, o); err != nil {
		return CreditLineChange{}, err
	}
	return b.writeLine(ctx, change, o)
}

// checkLineChange refuses a change before the ledger would, so that no id is burnt, and a line
// above the ceiling. The ledger's own checks still decide.
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

// freeLine returns the part of the line that is not in use.
func (b *Balance) freeLine() ledger.Amount { return b.CreditLine.Min(b.Headroom) }
