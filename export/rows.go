package export

import (
	"fmt"
	"math/big"

	"github.com/peerledger/peerledger/ledger"
)

// movesMoney reports whether a row has posted an amount.
func movesMoney(row *ledger.Transfer) bool {
	return !row.Flags.Any(ledger.TransferPending|ledger.TransferVoidPending) && !row.Amount.IsZero()
}

// isEntry reports whether a row is an entry between the accounts, which are nil if unknown: a covered account has
// all its rows, and a change of a credit line stays within one [Account].
func isEntry(row *ledger.Transfer, debit, credit *ledgerAccount) bool {
	return movesMoney(row) && debit != nil && credit != nil && (debit.covered || credit.covered) && debit.shown != credit.shown
}

// bookRow books a row from before the range.
func (x *exporter) bookRow(row, _ *ledger.Transfer) error {
	debit, credit, err := x.addRow(row)
	if err != nil || !isEntry(row, debit, credit) {
		return err
	}
	return x.moveBalances(debit.shown, credit.shown, row.Amount)
}

// exportRow writes a row of the range, or adds it to the sums of its day.
func (x *exporter) exportRow(row, named *ledger.Transfer) error {
	debit, credit, err := x.addRow(row)
	if err != nil || !isEntry(row, debit, credit) {
		return err
	}
	e := &x.entry
	*e = Entry{Time: row.Timestamp, Transfer: row.ID, Count: 1, Debit: debit.shown, Credit: credit.shown, Amount: row.Amount}
	x.register.describeRow(e, row, named)
	if x.sums == nil {
		return x.writeEntry(e)
	}
	if day := startOfDay(e.Time); day != x.sums.day {
		if err := x.writeSums(); err != nil {
			return err
		}
		x.sums.day = day
	}
	return x.sums.addEntry(e)
}

// addRow adds a row to the sums of its accounts in the ledger. An account is nil if the ledger has created it
// after the accounts were read.
func (x *exporter) addRow(row *ledger.Transfer) (debit, credit *ledgerAccount, err error) {
	debit, credit = x.register.byID.find(row.DebitAccountID), x.register.byID.find(row.CreditAccountID)
	if !movesMoney(row) {
		return debit, credit, nil
	}
	fits := true
	if debit != nil && debit.covered {
		debit.posted.debits, fits = debit.posted.debits.Add(row.Amount)
	}
	if credit != nil && credit.covered && fits {
		credit.posted.credits, fits = credit.posted.credits.Add(row.Amount)
	}
	if !fits {
		return nil, nil, fmt.Errorf("%w: the rows up to the transfer %v exceed 2^128-1 units of an account", ErrBooks, row.ID)
	}
	return debit, credit, nil
}

// moveBalances moves an amount from the credit account to the debit account.
func (x *exporter) moveBalances(debit, credit *Account, amount ledger.Amount) error {
	debitFits, creditFits := true, true
	if !debit.Partial {
		x.balances[debit.Index], debitFits = x.balances[debit.Index].Debit(amount)
	}
	if !credit.Partial {
		x.balances[credit.Index], creditFits = x.balances[credit.Index].Credit(amount)
	}
	if !debitFits || !creditFits {
		return fmt.Errorf("%w: a balance of %s or %s exceeds 2^128-1 units", ErrBooks, debit.Name(), credit.Name())
	}
	return nil
}

// writeEntry writes an entry with the balances after it.
func (x *exporter) writeEntry(e *Entry) error {
	if err := x.moveBalances(e.Debit, e.Credit, e.Amount); err != nil {
		return err
	}
	e.DebitBalance, e.CreditBalance = x.balances[e.Debit.Index], x.balances[e.Credit.Index]
	x.countEntry(e)
	return x.writer.Write(e)
}

// runningTotal has the control totals of an asset so far.
type runningTotal struct {
	entries, transfers uint64
	amounts            ledger.Amount // the sum less exceeded times 2^128
	exceeded           int64
}

// countEntry adds an entry to the control totals.
func (x *exporter) countEntry(e *Entry) {
	total, fits := &x.totals[x.assetIndex[e.Debit.Asset.Ledger]], false
	total.entries++
	total.transfers += e.Count
	if total.amounts, fits = total.amounts.Add(e.Amount); !fits {
		total.exceeded++
	}
}

// toTotal returns the control totals.
func (t *runningTotal) toTotal() Total {
	amounts := new(big.Int).Lsh(big.NewInt(t.exceeded), 128)
	return Total{Entries: t.entries, Transfers: t.transfers, Amounts: amounts.Add(amounts, t.amounts.Big())}
}
