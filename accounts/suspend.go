package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// SuspendOptions says how a peer is suspended.
type SuspendOptions struct {
	// RevokeFree also takes back, in the same step, what is free of the peer's credit
	// line. That stops it from sending at once, unless we owe it something; without it
	// the connectors do, each within a round (Config.SuspensionPollInterval). The line is granted again
	// with SetCreditLine after Resume. Default false.
	RevokeFree bool
	// ReasonCode is a number of the caller's that is kept with the suspension. Default 0.
	ReasonCode uint32
}

// Suspend stops new packets from and to a peer, in one asset. It is written in the
// ledger, so every connector sees it: each refuses new packets at the latest one round
// after it (Config.SuspensionPollInterval). Packets that are held can still be fulfilled and rejected,
// settlements in both directions go on, and so does Adjust.
//
// A peer that is suspended already stays so, and may have RevokeFree done now. The
// suspension that a ClosePeer in progress wrote becomes the caller's: if that closing is
// refused, the peer stays suspended. Errors: ErrPeerClosed, ErrNotProvisioned,
// ErrUnknownAsset, ErrInvalid, ErrLineConflict if others keep changing the peer, or that
// of a request. It may be repeated after any error.
func (b *Book) Suspend(ctx context.Context, account PeerAccount, opts SuspendOptions) error {
	return b.ensureSuspended(ctx, account, opts, byOperator)
}

// suspender is on whose behalf a peer is suspended.
type suspender int

const (
	byOperator  suspender = iota // Suspend
	byClosing                    // ClosePeer, until the closing has ended
	byReopening                  // ReopenPeer: a closed peer, which becomes an operator's to resume
)

// ensureSuspended makes sure that a peer is suspended. What a closing wrote is taken over by the
// others, in one chain that ends the closing's suspension and begins another.
func (b *Book) ensureSuspended(ctx context.Context, account PeerAccount, opts SuspendOptions, by suspender) error {
	for range maxConflicts {
		state, err := b.readSuspension(ctx, account)
		switch settled := state.suspended && (by == byClosing || !state.byClosing); {
		case err != nil:
			return err
		case state.closed && by == byOperator:
			return wrapAccount(account, ErrPeerClosed)
		case settled && !opts.RevokeFree:
			return nil
		}
		err = b.suspendOnce(ctx, account, state, opts, by)
		if err == nil || !errors.Is(err, sequence.ErrTaken) {
			return err
		}
		// Another operator has written since the rows were read: look again.
	}
	return wrapAccount(account, ErrLineConflict)
}

// Resume lets a suspended peer trade again, whoever suspended it; every connector takes
// its packets at the latest one round later. A peer that is not suspended stays as it is.
// The errors are those of Suspend.
func (b *Book) Resume(ctx context.Context, account PeerAccount) error {
	for range maxConflicts {
		state, err := b.readSuspension(ctx, account)
		switch {
		case err != nil:
			return err
		case state.closed:
			return wrapAccount(account, ErrPeerClosed)
		case !state.suspended:
			return nil
		}
		err = b.writeVoid(ctx, b.voidTransfer(state.newestRow))
		if err == nil || !errors.Is(err, sequence.ErrTaken) {
			return err
		}
		// Another operator has ended that suspension, perhaps to begin a new one.
	}
	return wrapAccount(account, ErrLineConflict)
}

// suspensionState is what the ledger says about a peer's suspension, and the numbers
// that the next rows go behind.
type suspensionState struct {
	suspended  bool
	byClosing  bool // if it is suspended
	closed     bool
	newestRow  ledger.Transfer // the newest suspension, or what ended it
	lineNumber uint64          // the newest change of the line
}

// readSuspension reads the newest rows first, and whether the peer can be suspended then.
func (b *Book) readSuspension(ctx context.Context, account PeerAccount) (suspensionState, error) {
	if err := b.checkPeer(account); err != nil {
		return suspensionState{}, err
	}
	row, err := b.newestSuspension(ctx, account)
	if err != nil {
		return suspensionState{}, err
	}
	state := suspensionState{newestRow: row, suspended: row.Flags.Has(ledger.TransferPending), byClosing: isByClosing(&row)}
	if state.lineNumber, err = b.newestLine(ctx, account); err != nil {
		return suspensionState{}, err
	}
	balance, err := b.lookUpBalance(ctx, account)
	state.closed = balance.Closed
	return state, err
}

// newestSuspension is the newest suspension of a peer, or what ended it.
//
// A suspension is a pending transfer that closes the line account, and its void ends it:
// the void inherits the code and the user data, so the newest row tells.
func (b *Book) newestSuspension(ctx context.Context, account PeerAccount) (ledger.Transfer, error) {
	row, err := b.newestClosing(ctx, b.PeerIDs(account).Line, chart.CodeSuspend)
	if err != nil {
		return ledger.Transfer{}, fmt.Errorf("read whether %v is suspended: %w", account, err)
	}
	return row, nil
}

// resumeAfterClosing ends the suspension that a closing wrote; one that is an operator's,
// or has become so by now, stays.
func (b *Book) resumeAfterClosing(ctx context.Context, account PeerAccount) error {
	row, err := b.newestSuspension(ctx, account)
	if err != nil || !row.Flags.Has(ledger.TransferPending) || !isByClosing(&row) {
		return err
	}
	if err = b.writeVoid(ctx, b.voidTransfer(row)); errors.Is(err, sequence.ErrTaken) {
		return nil // it was taken over, or resumed
	}
	return err
}

// suspendOnce writes one chain: the suspension, behind what is taken back of the line.
// sequence.ErrTaken says that another operator has written since the state was read.
//
// A change of the line takes the line's next number. Only a number whose id is burnt is
// passed over: one that is left out could be taken later, behind higher ones, and then the
// newest row would not have the highest number.
func (b *Book) suspendOnce(ctx context.Context, account PeerAccount, state suspensionState, opts SuspendOptions, by suspender) error {
	for line := state.lineNumber + 1; ; line++ {
		rows := b.suspensionChain(account, state, line, opts, by)
		err := b.createChain(ctx, rows)
		var refused *ledger.TransferError
		switch {
		case err == nil, errors.Is(err, sequence.ErrTaken):
			return err
		case !errors.As(err, &refused) || refused.Status != ledger.TransferIDAlreadyFailed:
			return fmt.Errorf("suspend %v: %w", account, err)
		case !slices.ContainsFunc(rows, func(r ledger.Transfer) bool { return r.Code == chart.CodeGrant && r.ID == refused.ID }):
			return sequence.ErrTaken // an id of this call: it was refused, and the answer got lost
		}
	}
}
