package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"lukechampine.com/uint128"

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

// maxConflicts is how often an operator may lose to others, each of whom has got on. Who
// loses more often is up against something that closes accounts in another way.
const maxConflicts = 100

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

// closingBit of a suspension's user_data_64 says that a closing wrote it. The other bits
// are the suspension's number.
const closingBit = 1 << 63

// isByClosing reports whether a suspension is a closing's.
func isByClosing(row *ledger.Transfer) bool { return row.UserData64&closingBit != 0 }

// closingNumber is the number of a suspension, or of a closing.
func closingNumber(row *ledger.Transfer) uint64 { return row.UserData64 &^ closingBit }

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

// newestClosing is the newest closing of an account, or its end; the zero row if there
// is none.
func (b *Book) newestClosing(ctx context.Context, id ledger.ID, code uint16) (ledger.Transfer, error) {
	row, _, err := sequence.Newest(ctx, b.ledger, ledger.AccountFilter{AccountID: id, Code: code, Flags: ledger.AccountFilterDebits})
	return row, err
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

// suspensionChain is a suspension, behind change number line of the credit line if that is
// revoked. A closed line takes nothing back, so for that a suspension is ended and begun
// again, as it is to take over that of a closing.
func (b *Book) suspensionChain(account PeerAccount, state suspensionState, line uint64, opts SuspendOptions, by suspender) []ledger.Transfer {
	var chain []ledger.Transfer
	if state.suspended {
		chain = append(chain, b.ownVoidTransfer(state.newestRow))
	}
	if opts.RevokeFree {
		row := b.revokeTransfer(account, ledger.AmountMax, line, newNonce())
		row.Flags, row.UserData32 = ledger.TransferBalancingDebit|ledger.TransferBalancingCredit, opts.ReasonCode
		chain = append(chain, row)
	}
	row := b.closeTransfer(account, chart.CodeSuspend, closingNumber(&state.newestRow)+1, opts.ReasonCode)
	if by == byClosing {
		row.UserData64 |= closingBit
	}
	return append(chain, row)
}

// createChain writes rows, linked into one chain, with ids of this call's own. The error
// is sequence.ErrTaken if somebody has closed or opened an account, or taken the number of
// a line, since the rows that the chain rests on were read; a *ledger.TransferError if the
// ledger refuses one for another reason; or that of the request.
func (b *Book) createChain(ctx context.Context, rows []ledger.Transfer) error {
	for i := range rows[:len(rows)-1] {
		rows[i].Flags |= ledger.TransferLinked
	}
	results, err := b.ledger.CreateTransfers(ctx, rows)
	if err != nil {
		return err
	}
	chain := ledger.ChainOutcome(results)
	switch {
	case chain.Outcome.Done():
		return nil
	case chain.Conflict(), isStateConflict(chain.Status):
		return sequence.ErrTaken
	default:
		return &ledger.TransferError{ID: rows[max(chain.Breaker, 0)].ID, Status: chain.Status}
	}
}

// isStateConflict reports whether a row was refused because an account, or the row that it
// ends, is in another state than it was read to be in.
func isStateConflict(s ledger.CreateTransferStatus) bool {
	switch s { //nolint:exhaustive // no other one is
	case ledger.TransferDebitAccountAlreadyClosed, ledger.TransferCreditAccountAlreadyClosed,
		ledger.TransferPendingTransferAlreadyVoided:
		return true
	default:
		return false
	}
}

// closeTransfer closes one of a peer's accounts, the line's or the peer's: nothing is moved, and
// the account is closed until the row is voided. It names the peer's account, so that a
// connector that reads it knows whom it is about. The number n says which closing of the
// account it is. Two may have the same, if two operators close an account that another one
// opens in between; so the id is one that no other call draws.
func (b *Book) closeTransfer(account PeerAccount, code uint16, n uint64, reason uint32) ledger.Transfer {
	ids := b.PeerIDs(account)
	id := ids.Line
	if code == chart.CodeClose {
		id = ids.Peer
	}
	return ledger.Transfer{
		ID:             chart.TimedID(time.Now()),
		DebitAccountID: id, CreditAccountID: b.assets[account.ledger].ids.Control,
		UserData128: uint128.Uint128(ids.Peer), UserData64: n, UserData32: reason,
		Ledger: account.ledger, Code: code, Flags: ledger.TransferPending | ledger.TransferClosingDebit,
	}
}

// voidTransfer ends a closing. Its id follows from the row's, so two operators write the same.
func (b *Book) voidTransfer(row ledger.Transfer) ledger.Transfer {
	return ledger.Transfer{
		ID: b.namespace.Derive("open", chart.ID(row.ID)), PendingID: row.ID, Flags: ledger.TransferVoidPending,
	}
}

// ownVoidTransfer ends a closing as the first row of a chain, under an id of this call's own:
// the first one tells whose a chain is.
func (b *Book) ownVoidTransfer(row ledger.Transfer) ledger.Transfer {
	return ledger.Transfer{ID: chart.TimedID(time.Now()), PendingID: row.ID, Flags: ledger.TransferVoidPending}
}

// writeVoid writes a voiding, or finds that it is written. sequence.ErrTaken says that another
// row has opened the account.
func (b *Book) writeVoid(ctx context.Context, voiding ledger.Transfer) error {
	results, err := b.ledger.CreateTransfers(ctx, []ledger.Transfer{voiding})
	switch {
	case err != nil:
		return fmt.Errorf("open an account: %w", err)
	case results[0].Status == ledger.TransferPendingTransferAlreadyVoided:
		return sequence.ErrTaken
	case !results[0].Status.Outcome().Done():
		return fmt.Errorf("open an account: %w", &ledger.TransferError{ID: voiding.ID, Status: results[0].Status})
	default:
		return nil
	}
}

// SuspensionChange is a suspension, or its end.
type SuspensionChange struct {
	Peer      ledger.ID // the id of the peer's account, as Account.ID
	Suspended bool
}

// Suspensions reads the peers suspended and resumed after a moment of the ledger's clock, in
// order; the zero time reads all. next is the moment to go on from, exact to the nanosecond.
//
// A connector asks once a round: a single request, however many peers there are. Peers of other
// deployments on the ledger are among the changes. The errors are those of a request.
func (b *Book) Suspensions(ctx context.Context, after time.Time) (changes []SuspensionChange, next time.Time, err error) {
	first := timestampOf(after.Add(1))
	for {
		rows, err := b.ledger.QueryTransfers(ctx, ledger.QueryFilter{
			Code: chart.CodeSuspend, TimestampMin: first, Limit: ledger.QueryMax,
		})
		if err != nil {
			return changes, after, fmt.Errorf("read who is suspended: %w", err)
		}
		for i := range rows {
			changes = append(changes, SuspensionChange{
				Peer: ledger.ID(rows[i].UserData128), Suspended: rows[i].Flags.Has(ledger.TransferPending),
			})
			after, first = timeOf(rows[i].Timestamp), rows[i].Timestamp+1
		}
		if len(rows) < ledger.QueryMax {
			return changes, after, nil
		}
	}
}
