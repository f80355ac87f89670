package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// CloseOption is an option of [Book.ClosePeer].
type CloseOption interface{ applyToClosing(o *closeOptions) }

type closeOption func(*closeOptions)

func (f closeOption) applyToClosing(o *closeOptions) { f(o) }

type closeOptions struct {
	force      bool
	reasonCode uint32
}

// WithForce closes a peer despite a debt. The debt, in either direction, is written off to the
// asset's suspense account, once nothing can come in any more. Held amounts are never given up:
// their fulfills could not be booked. Announced payments do not prevent the closing: they are
// booked into suspense when received. WithForce needs a [WithReasonCode] other than 0.
func WithForce() CloseOption {
	return closeOption(func(o *closeOptions) { o.force = true })
}

// ClosePeer ends the relationship with a peer in one asset: from then on the ledger refuses every
// packet and settlement, on every connector. Later payments of the peer are booked into suspense
// (settlement.Engine.RecordIncoming).
//
// ClosePeer first collects arrears from the peer's headroom. It is then refused
//   - while anything is owed, a prepayment included: *[OwedError] ([ErrOwed]), except with [WithForce];
//   - while packets, settlement orders or announced payments are in flight: *[HeldError]
//     ([ErrHeld]). Suspend the peer, and close it when they have ended. Reservations count as
//     packets in flight: recorders release those of a suspended peer within one
//     [Config.SuspensionPollInterval] and a round.
//
// Otherwise ClosePeer suspends the peer, waits one [Config.SuspensionPollInterval] for all
// connectors to see the suspension, and closes the account. If nothing has come in meanwhile, the
// account stays closed, and with [WithForce] the debt is written off. If something has come in, or the
// ledger refuses, the peer is restored to its earlier state, nothing is written off, and the
// error has the cause.
//
// A closed peer stays closed. Debts since its closing are an *[OwedError], and are written off
// with [WithForce]. An interrupted call may leave the peer suspended, or closed with a debt or a hold;
// the next call continues from there. A suspension by an operator is kept, whatever the result.
// The remaining errors are as for [Book.SuspendPeer]; the call may be repeated after any of them.
func (b *Book) ClosePeer(ctx context.Context, account PeerAccount, opts ...CloseOption) error {
	var o closeOptions
	for _, opt := range opts {
		opt.applyToClosing(&o)
	}
	if err := b.checkPeer(account); err != nil {
		return err
	}
	if o.force && o.reasonCode == 0 {
		return &FieldError{Subject: "closing of " + account.String(), Field: "ReasonCode", Reason: "must not be 0 for a forced closing"}
	}
	c := closing{book: b, account: account, options: o}
	err := c.closeAndSettle(ctx)
	if err == nil || c.finished || !isRefusal(err) {
		return err
	}
	return errors.Join(err, b.resumeAfterClosing(ctx, account))
}

// isRefusal reports whether an error means that the peer cannot be closed now, rather than that a
// request failed.
func isRefusal(err error) bool {
	var refused *ledger.TransferError
	return errors.Is(err, ErrHeld) || errors.Is(err, ErrOwed) || errors.Is(err, ErrLineConflict) || errors.As(err, &refused)
}

// ReopenPeer opens a closed peer again. The peer stays suspended until [Book.ResumePeer]. Write-offs
// are not booked back. A peer that is not closed stays as it is. The errors are as for
// [Book.SuspendPeer], without [ErrPeerClosed].
func (b *Book) ReopenPeer(ctx context.Context, account PeerAccount) error {
	if err := b.checkPeer(account); err != nil {
		return err
	}
	if _, err := b.LookUpBalance(ctx, account); err != nil {
		return err
	}
	for range maxConflicts {
		row, err := b.newestPeerClosing(ctx, account)
		if err != nil || !row.Flags.Has(ledger.TransferPending) {
			return err
		}
		// From here on the suspension is an operator's: a later closing that is refused must not
		// end it.
		if err := b.ensureSuspended(ctx, account, suspendOptions{reasonCode: row.UserData32}, byReopening); err != nil {
			return err
		}
		err = b.writeVoid(ctx, b.voidTransfer(row))
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, sequence.ErrTaken):
			return fmt.Errorf("reopen %v: %w", account, err)
		}
		// A concurrent closing has written off the debt, and closed the account again.
	}
	return wrapAccount(account, ErrLineConflict)
}

// newestPeerClosing returns the newest closing of a peer's account, or the void that ended it.
func (b *Book) newestPeerClosing(ctx context.Context, account PeerAccount) (ledger.Transfer, error) {
	row, err := b.newestClosing(ctx, account.id, chart.CodeClose)
	if err != nil {
		return ledger.Transfer{}, fmt.Errorf("read whether %v is closed: %w", account, err)
	}
	return row, nil
}

// checkOpenPeer refuses to close an open peer with holds or debts (checkClosable), or with
// announced payments: their money would go to suspense.
func checkOpenPeer(balance Balance, force bool) error {
	if err := checkClosable(balance, force); err != nil || force || balance.Announced.IsZero() {
		return err
	}
	return heldError(balance)
}

// checkClosable refuses to close a peer, or to leave a peer closed, with holds or debts. At a
// position of 0 the headroom covers the arrears, and the closing collects them.
func checkClosable(balance Balance, force bool) error {
	switch {
	case !balance.HeldIn.IsZero() || !balance.HeldOut.IsZero() || !balance.Settling.IsZero():
		return heldError(balance)
	case !force && balance.Position().Sign() != 0:
		return owedError(balance)
	default:
		return nil
	}
}

func heldError(balance Balance) error {
	return &HeldError{
		Account: balance.Account, Asset: balance.Asset,
		HeldIn: balance.HeldIn, HeldOut: balance.HeldOut, Settling: balance.Settling, Announced: balance.Announced,
	}
}

func owedError(balance Balance) error {
	return &OwedError{
		Account: balance.Account, Asset: balance.Asset, Payable: balance.Payable, Receivable: balance.Receivable, Arrears: balance.Arrears,
	}
}

// isSettled reports whether a closed peer may stay closed without a write-off.
func isSettled(balance Balance) bool {
	return checkClosable(balance, false) == nil && balance.Arrears.IsZero()
}
