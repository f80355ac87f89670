package accounts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// Closing says how a peer is closed.
type Closing struct {
	// Force closes a peer although something is owed: what it is, in either direction,
	// is written off to the asset's suspense account, in the chain that closes the
	// peer. What is held is never given up: the ledger could not book what was promised
	// of it. Default false.
	Force bool
	// Reason is a number of the caller's that is kept with the closing and with what is
	// written off. It must not be 0 with Force. Default 0.
	Reason uint32
}

// ClosePeer ends the relationship with a peer in one asset: the ledger itself refuses
// every packet and settlement from then on, on every connector. What the peer pays
// later is booked into suspense (settlement.Engine.Receive).
//
// It is refused while anything is owed (*OwedError, ErrOwed, but see Closing.Force), and
// while packets or settlement orders are in flight (*HeldError, ErrHeld): Suspend the
// peer, and close it when they have ended. Nothing is changed then. Otherwise the peer
// is suspended, the connectors are given a round to see that (Config.Round), and the
// account is closed if nothing has come in meanwhile; if something has, the peer is as
// it was before, and the error says what.
//
// The other errors are those of Suspend; it may be repeated after any of them. A peer
// that is closed already stays so. If it is interrupted, the peer may be left suspended.
func (b *Book) ClosePeer(ctx context.Context, account Account, how Closing) error {
	if err := b.checkPeer(account); err != nil {
		return err
	}
	if how.Force && how.Reason == 0 {
		return &FieldError{Subject: "closing of " + account.String(), Field: "Reason", Reason: "must not be 0 with Force"}
	}
	before, err := b.Balance(ctx, account)
	switch {
	case err != nil:
		return err
	case before.Closed:
		return b.stayClosed(ctx, account)
	}
	if err := mayClose(before, how.Force); err != nil {
		return err
	}
	err = b.Suspend(ctx, account, Suspension{Reason: how.Reason})
	switch {
	case errors.Is(err, ErrClosed): // by another operator, since the balance was read
		return b.stayClosed(ctx, account)
	case err != nil:
		return err
	}
	err = b.closeQuiet(ctx, account, how)
	if err == nil || before.Suspended || !errors.Is(err, ErrHeld) && !errors.Is(err, ErrOwed) {
		return err
	}
	return errors.Join(err, b.Resume(ctx, account))
}

// ReopenPeer opens a closed peer again. It stays suspended: Resume lets it trade. What
// was written off is not booked back. A peer that is not closed stays as it is. The
// errors are those of Suspend, without ErrClosed.
func (b *Book) ReopenPeer(ctx context.Context, account Account) error {
	if err := b.checkPeer(account); err != nil {
		return err
	}
	if _, err := b.Balance(ctx, account); err != nil {
		return err
	}
	row, err := b.newestClosing(ctx, account.id, chart.CodeClose)
	if err == nil && row.Flags.Has(ledger.TransferPending) {
		err = b.open(ctx, b.voiding("reopen", account.id, row))
	}
	if err != nil {
		return fmt.Errorf("reopen %v: %w", account, err)
	}
	return nil
}

// mayClose says what keeps a peer from being closed.
func mayClose(balance Balance, force bool) error {
	switch {
	case !balance.HeldIn.IsZero() || !balance.HeldOut.IsZero() || !balance.Settling.IsZero():
		return &HeldError{
			Account: balance.Account, HeldIn: balance.HeldIn, HeldOut: balance.HeldOut, Settling: balance.Settling,
		}
	case !force && balance.Position().Sign() != 0:
		return &OwedError{Account: balance.Account, Payable: balance.Payable, Receivable: balance.Receivable}
	default:
		return nil
	}
}

// closeQuiet closes a suspended peer, in this order: (1) all connectors have had a round
// to see that it is suspended; (2) the newest closing is read, and then the balance,
// which must be quiet; (3) the account is closed, which ends all that could come; (4)
// the balance is read again. A packet that came between (2) and (3), from a connector
// that had not seen the suspension, shows in (4), and its fulfill could not be booked:
// so the closing is taken back.
func (b *Book) closeQuiet(ctx context.Context, account Account, how Closing) error {
	round := time.NewTimer(b.round)
	defer round.Stop()
	select {
	case <-round.C:
	case <-ctx.Done():
		return fmt.Errorf("close %v: %w", account, context.Cause(ctx))
	}
	newest, err := b.newestClosing(ctx, account.id, chart.CodeClose)
	if err != nil {
		return fmt.Errorf("read whether %v is closed: %w", account, err)
	}
	balance, err := b.Balance(ctx, account)
	if err != nil {
		return err
	}
	if err := mayClose(balance, how.Force); err != nil {
		return err
	}
	_, err = sequence.PlaceChain(ctx, b.ledger, newest.UserData64+1, func(n uint64) []ledger.Transfer {
		row := b.closing("close", account, chart.CodeClose, n, how.Reason)
		return append(b.writeOff(balance, n, how.Reason), row)
	})
	var refused *ledger.TransferError
	overtaken := errors.Is(err, sequence.ErrTaken) || errors.As(err, &refused) && noLongerOpen(refused.Status)
	if err != nil && !overtaken {
		return fmt.Errorf("close %v: %w", account, err)
	}
	return b.stayClosed(ctx, account)
}

// stayClosed takes a closing back that has caught something in flight, and says so:
// this call's, that of another operator, or of one who was interrupted.
func (b *Book) stayClosed(ctx context.Context, account Account) error {
	balance, err := b.Balance(ctx, account)
	if err != nil {
		return err
	}
	err = mayClose(balance, false)
	switch {
	case err != nil:
		return errors.Join(err, b.ReopenPeer(ctx, account))
	case !balance.Closed:
		return fmt.Errorf("close %v: %w", account, ErrLineConflict) // another operator has opened it again
	default:
		return nil
	}
}

// writeOff moves what is owed to suspense.
func (b *Book) writeOff(balance Balance, n uint64, reason uint32) []ledger.Transfer {
	account := balance.Account
	row := b.adjustment(account, balance.Payable, balance.Receivable)
	if row.Amount.IsZero() {
		return nil
	}
	row.ID = b.ns.Derive("write off", chart.ID(account.id), chart.U64(n))
	row.UserData64, row.UserData32 = n, reason
	return []ledger.Transfer{row}
}
