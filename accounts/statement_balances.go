package accounts

import (
	"context"
	"fmt"
	"math/big"

	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// readBalances fixes the end of the statement, and reads its balances.
func (s *Statement) readBalances(ctx context.Context, last uint64) error {
	byID, err := s.book.lookupIDs(ctx, []ledger.ID{s.Account.id}, 1)
	if err != nil {
		return err
	}
	account, found := byID[s.Account.id]
	if !found {
		return ErrNotProvisioned
	}
	newest, err := s.newestRow(ctx, last)
	if err != nil {
		return err
	}
	if s.last = newest; s.last < s.first {
		s.last = 0
	}
	history := account.Flags.Has(ledger.AccountHistory)
	// The balances take several requests, and new rows may appear after the newest one. So they
	// are read up to the newest row.
	if s.Opening, err = s.balanceAfter(ctx, history, min(s.first-1, newest)); err != nil {
		return err
	}
	s.Closing = s.Opening
	switch {
	case s.last == 0:
	case history:
		s.Closing, err = s.balanceAfter(ctx, history, s.last)
	default:
		var moved *big.Int
		if moved, err = s.sumMovements(ctx, s.first, s.last); err == nil {
			s.Closing, err = s.lineAndArrearsAfter(ctx, s.last)
			s.Closing.Position = moved.Add(moved, s.Opening.Position)
		}
	}
	return err
}

// newestRow returns the time of the newest row up to a moment, 0 if there is none. The ledger
// never inserts a row before a visible one, so the rows up to this time are final, in both
// accounts.
func (s *Statement) newestRow(ctx context.Context, last uint64) (at uint64, err error) {
	if last == 0 { // TimestampMax 0 would be open
		return 0, nil
	}
	for _, id := range s.accountIDs() {
		row, _, err := sequence.Newest(ctx, s.book.ledger, filterOf(id, 1, last, 1))
		if err != nil {
			return 0, err
		}
		at = max(at, row.Timestamp)
	}
	return at, nil
}

// balanceAfter returns the balance right after a moment.
func (s *Statement) balanceAfter(ctx context.Context, history bool, at uint64) (StatementBalance, error) {
	st, err := s.lineAndArrearsAfter(ctx, at)
	if err != nil {
		return st, err
	}
	if !history {
		st.Position, err = s.sumMovements(ctx, 1, at)
		return st, err
	}
	balance, err := s.book.balanceAt(ctx, s.Account.id, at)
	if err != nil {
		return st, err
	}
	st.Position = new(big.Int).Sub(balance.CreditsPosted.Big(), balance.DebitsPosted.Big())
	st.Position.Sub(st.Position, st.CreditLine.Big()).Sub(st.Position, st.Arrears.Big())
	return st, nil
}

// lineAndArrearsAfter reads the credit line and the arrears right after a moment. Their accounts
// always have a history.
func (s *Statement) lineAndArrearsAfter(ctx context.Context, at uint64) (st StatementBalance, err error) {
	if s.Account.IsOwn() {
		return st, nil
	}
	line, err := s.book.balanceAt(ctx, s.ids.Line, at)
	if err != nil {
		return st, err
	}
	arrears, err := s.book.balanceAt(ctx, s.ids.Arrears, at)
	st.CreditLine = line.DebitsPosted.SubFloor(line.CreditsPosted)
	st.Arrears = arrears.DebitsPosted.SubFloor(arrears.CreditsPosted)
	return st, err
}

// balanceAt reads the newest balance in an account's history up to a moment.
func (b *Book) balanceAt(ctx context.Context, id ledger.ID, at uint64) (ledger.AccountBalance, error) {
	if at == 0 {
		return ledger.AccountBalance{}, nil
	}
	rows, err := b.ledger.GetAccountBalances(ctx, ledger.AccountFilter{
		AccountID: id, TimestampMax: at, Limit: 1,
		Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits | ledger.AccountFilterReversed,
	})
	if err != nil || len(rows) == 0 {
		return ledger.AccountBalance{}, err
	}
	return rows[0], nil
}

// sumMovements sums up the movements in a time.
func (s *Statement) sumMovements(ctx context.Context, first, last uint64) (*big.Int, error) {
	total := new(big.Int)
	for row, err := range s.readRows(ctx, first, last) {
		if err != nil {
			return nil, err
		}
		total.Add(total, s.positionChange(&row))
	}
	return total, nil
}

func (st StatementBalance) equals(o StatementBalance) bool {
	return st.Position.Cmp(o.Position) == 0 && st.CreditLine == o.CreditLine && st.Arrears == o.Arrears
}

// describeBalance writes a balance in whole units, for errors.
func (a Asset) describeBalance(st StatementBalance) string {
	return fmt.Sprintf("%s %s, a line of %s and arrears of %s", a.formatSigned(st.Position), a.Code, a.Text(st.CreditLine), a.Text(st.Arrears))
}

// applyRow returns the balance after a transfer.
func (s *Statement) applyRow(balance StatementBalance, row *statementRow) StatementBalance {
	balance.Position = new(big.Int).Add(balance.Position, s.positionChange(row))
	if row.Flags.Has(ledger.TransferPending) || s.Account.IsOwn() {
		return balance
	}
	balance.CreditLine = applyToDebits(balance.CreditLine, row, s.ids.Line)
	balance.Arrears = applyToDebits(balance.Arrears, row, s.ids.Arrears)
	return balance
}

// applyToDebits returns the credit line, or the arrears, after a transfer: both are net debits of
// their account.
func applyToDebits(before ledger.Amount, row *statementRow, id ledger.ID) ledger.Amount {
	switch id {
	case row.DebitAccountID:
		after, _ := before.Add(row.Amount) // the ledger keeps this sum too, so it fits
		return after
	case row.CreditAccountID:
		return before.SubFloor(row.Amount)
	default:
		return before
	}
}
