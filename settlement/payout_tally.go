package settlement

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// payoutTally adds up, out of the ledger, what orders of one asset have paid in the last day and what
// open ones may still pay, whoever placed them. It reads each row once: the first time those of
// the last day and all orders that are open, then what came since. Rows never change, so all
// engines find the same, and one that starts again finds what it found before.
type payoutTally struct {
	engine   *Engine
	ledger   uint32 // of the asset
	assetTag uint64 // of its accounts

	mu          sync.Mutex
	started     bool
	readUpTo    uint64                      // rows up to this timestamp are in it
	orders      map[ledger.ID]*talliedOrder // open, or closed not long ago
	ownAccounts map[ledger.ID]bool          // settlement accounts: whether they are of our namespace
}

// talliedOrder is an order, and what was paid for it.
type talliedOrder struct {
	settlement ledger.ID // account
	rail       uint32    // tag
	placedAt   uint64    // timestamp
	closedAt   uint64    // timestamp; 0: it is open
	amount     ledger.Amount
	paid       ledger.Amount // once it is closed
	excess     ledger.Amount // what was paid beyond it
}

// tallyMargin is how much longer than a day rows are kept, since clocks differ.
const tallyMargin = time.Hour

// tallyPage is how many rows are read at once; every server takes so many.
const tallyPage = 1000

func (e *Engine) newPayoutTally(number uint32) *payoutTally {
	asset, _ := e.book.Asset(number)
	return &payoutTally{
		engine: e, ledger: number, assetTag: e.ns.AssetTag(asset.Code),
		orders: make(map[ledger.ID]*talliedOrder), ownAccounts: make(map[ledger.ID]bool),
	}
}

// catchUp takes in what is in the ledger by now. Several may read at once: what one has read
// changes nothing when another one reads it too.
func (t *payoutTally) catchUp(ctx context.Context) error {
	t.mu.Lock()
	started, since := t.started, t.readUpTo
	t.mu.Unlock()
	if !started {
		since = uint64(max(t.engine.cfg.Clock().Add(-limitPeriod-tallyMargin).UnixNano(), 0))
	}
	rows, err := t.readRowsSince(ctx, chart.CodeOrder, since)
	if err != nil {
		return err
	}
	var excess []ledger.Transfer
	if slices.ContainsFunc(rows, isPost) { // one that is linked to a post is read after it
		if excess, err = t.readRowsSince(ctx, chart.CodeOverpaid, since); err != nil {
			return err
		}
	}
	upTo := since
	if len(rows) > 0 {
		upTo = rows[len(rows)-1].Timestamp
	}
	if !started {
		open, err := t.readOpenBefore(ctx, since, rows)
		if err != nil {
			return err
		}
		rows = append(open, rows...)
	}
	if rows, err = t.selectOwnRows(ctx, rows); err != nil {
		return err
	}
	resolved, err := t.readResolvedOrders(ctx, rows)
	if err != nil {
		return err
	}
	rows = append(resolved, rows...)
	rails, err := t.readPrefundRails(ctx, rows)
	if err != nil {
		return err
	}
	t.applyRows(rows, excess, rails, upTo)
	if !started {
		return t.catchUp(ctx) // what was closed between the first two requests is missing
	}
	return nil
}

func isPost(row ledger.Transfer) bool { return row.Flags.Has(ledger.TransferPostPending) }

// readRowsSince are those of a code in the asset that are newer than a timestamp.
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

// readOpenBefore are the orders that were placed up to a moment and are open. Those behind it are in
// rows.
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

// noteOwnAccounts notes which settlement accounts are of our namespace.
func (t *payoutTally) noteOwnAccounts(found []ledger.Account) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, account := range found {
		t.ownAccounts[account.ID] = account.UserData64 == t.assetTag && account.Code == chart.CodeSettlement
	}
}

// unknownAccounts are those of the ids that are not known to be ours or not.
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

// selectOwnRows are the rows of our namespace: orders, posts and voids.
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

// readResolvedOrders are the orders that posts and voids among the rows have closed, and that are
// not known.
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

// readPrefundRails are the rails of the orders among the rows that pay ahead: an order of that kind has
// its rail in a row of its own.
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

// applyRows takes rows in, in the order of time, and forgets what is too old to count.
func (t *payoutTally) applyRows(rows, excess []ledger.Transfer, rails map[ledger.ID]uint32, upTo uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, row := range rows {
		switch {
		case row.PendingID.IsZero() && t.orders[row.ID] == nil:
			rail := row.UserData32
			if orderTag(row.UserData64).isAhead() {
				rail = rails[t.engine.railRowID(row.ID)]
			}
			t.orders[row.ID] = &talliedOrder{settlement: row.CreditAccountID, rail: rail, placedAt: row.Timestamp, amount: row.Amount}
		case row.PendingID.IsZero():
		default:
			o := t.orders[row.PendingID]
			if o == nil {
				continue // it was forgotten meanwhile
			}
			if o.closedAt = row.Timestamp; row.Flags.Has(ledger.TransferPostPending) {
				o.paid = row.Amount
			}
		}
	}
	for _, row := range excess {
		if o := t.orders[ledger.ID(row.UserData128)]; o != nil {
			o.excess = row.Amount
		}
	}
	t.started, t.readUpTo = true, max(t.readUpTo, upTo)
	oldest := timeOf(t.readUpTo).Add(-limitPeriod - tallyMargin)
	for id, o := range t.orders {
		if o.closedAt != 0 && timeOf(o.closedAt).Before(oldest) {
			delete(t.orders, id)
		}
	}
}

// sumCounted is what counts against a limit of a day: what the orders that it is of were closed with in
// the last day, and what open ones may still be. With an order that was placed it is what counts
// against that one: it comes after all that were placed before it, and later ones come after it.
//
// So two engines that place orders at the same moment cannot exceed the limit: whichever order is
// the later one finds the other.
func (t *payoutTally) sumCounted(placed *Order, selects func(*talliedOrder) bool) (sum ledger.Amount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := t.engine.cfg.Clock()
	if newest := timeOf(t.readUpTo); placed != nil && newest.Before(since) {
		since = newest // the clock of the ledger, if ours is ahead of it
	}
	since = since.Add(-limitPeriod)
	for id, o := range t.orders {
		var counts ledger.Amount
		switch {
		case !selects(o) || placed != nil && id == placed.ID:
		case o.closedAt == 0:
			if placed == nil || timeOf(o.placedAt).Before(placed.PlacedAt) {
				counts = o.amount
			}
		case timeOf(o.closedAt).After(since):
			counts = addClamped(o.paid, o.excess)
		}
		sum = addClamped(sum, counts)
	}
	return sum
}

// addClamped adds two amounts; ledger.AmountMax if they do not fit.
func addClamped(a, b ledger.Amount) ledger.Amount {
	sum, fits := a.Add(b)
	if !fits {
		return ledger.AmountMax
	}
	return sum
}
