package accounts

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// closing is one call of [Book.ClosePeer]. Its steps:
//
//  1. Read the balance, and collect arrears.
//  2. Suspend the peer.
//  3. Wait a poll interval: all connectors see the suspension.
//  4. Read the balance.
//  5. Close the account. Nothing can come in from here on.
//  6. Read the balance again. A payment between steps 4 and 5, or a packet from a connector
//     that had not seen the suspension, shows here: the closing is taken back.
//  7. Only then write off the debt, in one chain that opens the account and closes it again, so
//     that nothing can come in between.
//
// After a call that ended between two steps, step 1 of the next call finds the state.
type closing struct {
	book    *Book
	account PeerAccount
	options closeOptions
	// finished is set once the peer is closed for good: by an earlier call, or by the write-off
	// of this call. A refusal then leaves the peer closed.
	finished bool
	// positionSeen is the position of step 4; nil unless this call closed the account.
	positionSeen *big.Int
}

func (c *closing) closeAndSettle(ctx context.Context) error {
	row, balance, err := c.readState(ctx)
	switch {
	case err != nil:
		return err
	case balance.Closed && isSettled(balance):
		return nil
	case balance.Closed:
		if c.finished, err = c.wasFinished(ctx, &row, balance); err != nil {
			return err
		}
		return c.confirmClosed(ctx)
	}
	if balance, err = c.book.collectArrears(ctx, balance); err != nil {
		return err
	}
	if err := checkOpenPeer(balance, c.options.force); err != nil {
		return err
	}
	if err := c.book.ensureSuspended(ctx, c.account, suspendOptions{reasonCode: c.options.reasonCode}, byClosing); err != nil {
		return err
	}
	if err := c.closeAccount(ctx); err != nil {
		return err
	}
	return c.confirmClosed(ctx)
}

// readState reads the newest closing, and then the balance. In this order, a closing that ends in
// between is detected: ending it again is refused. For a closed peer with something left, the row
// is the closing that closed the account.
func (c *closing) readState(ctx context.Context) (ledger.Transfer, Balance, error) {
	for range maxConflicts {
		row, err := c.book.newestPeerClosing(ctx, c.account)
		if err != nil {
			return ledger.Transfer{}, Balance{}, err
		}
		balance, err := c.book.LookUpBalance(ctx, c.account)
		if err != nil || !balance.Closed || isSettled(balance) || row.Flags.Has(ledger.TransferPending) {
			return row, balance, err
		}
		// A concurrent call has closed the account since the row was read.
	}
	return ledger.Transfer{}, Balance{}, wrapAccount(c.account, ErrLineConflict)
}

// wasFinished reports whether the closing that closed the peer had reached its end: nothing owed
// and nothing held. While an account is closed, only arrears can change and holds can end.
func (c *closing) wasFinished(ctx context.Context, row *ledger.Transfer, balance Balance) (bool, error) {
	if errors.Is(checkClosable(balance, true), ErrHeld) {
		return false, nil
	}
	arrears, err := c.book.balanceAt(ctx, c.book.PeerIDs(c.account).Arrears, row.Timestamp)
	if err != nil {
		return false, fmt.Errorf("read the arrears of %v: %w", c.account, err)
	}
	positionThen := balance.Position()
	positionThen.Add(positionThen, balance.Arrears.Big()).Sub(positionThen, arrears.DebitsPosted.SubFloor(arrears.CreditsPosted).Big())
	return positionThen.Sign() == 0, nil
}

// closeAccount closes the account of a suspended peer (steps 3 to 5), unless a concurrent call
// has closed it.
func (c *closing) closeAccount(ctx context.Context) error {
	pollTimer := time.NewTimer(c.book.pollInterval)
	defer pollTimer.Stop()
	select {
	case <-pollTimer.C:
	case <-ctx.Done():
		return fmt.Errorf("close %v: %w", c.account, context.Cause(ctx))
	}
	row, balance, err := c.readState(ctx)
	if err != nil || balance.Closed {
		return err
	}
	if err := checkOpenPeer(balance, c.options.force); err != nil {
		return err
	}
	c.positionSeen = balance.Position()
	err = c.createRows(ctx, []ledger.Transfer{c.closeTransfer(&row)})
	if errors.Is(err, sequence.ErrTaken) {
		return nil
	}
	return err
}

// closeTransfer returns the row that closes the account, numbered after the newest closing.
func (c *closing) closeTransfer(newest *ledger.Transfer) ledger.Transfer {
	return c.book.closeTransfer(c.account, chart.CodeClose, newest.UserData64+1, c.options.reasonCode)
}

// createRows writes a chain that ends with a closing. It returns sequence.ErrTaken if a
// concurrent call has closed or opened the account.
func (c *closing) createRows(ctx context.Context, rows []ledger.Transfer) error {
	err := c.book.createChain(ctx, rows)
	var refused *ledger.TransferError
	switch {
	case err == nil, errors.Is(err, sequence.ErrTaken):
		return err
	case errors.As(err, &refused) && refused.Status == ledger.TransferIDAlreadyFailed:
		return sequence.ErrTaken // refused by an earlier request whose answer was lost: read the state again
	default:
		return fmt.Errorf("close %v: %w", c.account, err)
	}
}

// confirmClosed reads the balance of a closed peer (step 6). It writes off the debt (step 7), or
// takes the closing back, whether it was written by this call, by a concurrent call or by an
// interrupted one.
func (c *closing) confirmClosed(ctx context.Context) error {
	for range maxConflicts {
		row, balance, err := c.readState(ctx)
		if err != nil {
			return err
		}
		objection := c.findObjection(balance)
		switch {
		case balance.Closed && isSettled(balance):
			return nil
		case !balance.Closed && objection == nil: // an operator has opened the account
			return fmt.Errorf("close %v: %w", c.account, ErrLineConflict)
		case !balance.Closed:
			return objection
		case objection == nil:
			err = c.writeOff(ctx, &row, balance)
			var refused *ledger.TransferError
			if errors.As(err, &refused) {
				objection = errors.Join(owedError(balance), err)
			}
		}
		if objection != nil {
			if err = c.takeBack(ctx, row); err == nil {
				return objection
			}
		}
		if err != nil && !errors.Is(err, sequence.ErrTaken) {
			return errors.Join(objection, err)
		}
		// Either the write-off is done, unless something came in after the balance was read, or a
		// concurrent call has closed or opened the account. Read the state again.
	}
	return wrapAccount(c.account, ErrLineConflict)
}

// findObjection returns why a closed peer may not stay closed: something is held or owed, or has
// come in during the closing.
func (c *closing) findObjection(balance Balance) error {
	err := checkClosable(balance, c.options.force)
	if err == nil && c.positionSeen != nil && c.positionSeen.Cmp(balance.Position()) != 0 {
		err = owedError(balance)
	}
	return err
}

// takeBack opens the closed account again.
func (c *closing) takeBack(ctx context.Context, row ledger.Transfer) error {
	if c.finished {
		return nil
	}
	return c.book.writeVoid(ctx, c.book.voidTransfer(row))
}

// writeOff books in one chain: the end of the closing, the collection and the write-offs, and a
// new closing.
func (c *closing) writeOff(ctx context.Context, row *ledger.Transfer, balance Balance) error {
	chain := append([]ledger.Transfer{c.book.ownVoidTransfer(*row)}, c.writeOffTransfers(balance)...)
	err := c.createRows(ctx, append(chain, c.closeTransfer(row)))
	if err == nil { // amounts that come in from now on do not undo the closing
		c.positionSeen, c.finished = nil, c.options.force
	}
	return err
}

// writeOffTransfers returns the transfers that bring a closed peer without holds to a position of
// 0. Only arrears can have changed since the balance was read: if they are less, the ledger
// refuses the collection; if they are more, the last write-off takes all of them.
func (c *closing) writeOffTransfers(balance Balance) []ledger.Transfer {
	ids, suspense := c.book.PeerIDs(c.account), c.book.assets[c.account.ledger].ids.Suspense
	var rows []ledger.Transfer
	collected := balance.Arrears.Min(balance.Headroom)
	if !balance.Arrears.IsZero() {
		row := chart.Collect(ids.Peer, ids.Arrears, c.account.ledger)
		row.ID, row.Amount, row.Flags = chart.TimedID(time.Now()), collected, 0
		rows = append(rows, row)
	}
	if collected.Less(balance.Arrears) {
		row := c.writeOffTransfer(suspense, ids.Arrears, ledger.AmountMax)
		row.Flags = ledger.TransferBalancingCredit
		rows = append(rows, row)
	}
	switch free := balance.Headroom.SubFloor(collected); free.Compare(balance.CreditLine) {
	case 1:
		rows = append(rows, c.writeOffTransfer(ids.Peer, suspense, free.SubFloor(balance.CreditLine)))
	case -1:
		rows = append(rows, c.writeOffTransfer(suspense, ids.Peer, balance.CreditLine.SubFloor(free)))
	}
	return rows
}

// writeOffTransfer gives an amount up. Its user_data_128 is 0: a statement tells it by that from
// an adjustment, which has a key there. It has no condition in user_data_64.
func (c *closing) writeOffTransfer(debit, credit ledger.ID, amount ledger.Amount) ledger.Transfer {
	return ledger.Transfer{
		ID: chart.TimedID(time.Now()), DebitAccountID: debit, CreditAccountID: credit, Amount: amount, UserData32: c.options.reasonCode,
		Ledger: c.account.ledger, Code: chart.CodeAdjust,
	}
}
