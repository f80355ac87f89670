package export

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/ledger"
)

// errChecked ends the reading of rows when all accounts have agreed.
var errChecked = errors.New("export: checked")

// checkBalances compares the sums of the rows with the ledger's. The accounts were read after the moment of the
// export, a page after the other, so the ledger's sums of an account are those after some row behind the last entry:
// the rows behind are added until each account has agreed with the ledger once. Sums of posted amounts only
// grow, so an account agrees at one sum of its rows only.
func (x *exporter) checkBalances(ctx context.Context) error {
	open := map[*ledgerAccount]struct{}{}
	for _, account := range x.register.accounts {
		if account.covered && account.posted != account.expected {
			open[account] = struct{}{}
		}
	}
	if len(open) == 0 {
		return nil
	}
	newest, err := newestRow(ctx, x.ledger, lastTimestamp)
	if err != nil {
		return fmt.Errorf("read the newest row: %w", err)
	}
	err = x.readUpTo(ctx, max(x.last+1, x.startTime()), newest, func(row, _ *ledger.Transfer) error {
		debit, credit, err := x.addRow(row)
		for _, account := range []*ledgerAccount{debit, credit} {
			if account != nil && account.posted == account.expected {
				delete(open, account)
			}
		}
		if err == nil && len(open) == 0 {
			return errChecked
		}
		return err
	})
	if err != nil && !errors.Is(err, errChecked) {
		return err
	}
	for account := range open {
		return account.mismatch()
	}
	return nil
}

// mismatch returns the error of an account whose rows do not add up to the ledger's sums.
func (a *ledgerAccount) mismatch() error {
	return fmt.Errorf("%w: the rows of %s of %v (account %v) have %s debited and %s credited in the end, and the ledger had %s and %s",
		ErrBooks, a.shown.Name(), a.shown.Asset, a.id, a.posted.debits, a.posted.credits, a.expected.debits, a.expected.credits)
}
