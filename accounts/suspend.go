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

// SuspendOption is an option of [Book.SuspendPeer].
type SuspendOption interface{ applyToSuspension(o *suspendOptions) }

type suspendOption func(*suspendOptions)

func (f suspendOption) applyToSuspension(o *suspendOptions) { f(o) }

type suspendOptions struct {
	freeRevoked bool
	reasonCode  uint32
}

// WithFreeRevoked also revokes the free part of the peer's credit line, in the same step. The peer
// then cannot send at all, unless we owe the peer. By default, the line stays, and each connector
// stops the peer within one [Config.SuspensionPollInterval]. Grant the line again with
// [Book.SetCreditLine] after [Book.ResumePeer].
func WithFreeRevoked() SuspendOption {
	return suspendOption(func(o *suspendOptions) { o.freeRevoked = true })
}

// SuspendPeer stops new packets from and to a peer, in one asset. The suspension is written in the
// ledger: every connector refuses new packets at the latest one [Config.SuspensionPollInterval]
// later. Held packets can still be fulfilled and rejected. Settlements in both directions
// continue, and so does [Book.Adjust].
//
// A suspended peer stays suspended; [WithFreeRevoked] is done in any case. A suspension by a
// [Book.ClosePeer] in progress becomes the caller's: if the closing is refused, the peer stays
// suspended.
//
// Errors: [ErrPeerClosed]; [ErrNotProvisioned]; [ErrUnknownAsset]; [ErrInvalid];
// [ErrLineConflict] if concurrent operators keep changing the peer; or the error of a request.
// The call may be repeated after any error.
func (b *Book) SuspendPeer(ctx context.Context, account PeerAccount, opts ...SuspendOption) error {
	var o suspendOptions
	for _, opt := range opts {
		opt.applyToSuspension(&o)
	}
	return b.ensureSuspended(ctx, account, o, byOperator)
}

// suspender is the kind of caller that suspends a peer.
type suspender int

const (
	byOperator  suspender = iota // SuspendPeer
	byClosing                    // ClosePeer, until the closing has ended
	byReopening                  // ReopenPeer: an operator will resume the peer
)

// ensureSuspended suspends a peer, if it is not suspended yet. A closing's suspension is taken
// over for the other kinds of caller: one chain ends the closing's suspension and begins a new
// one.
func (b *Book) ensureSuspended(ctx context.Context, account PeerAccount, o suspendOptions, by suspender) error {
	for range maxConflicts {
		state, err := b.readSuspension(ctx, account)
		switch settled := state.suspended && (by == byClosing || !state.byClosing); {
		case err != nil:
			return err
		case state.closed && by == byOperator:
			return wrapAccount(account, ErrPeerClosed)
		case settled && !o.freeRevoked:
			return nil
		}
		err = b.suspendOnce(ctx, account, state, o, by)
		if err == nil || !errors.Is(err, sequence.ErrTaken) {
			return err
		}
		// A concurrent operator has written since the rows were read: read them again.
	}
	return wrapAccount(account, ErrLineConflict)
}

// ResumePeer lets a suspended peer trade again, suspended by any operator. Every connector takes its
// packets at the latest one [Config.SuspensionPollInterval] later. A peer that is not suspended
// stays as it is. The errors are as for [Book.SuspendPeer].
func (b *Book) ResumePeer(ctx context.Context, account PeerAccount) error {
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
		// A concurrent operator has ended the suspension, perhaps to begin a new one.
	}
	return wrapAccount(account, ErrLineConflict)
}

// suspensionState is a peer's suspension in the ledger, with the numbers of the newest rows.
type suspensionState struct {
	suspended  bool
	byClosing  bool // if suspended
	closed     bool
	newestRow  ledger.Transfer // the newest suspension, or the void that ended it
	lineNumber uint64          // of the newest change of the line
}

// readSuspension reads the newest rows, and then whether the peer is closed.
func (b *Book) readSuspension(ctx context.Context, account PeerAccount) (suspensionState, error) {
	if err := b.checkPeer(account); err != nil {
		return suspensionState{}, err
	}
	row, err := b.newestSuspension(ctx, account)
	if err != nil {
		return suspensionState{}, err
	}
	state := suspensionState{newestRow: row, suspended: row.Flags.Has(ledger.TransferPending), byClosing: isByClosing(&row)}
	if state.lineNumber, err = b.newestLineNumber(ctx, account); err != nil {
		return suspensionState{}, err
	}
	balance, err := b.LookUpBalance(ctx, account)
	state.closed = balance.Closed
	return state, err
}

// newestSuspension returns the newest suspension of a peer, or the void that ended it.
//
// A suspension is a pending transfer that closes the line account, and its void ends it. The void
// inherits the code and the user data, so the newest row shows the state.
func (b *Book) newestSuspension(ctx context.Context, account PeerAccount) (ledger.Transfer, error) {
	row, err := b.newestClosing(ctx, b.PeerIDs(account).Line, chart.CodeSuspend)
	if err != nil {
		return ledger.Transfer{}, fmt.Errorf("read whether %v is suspended: %w", account, err)
	}
	return row, nil
}

// resumeAfterClosing ends a closing's suspension. An operator's suspension stays, also one taken
// over from the closing meanwhile.
func (b *Book) resumeAfterClosing(ctx context.Context, account PeerAccount) error {
	row, err := b.newestSuspension(ctx, account)
	if err != nil || !row.Flags.Has(ledger.TransferPending) || !isByClosing(&row) {
		return err
	}
	if err = b.writeVoid(ctx, b.voidTransfer(row)); errors.Is(err, sequence.ErrTaken) {
		return nil // taken over, or resumed
	}
	return err
}

// suspendOnce writes one chain: the suspension, behind the revocation of the line.
// sequence.ErrTaken means that a concurrent operator has written since the state was read.
//
// A change of the line takes the line's next number. Only a number with a burnt id is skipped: a
// skipped free number could be taken later, behind higher ones, and then the newest row would not
// have the highest number. sequence.TryAttempts does not do this: it takes the next number whenever
// any id of the chain is burnt. Here the ids of the suspension and of the void do not follow from
// the number, and a burnt one of them leaves the number free.
func (b *Book) suspendOnce(ctx context.Context, account PeerAccount, state suspensionState, o suspendOptions, by suspender) error {
	for line := state.lineNumber + 1; ; line++ {
		rows := b.suspensionChain(account, state, line, o, by)
		err := b.createChain(ctx, rows)
		var refused *ledger.TransferError
		switch {
		case err == nil, errors.Is(err, sequence.ErrTaken):
			return err
		case !errors.As(err, &refused) || refused.Status != ledger.TransferIDAlreadyFailed:
			return fmt.Errorf("suspend %v: %w", account, err)
		case !slices.ContainsFunc(rows, func(r ledger.Transfer) bool { return r.Code == chart.CodeGrant && r.ID == refused.ID }):
			return sequence.ErrTaken // an id of this call, refused by an earlier request whose answer was lost
		}
	}
}
