package settlement

import (
	"context"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// tallyPage is the number of rows of a request. Every server accepts as many.
const tallyPage = 1000

// readRowsSince reads the asset's rows of a code after a timestamp.
func (t *payoutTally) readRowsSince(ctx context.Context, code uint16, since uint64) (all []ledger.Transfer, err error) {
	filter := ledger.QueryFilter{Ledger: t.ledger, Code: code, TimestampMin: since + 1, Limit: tallyPage}
	for {
		page, err := t.engine.ledger.QueryTransfers(ctx, filter)
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); len(page) < tallyPage {
			return all, nil
		}
		filter.TimestampMin = page[len(page)-1].Timestamp + 1
	}
}

// readOpenBefore reads the open orders placed up to a timestamp. rows has the later orders.
func (t *payoutTally) readOpenBefore(ctx context.Context, moment uint64, rows []ledger.Transfer) (open []ledger.Transfer, err error) {
	seen := make(map[ledger.ID]bool)
	for _, row := range rows {
		seen[row.CreditAccountID] = true
	}
	filter := ledger.QueryFilter{UserData64: t.assetTag, Ledger: t.ledger, Code: chart.CodeSettlement, Limit: tallyPage}
	for {
		page, err := t.engine.ledger.QueryAccounts(ctx, filter)
		if err != nil {
			return nil, err
		}
		t.noteOwnAccounts(page)
		for _, account := range page {
			if account.CreditsPending.IsZero() || seen[account.ID] {
				continue
			}
			row, found, err := sequence.Newest(ctx, t.engine.ledger, ledger.AccountFilter{
				AccountID: account.ID, Code: chart.CodeOrder, Flags: ledger.AccountFilterCredits,
			})
			if err != nil {
				return nil, err
			}
			if found && row.Flags.Has(ledger.TransferPending) && row.Timestamp <= moment {
				open = append(open, row)
			}
		}
		if len(page) < tallyPage {
			return open, nil
		}
		filter.TimestampMin = page[len(page)-1].Timestamp + 1
	}
}

// noteOwnAccounts remembers which settlement accounts belong to our namespace.
func (t *payoutTally) noteOwnAccounts(found []ledger.Account) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, account := range found {
		t.ownAccounts[account.ID] = account.UserData64 == t.assetTag && account.Code == chart.CodeSettlement
	}
}

// unknownAccounts returns the settlement accounts of rows that noteOwnAccounts has not seen.
func (t *payoutTally) unknownAccounts(rows []ledger.Transfer) (ids []ledger.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	asked := make(map[ledger.ID]bool)
	for _, row := range rows {
		if _, known := t.ownAccounts[row.CreditAccountID]; !known && !asked[row.CreditAccountID] {
			asked[row.CreditAccountID] = true
			ids = append(ids, row.CreditAccountID)
		}
	}
	return ids
}

// selectOwnRows returns the rows of our namespace: orders, posts and voids.
func (t *payoutTally) selectOwnRows(ctx context.Context, rows []ledger.Transfer) (ownRows []ledger.Transfer, err error) {
	found, err := batch.Each(ctx, t.unknownAccounts(rows), 1, t.engine.ledger.LookupAccounts)
	if err != nil {
		return nil, err
	}
	t.noteOwnAccounts(found)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, row := range rows {
		if t.ownAccounts[row.CreditAccountID] {
			ownRows = append(ownRows, row)
		}
	}
	return ownRows, nil
}

// readResolvedOrders reads the orders that posts and voids among rows have closed, if they are in neither rows nor
// the tally.
func (t *payoutTally) readResolvedOrders(ctx context.Context, rows []ledger.Transfer) ([]ledger.Transfer, error) {
	t.mu.Lock()
	known := make(map[ledger.ID]bool)
	var ids []ledger.ID
	for _, row := range rows {
		switch id := row.PendingID; {
		case id.IsZero():
			known[row.ID] = true
		case !known[id] && t.orders[id] == nil:
			known[id] = true
			ids = append(ids, id)
		}
	}
	t.mu.Unlock()
	return batch.Each(ctx, ids, 1, t.engine.ledger.LookupTransfers)
}

// readPrefundRails reads the rails of the orders that pay ahead: the rail of such an order is in a row of its own.
func (t *payoutTally) readPrefundRails(ctx context.Context, rows []ledger.Transfer) (map[ledger.ID]uint32, error) {
	var ids []ledger.ID
	for _, row := range rows {
		if row.PendingID.IsZero() && orderTag(row.UserData64).isAhead() {
			ids = append(ids, t.engine.railRowID(row.ID))
		}
	}
	found, err := batch.Each(ctx, ids, 1, t.engine.ledger.LookupTransfers)
	if err != nil {
		return nil, err
	}
	rails := make(map[ledger.ID]uint32, len(found))
	for _, row := range found {
		rails[row.ID] = row.UserData32
	}
	return rails, nil
}
