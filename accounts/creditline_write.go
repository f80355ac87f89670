package accounts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// writeLine writes the row of a change, under the first number after change.Number whose id is not
// burnt, and returns the change with that number. The ledger decides how much a partial revoke
// lowers the line: writeLine reads the amount back from the row.
func (b *Book) writeLine(ctx context.Context, change CreditLineChange, o lineOptions) (CreditLineChange, error) {
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
		return CreditLineChange{}, b.explainLine(ctx, change, err)
	}
	change.Number, change.Transfer = n, row(n).ID
	if !o.partial || change.Before.Less(change.After) {
		return change, nil
	}
	placed, err := b.ledger.LookupTransfers(ctx, []ledger.ID{change.Transfer})
	if err == nil && len(placed) == 0 {
		err = fmt.Errorf("the ledger does not find the row it has just taken (transfer %v)", change.Transfer)
	}
	if err != nil {
		return change, fmt.Errorf("the line of %v was lowered: look up by how much: %w", change.Account, err)
	}
	change.After = change.Before.SubFloor(placed[0].Amount)
	return change, nil
}

// explainLine turns the ledger's refusal of a row into an error with the current line.
func (b *Book) explainLine(ctx context.Context, change CreditLineChange, err error) error {
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
		return &LineConflictError{Account: change.Account, Asset: balance.Asset, CreditLine: balance.CreditLine}
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

// lineInUseError is the error for lowering a line by more than its free part.
func lineInUseError(balance Balance, by ledger.Amount) error {
	return &LineInUseError{
		Account: balance.Account, Asset: balance.Asset, CreditLine: balance.CreditLine, Free: balance.freeLine(),
		By: by, Wanted: balance.CreditLine.SubFloor(by),
	}
}

// newestLineNumber returns the number of the newest change of a line, 0 if there is none.
func (b *Book) newestLineNumber(ctx context.Context, account PeerAccount) (uint64, error) {
	row, _, err := sequence.Newest(ctx, b.ledger, ledger.AccountFilter{
		AccountID: b.PeerIDs(account).Line, Code: chart.CodeGrant,
		Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
	})
	if err != nil {
		return 0, fmt.Errorf("read the newest change of the credit line of %v: %w", account, err)
	}
	return row.UserData64, nil
}

// grantTransfer returns row n of the changes of a line: the line account gives the peer account
// headroom. The nonce distinguishes the rows of different calls.
func (b *Book) grantTransfer(l lineRequest, n uint64, nonce uint128.Uint128) ledger.Transfer {
	ids := b.PeerIDs(l.account)
	return ledger.Transfer{
		ID:             b.namespace.Derive("line", chart.ID(ids.Line), chart.U64(n)),
		DebitAccountID: ids.Line, CreditAccountID: ids.Peer, Amount: l.want,
		UserData64: n, UserData128: nonce,
		Ledger: l.account.ledger, Code: chart.CodeGrant,
	}
}

// revokeTransfer returns row n of the changes of a line: the peer account gives headroom back.
func (b *Book) revokeTransfer(account PeerAccount, amount ledger.Amount, n uint64, nonce uint128.Uint128) ledger.Transfer {
	row := b.grantTransfer(lineRequest{account: account, want: amount}, n, nonce)
	row.DebitAccountID, row.CreditAccountID = row.CreditAccountID, row.DebitAccountID
	return row
}

func newNonce() uint128.Uint128 {
	var b [16]byte
	rand.Read(b[:])
	return uint128.FromBytes(b[:])
}
