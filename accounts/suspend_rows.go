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

// maxConflicts bounds the retries after a concurrent operator wrote first. Each lost race is
// progress of a concurrent operator, so hitting the bound means that a foreign program closes
// accounts.
const maxConflicts = 100

// closingBit in a suspension's user_data_64 marks the suspension of a closing. The other bits are
// the suspension's number.
const closingBit = 1 << 63

// isByClosing reports whether a suspension was written by a closing.
func isByClosing(row *ledger.Transfer) bool { return row.UserData64&closingBit != 0 }

// closingNumber returns the number of a suspension or of a closing.
func closingNumber(row *ledger.Transfer) uint64 { return row.UserData64 &^ closingBit }

// newestClosing returns the newest closing of an account, or the void that ended it; zero if
// there is none.
func (b *Book) newestClosing(ctx context.Context, id ledger.ID, code uint16) (ledger.Transfer, error) {
	row, _, err := sequence.Newest(ctx, b.ledger, ledger.AccountFilter{AccountID: id, Code: code, Flags: ledger.AccountFilterDebits})
	return row, err
}

// suspensionChain returns the rows of a suspension. With freeRevoked, the revocation comes first,
// as change number line of the credit line. A closed line account refuses a revocation: so an
// existing suspension is ended and begun again, also to take over a closing's suspension.
func (b *Book) suspensionChain(account PeerAccount, state suspensionState, line uint64, o suspendOptions, by suspender) []ledger.Transfer {
	var chain []ledger.Transfer
	if state.suspended {
		chain = append(chain, b.ownVoidTransfer(state.newestRow))
	}
	if o.freeRevoked {
		row := b.revokeTransfer(account, ledger.AmountMax, line, newNonce())
		row.Flags, row.UserData32 = ledger.TransferBalancingDebit|ledger.TransferBalancingCredit, o.reasonCode
		chain = append(chain, row)
	}
	row := b.closeTransfer(account, chart.CodeSuspend, closingNumber(&state.newestRow)+1, o.reasonCode)
	if by == byClosing {
		row.UserData64 |= closingBit
	}
	return append(chain, row)
}

// createChain writes rows, linked into one chain, with ids that only this call uses. The error is
// sequence.ErrTaken if a concurrent operator has closed or opened an account, or taken the number
// of a line, since the state was read; a *[ledger.TransferError] if the ledger refuses a row for
// a different reason; or of the request.
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

// isStateConflict reports whether a row was refused because the state of an account, or of the
// row to end, has changed since it was read.
func isStateConflict(s ledger.CreateTransferStatus) bool {
	switch s { //nolint:exhaustive // no other one is
	case ledger.TransferDebitAccountAlreadyClosed, ledger.TransferCreditAccountAlreadyClosed,
		ledger.TransferPendingTransferAlreadyVoided:
		return true
	default:
		return false
	}
}

// closeTransfer returns a row that closes one of a peer's accounts, the line account or the peer
// account. It moves nothing, and the account is closed until the row is voided. user_data_128 has
// the peer's account, so that a connector reading the row knows the peer. n is the number of the
// closing. Two closings may share a number, if two operators close an account opened in between.
// So the id is drawn anew by each call.
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

// voidTransfer returns the row that ends a closing. Its id follows from the closing's id, so two
// operators write the same row.
func (b *Book) voidTransfer(row ledger.Transfer) ledger.Transfer {
	return ledger.Transfer{
		ID: b.namespace.Derive("open", chart.ID(row.ID)), PendingID: row.ID, Flags: ledger.TransferVoidPending,
	}
}

// ownVoidTransfer returns the row that ends a closing as the first row of a chain, under an id
// that only this call uses: the first id shows which call wrote a chain.
func (b *Book) ownVoidTransfer(row ledger.Transfer) ledger.Transfer {
	return ledger.Transfer{ID: chart.TimedID(time.Now()), PendingID: row.ID, Flags: ledger.TransferVoidPending}
}

// writeVoid writes a void, or finds it written. sequence.ErrTaken means that a different row has
// opened the account.
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
