package settlement

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// payoutTally adds up the orders of one asset from the ledger, whichever engine placed them: the payments of the
// last day, and the amounts of open orders. Each row is read once: first the rows of the last day and all open
// orders, later the new rows. Rows never change, so all engines get the same sums, also after a restart.
type payoutTally struct {
	engine   *Engine
	ledger   uint32 // of the asset
	assetTag uint64 // user_data_64 of the asset's accounts

	mu          sync.Mutex
	started     bool
	readUpTo    uint64                      // timestamp of the newest row read
	orders      map[ledger.ID]*talliedOrder // open, or closed not long ago
	ownAccounts map[ledger.ID]bool          // settlement accounts: whether they belong to our namespace
}

// talliedOrder is an order with its payment.
type talliedOrder struct {
	settlement ledger.ID // account
	rail       uint32    // tag of the rail
	placedAt   uint64    // timestamp
	closedAt   uint64    // timestamp; 0 while open
	amount     ledger.Amount
	paid       ledger.Amount // of a closed order
	excess     ledger.Amount // paid beyond the order
}

// tallyMargin is how much longer than limitPeriod rows are kept, because clocks differ.
const tallyMargin = time.Hour

func (e *Engine) newPayoutTally(number uint32) *payoutTally {
	asset, _ := e.book.Asset(number)
	return &payoutTally{
		engine: e, ledger: number, assetTag: e.ns.AssetTag(asset.Code),
		orders: make(map[ledger.ID]*talliedOrder), ownAccounts: make(map[ledger.ID]bool),
	}
}

// catchUp reads the rows that are new in the ledger. Concurrent calls are safe: applying a row twice changes nothing.
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
	if slices.ContainsFunc(rows, isPost) { // an overpayment is linked to a post, and so found by the later request
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
		return t.catchUp(ctx) // the first pass misses an order that was closed between its two requests
	}
	return nil
}

func isPost(row ledger.Transfer) bool { return row.Flags.Has(ledger.TransferPostPending) }

// applyRows adds rows in the order of their timestamps, and removes orders that are too old to count.
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
				continue // removed by a concurrent call
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

// sumCounted returns the amount that counts against a daily limit: the payments of selected orders that were closed in
// the last day, and the amounts of open ones. For a placed order only orders placed before it count as open.
//
// So two engines that place orders at the same moment cannot exceed the limit: the later order counts the earlier
// one.
func (t *payoutTally) sumCounted(placed *Order, selects func(*talliedOrder) bool) (sum ledger.Amount) {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := t.engine.cfg.Clock()
	if newest := timeOf(t.readUpTo); placed != nil && newest.Before(since) {
		since = newest // our clock is ahead of the ledger's
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

// addClamped adds two amounts; ledger.AmountMax on overflow.
func addClamped(a, b ledger.Amount) ledger.Amount {
	sum, fits := a.Add(b)
	if !fits {
		return ledger.AmountMax
	}
	return sum
}
