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

// tally adds up, out of the ledger, what orders of one asset have paid in the last day and what
// open ones may still pay, whoever placed them. It reads each row once: the first time those of
// the last day and all orders that are open, then what came since. Rows never change, so all
// engines find the same, and one that starts again finds what it found before.
type tally struct {
	e      *Engine
	ledger uint32 // of the asset
	tag    uint64 // of its accounts

	mu      sync.Mutex
	started bool
	upTo    uint64                   // rows up to this timestamp are in it
	orders  map[ledger.ID]*paidOrder // open, or closed not long ago
	ours    map[ledger.ID]bool       // settlement accounts: whether they are of our namespace
}

// paidOrder is an order, and what was paid for it.
type paidOrder struct {
	settlement ledger.ID // account
	rail       uint32    // tag
	placed     uint64    // timestamp
	closed     uint64    // timestamp; 0: it is open
	amount     ledger.Amount
	paid       ledger.Amount // once it is closed
	excess     ledger.Amount // what was paid beyond it
}

// tallyMargin is how much longer than a day rows are kept, since clocks differ.
const tallyMargin = time.Hour

// tallyPage is how many rows are read at once; every server takes so many.
const tallyPage = 1000

func (e *Engine) newTally(number uint32) *tally {
	asset, _ := e.book.Asset(number)
	return &tally{
		e: e, ledger: number, tag: e.ns.AssetTag(asset.Code),
		orders: make(map[ledger.ID]*paidOrder), ours: make(map[ledger.ID]bool),
	}
}

// read takes in what is in the ledger by now. Several may read at once: what one has read
// changes nothing when another one reads it too.
func (t *tally) read(ctx context.Context) error {
	t.mu.Lock()
	started, since := t.started, t.upTo
	t.mu.Unlock()
	if !started {
		since = uint64(max(t.e.cfg.Clock().Add(-day-tallyMargin).UnixNano(), 0))
	}
	rows, err := t.rows(ctx, chart.CodeOrder, since)
	if err != nil {
		return err
	}
	var excess []ledger.Transfer
	if slices.ContainsFunc(rows, isPost) { // one that is linked to a post is read after it
		if excess, err = t.rows(ctx, chart.CodeOverpaid, since); err != nil {
			return err
		}
	}
	upTo := since
	if len(rows) > 0 {
		upTo = rows[len(rows)-1].Timestamp
	}
	if !started {
		open, err := t.openBefore(ctx, since, rows)
		if err != nil {
			return err
		}
		rows = append(open, rows...)
	}
	if rows, err = t.ourRows(ctx, rows); err != nil {
		return err
	}
	resolved, err := t.resolvedByThese(ctx, rows)
	if err != nil {
		return err
	}
	rows = append(resolved, rows...)
	rails, err := t.railsAhead(ctx, rows)
	if err != nil {
		return err
	}
	t.learn(rows, excess, rails, upTo)
	if !started {
		return t.read(ctx) // what was closed between the first two requests is missing
	}
	return nil
}

func isPost(row ledger.Transfer) bool { return row.Flags.Has(ledger.TransferPostPending) }

// rows are those of a code in the asset that are newer than a timestamp.
func (t *tally) rows(ctx context.Context, code uint16, since uint64) (all []ledger.Transfer, err error) {
	filter := ledger.QueryFilter{Ledger: t.ledger, Code: code, TimestampMin: since + 1, Limit: tallyPage}
	for {
		page, err := t.e.ledger.QueryTransfers(ctx, filter)
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); len(page) < tallyPage {
			return all, nil
		}
		filter.TimestampMin = page[len(page)-1].Timestamp + 1
	}
}

// openBefore are the orders that were placed up to a moment and are open. Those behind it are in
// rows.
func (t *tally) openBefore(ctx context.Context, moment uint64, rows []ledger.Transfer) (open []ledger.Transfer, err error) {
	seen := make(map[ledger.ID]bool)
	for _, row := range rows {
		seen[row.CreditAccountID] = true
	}
	filter := ledger.QueryFilter{UserData64: t.tag, Ledger: t.ledger, Code: chart.CodeSettlement, Limit: tallyPage}
	for {
		page, err := t.e.ledger.QueryAccounts(ctx, filter)
		if err != nil {
			return nil, err
		}
		t.areOurs(page)
		for _, account := range page {
			if account.CreditsPending.IsZero() || seen[account.ID] {
				continue
			}
			row, found, err := sequence.Newest(ctx, t.e.ledger, ledger.AccountFilter{
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

// areOurs notes which settlement accounts are of our namespace.
func (t *tally) areOurs(found []ledger.Account) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, account := range found {
		t.ours[account.ID] = account.UserData64 == t.tag && account.Code == chart.CodeSettlement
	}
}

// unknown are those of the ids that are not known to be ours or not.
func (t *tally) unknown(rows []ledger.Transfer) (ids []ledger.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	asked := make(map[ledger.ID]bool)
	for _, row := range rows {
		if _, known := t.ours[row.CreditAccountID]; !known && !asked[row.CreditAccountID] {
			asked[row.CreditAccountID] = true
			ids = append(ids, row.CreditAccountID)
		}
	}
	return ids
}

// ourRows are the rows of our namespace: orders, posts and voids.
func (t *tally) ourRows(ctx context.Context, rows []ledger.Transfer) (ours []ledger.Transfer, err error) {
	found, err := batch.Each(ctx, t.unknown(rows), 1, t.e.ledger.LookupAccounts)
	if err != nil {
		return nil, err
	}
	t.areOurs(found)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, row := range rows {
		if t.ours[row.CreditAccountID] {
			ours = append(ours, row)
		}
	}
	return ours, nil
}

// resolvedByThese are the orders that posts and voids among the rows have closed, and that are
// not known.
func (t *tally) resolvedByThese(ctx context.Context, rows []ledger.Transfer) ([]ledger.Transfer, error) {
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
	return batch.Each(ctx, ids, 1, t.e.ledger.LookupTransfers)
}

// railsAhead are the rails of the orders among the rows that pay ahead: an order of that kind has
// its rail in a row of its own.
func (t *tally) railsAhead(ctx context.Context, rows []ledger.Transfer) (map[ledger.ID]uint32, error) {
	var ids []ledger.ID
	for _, row := range rows {
		if row.PendingID.IsZero() && orderTag(row.UserData64).isAhead() {
			ids = append(ids, t.e.railRowID(row.ID))
		}
	}
	found, err := batch.Each(ctx, ids, 1, t.e.ledger.LookupTransfers)
	if err != nil {
		return nil, err
	}
	rails := make(map[ledger.ID]uint32, len(found))
	for _, row := range found {
		rails[row.ID] = row.UserData32
	}
	return rails, nil
}

// learn takes rows in, in the order of time, and forgets what is too old to count.
func (t *tally) learn(rows, excess []ledger.Transfer, rails map[ledger.ID]uint32, upTo uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, row := range rows {
		switch {
		case row.PendingID.IsZero() && t.orders[row.ID] == nil:
			rail := row.UserData32
			if orderTag(row.UserData64).isAhead() {
				rail = rails[t.e.railRowID(row.ID)]
			}
			t.orders[row.ID] = &paidOrder{settlement: row.CreditAccountID, rail: rail, placed: row.Timestamp, amount: row.Amount}
		case row.PendingID.IsZero():
		default:
			o := t.orders[row.PendingID]
			if o == nil {
				continue // it was forgotten meanwhile
			}
			if o.closed = row.Timestamp; row.Flags.Has(ledger.TransferPostPending) {
				o.paid = row.Amount
			}
		}
	}
	for _, row := range excess {
		if o := t.orders[ledger.ID(row.UserData128)]; o != nil {
			o.excess = row.Amount
		}
	}
	t.started, t.upTo = true, max(t.upTo, upTo)
	oldest := timeOf(t.upTo).Add(-day - tallyMargin)
	for id, o := range t.orders {
		if o.closed != 0 && timeOf(o.closed).Before(oldest) {
			delete(t.orders, id)
		}
	}
}

// sum is what counts against a limit of a day: what the orders that it is of were closed with in
// the last day, and what open ones may still be. With an order that was placed it is what counts
// against that one: it comes after all that were placed before it, and later ones come after it.
//
// So two engines that place orders at the same moment cannot exceed the limit: whichever order is
// the later one finds the other.
func (t *tally) sum(placed *Order, of func(*paidOrder) bool) (sum ledger.Amount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := t.e.cfg.Clock()
	if newest := timeOf(t.upTo); placed != nil && newest.Before(since) {
		since = newest // the clock of the ledger, if ours is ahead of it
	}
	since = since.Add(-day)
	for id, o := range t.orders {
		var counts ledger.Amount
		switch {
		case !of(o) || placed != nil && id == placed.ID:
		case o.closed == 0:
			if placed == nil || timeOf(o.placed).Before(placed.PlacedAt) {
				counts = o.amount
			}
		case timeOf(o.closed).After(since):
			counts = plus(o.paid, o.excess)
		}
		sum = plus(sum, counts)
	}
	return sum
}

// plus adds two amounts; ledger.AmountMax if they do not fit.
func plus(a, b ledger.Amount) ledger.Amount {
	sum, fits := a.Add(b)
	if !fits {
		return ledger.AmountMax
	}
	return sum
}
