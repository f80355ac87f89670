package accounts

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// CloseOptions says how a peer is closed.
type CloseOptions struct {
	// Force closes a peer although something is owed: what it is, in either direction,
	// is written off to the asset's suspense account, once nothing can come in any more.
	// What is held is never given up: the ledger could not book what was promised of it. A peer
	// whose payments are announced is closed, too; they are booked into suspense when they are
	// received. Default false.
	Force bool
	// ReasonCode is a number of the caller's that is kept with the closing and with what is
	// written off. It must not be 0 with Force. Default 0.
	ReasonCode uint32
}

// ClosePeer ends the relationship with a peer in one asset: the ledger itself refuses
// every packet and settlement from then on, on every connector. What the peer pays
// later is booked into suspense (settlement.Engine.RecordIncoming).
//
// It collects arrears from the peer's headroom. Then it is refused while anything is owed,
// a prepayment too (*OwedError, ErrOwed, but see Closing.Force), and while packets,
// settlement orders or announced payments are in flight (*HeldError, ErrHeld): Suspend the
// peer, and close it when they have ended. Otherwise the peer is suspended, the connectors are given a round
// to see that (Config.SuspensionPollInterval), and the account is closed. Only if nothing has come in
// meanwhile it stays closed, and what is owed is written off with Force. If something has,
// or the ledger refuses, the peer is as it was before, nothing is written off, and the
// error says what.
//
// The other errors are those of Suspend; it may be repeated after any of them. A peer
// that is closed already stays so; what it has come to owe since then is an *OwedError,
// and is written off with Force. If a call is interrupted, the peer may be left suspended,
// or closed with something owed or held: the next call goes on from there. A peer that is
// suspended by an operator stays so, whatever becomes of the closing.
func (b *Book) ClosePeer(ctx context.Context, account PeerAccount, opts CloseOptions) error {
	if err := b.checkPeer(account); err != nil {
		return err
	}
	if opts.Force && opts.ReasonCode == 0 {
		return &FieldError{Subject: "closing of " + account.String(), Field: "Reason", Reason: "must not be 0 with Force"}
	}
	c := closing{book: b, account: account, opts: opts}
	err := c.closeAndSettle(ctx)
	if err == nil || c.finished || !isRefusal(err) {
		return err
	}
	return errors.Join(err, b.resumeAfterClosing(ctx, account))
}

// isRefusal reports whether an error says that the peer cannot be closed now, and not
// that a request failed.
func isRefusal(err error) bool {
	var refused *ledger.TransferError
	return errors.Is(err, ErrHeld) || errors.Is(err, ErrOwed) || errors.Is(err, ErrLineConflict) || errors.As(err, &refused)
}

// ReopenPeer opens a closed peer again. It stays suspended: Resume lets it trade. What
// was written off is not booked back. A peer that is not closed stays as it is. The
// errors are those of Suspend, without ErrPeerClosed.
func (b *Book) ReopenPeer(ctx context.Context, account PeerAccount) error {
	if err := b.checkPeer(account); err != nil {
		return err
	}
	if _, err := b.lookUpBalance(ctx, account); err != nil {
		return err
	}
	for range maxConflicts {
		row, err := b.newestPeerClosing(ctx, account)
		if err != nil || !row.Flags.Has(ledger.TransferPending) {
			return err
		}
		// From here on the suspension is not the closing's any more: a later closing that is
		// refused must not end it.
		if err := b.ensureSuspended(ctx, account, SuspendOptions{ReasonCode: row.UserData32}, byReopening); err != nil {
			return err
		}
		err = b.writeVoid(ctx, b.voidTransfer(row))
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, sequence.ErrTaken):
			return fmt.Errorf("reopen %v: %w", account, err)
		}
		// A closing has written off what was owed, and closed the account again.
	}
	return wrapAccount(account, ErrLineConflict)
}

// newestPeerClosing is the newest closing of a peer's account, or what ended it.
func (b *Book) newestPeerClosing(ctx context.Context, account PeerAccount) (ledger.Transfer, error) {
	row, err := b.newestClosing(ctx, account.id, chart.CodeClose)
	if err != nil {
		return ledger.Transfer{}, fmt.Errorf("read whether %v is closed: %w", account, err)
	}
	return row, nil
}

// checkOpenPeer says what keeps a peer from being closed that is still open. Announced payments do:
// their money would go to suspense.
func checkOpenPeer(balance Balance, force bool) error {
	if err := checkClosable(balance, force); err != nil || force || balance.Announced.IsZero() {
		return err
	}
	return heldError(balance)
}

// checkClosable says what keeps a peer from being closed, and from staying so. With a position of 0 its headroom
// covers the arrears, which the closing collects.
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

// isSettled reports whether a closed peer may stay so as it is.
func isSettled(balance Balance) bool {
	return checkClosable(balance, false) == nil && balance.Arrears.IsZero()
}
