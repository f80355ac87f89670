package accounts

import (
	"context"
	"fmt"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// maxConflicts is how often an operator may lose to others, each of whom has got on. Who
// loses more often is up against something that closes accounts in another way.
const maxConflicts = 100

// closingBit of a suspension's user_data_64 says that a closing wrote it. The other bits
// are the suspension's number.
const closingBit = 1 << 63

// isByClosing reports whether a suspension is a closing's.
func isByClosing(row *ledger.Transfer) bool { return row.UserData64&closingBit != 0 }

// closingNumber is the number of a suspension, or of a closing.
func closingNumber(row *ledger.Transfer) uint64 { return row.UserData64 &^ closingBit }

// newestClosing is the newest closing of an account, or its end; the zero row if there
// is none.
func (b *Book) newestClosing(ctx context.Context, id ledger.ID, code uint16) (ledger.Transfer, error) {
	row, _, err := sequence.Newest(ctx, b.ledger, ledger.AccountFilter{AccountID: id, Code: code, Flags: ledger.AccountFilterDebits})
	return row, err
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
