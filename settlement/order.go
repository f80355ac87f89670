package settlement

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// OpenOrder is an order that is neither paid nor voided.
type OpenOrder struct {
	Order
	// OwnedByThisInstance is true if an Engine of this Instance owns the order: the last engine
	// that placed the order or took it over.
	OwnedByThisInstance bool
	// LeaseRenewedAt is the last sign of life of the owner, by the ledger's time. After
	// [Config.Lease] another Instance takes the order over. Only [Engine.Orders] sets it.
	LeaseRenewedAt time.Time
	// Attempts counts this Engine's calls of the Settler for the order. LastErr is the last reason
	// why the order stayed open: an answer of the Settler that was not final, or an error of the
	// ledger; nil without a reason.
	Attempts int
	LastErr  error
	// Claims counts the claims on the order. It stays 0 if the owner has given no sign of life
	// after placing the order, and with [Config.NoTakeover]. Only [Engine.Orders] sets Claims.
	Claims uint64
	// Waits is the reason why no Engine gives the order to a rail for now: it matches
	// [ErrAwaitsApproval] or [ErrPaused]. nil if nothing keeps the order from being paid. Only
	// [Engine.Orders] sets it.
	Waits error
}

// Age returns for how long the order has been open at a time.
func (o OpenOrder) Age(now time.Time) time.Duration { return now.Sub(o.PlacedAt) }

// Orders reads the open orders of accounts from the ledger; without accounts, of all accounts ever
// touched. The errors are from [accounts.Book.LookUpBalances] and from the ledger's requests.
func (e *Engine) Orders(ctx context.Context, list ...accounts.PeerAccount) ([]OpenOrder, error) {
	if len(list) == 0 {
		list = e.tracker.allAccounts(e.cfg.Clock())
	}
	balances, err := e.book.LookUpBalances(ctx, list...)
	if err != nil {
		return nil, err
	}
	known := e.tracker.openOrders()
	var open []OpenOrder
	for _, b := range balances {
		if b.Settling.IsZero() {
			continue
		}
		latest, err := e.readLatestOrder(ctx, b.Account)
		if err != nil {
			return open, err
		}
		if !latest.open {
			continue
		}
		o, err := e.readOpenOrder(ctx, &latest)
		if err != nil {
			return open, err
		}
		if k := known[b.Account]; k != nil && k.ID == o.ID {
			o.Attempts, o.LastErr = k.Attempts, k.LastErr
		}
		open = append(open, o)
	}
	return open, nil
}

// readOpenOrder reads who owns an open order, and why it waits.
func (e *Engine) readOpenOrder(ctx context.Context, latest *latestOrder) (OpenOrder, error) {
	owner, err := e.readOwner(ctx, latest)
	if err != nil {
		return OpenOrder{}, err
	}
	v, err := e.readVerdict(ctx, &latest.Order)
	if err != nil {
		return OpenOrder{}, err
	}
	return OpenOrder{
		Order: latest.Order, OwnedByThisInstance: owner.isUs, LeaseRenewedAt: owner.renewedAt, Claims: owner.claims,
		Waits: e.waitReason(&latest.Order, v),
	}, nil
}

// latestOrder is the newest order of an account and its state. An account without orders has
// the zero latestOrder, with Account alone set.
type latestOrder struct {
	Order                // if closed: the post or void, with the order's user data
	timestamp  time.Time // of the newest row: the order's, or of its post or void
	open       bool
	placedByUs bool      // by this Instance; another one may own the order by now
	resolvedID ledger.ID // if closed: the order that the newest row closed
	posted     bool      // if closed: by a post
	voided     bool      // if closed: by a void
}

// newestOrderID returns the id of the newest order, open or closed.
func (l *latestOrder) newestOrderID() ledger.ID {
	if l.resolvedID.IsZero() {
		return l.ID
	}
	return l.resolvedID
}

// readLatestOrder reads the newest order of an account. A post or a void inherits the code and
// the user data of its order and is newer than the order, so the newest row tells whether the
// order is open.
func (e *Engine) readLatestOrder(ctx context.Context, a accounts.PeerAccount) (latestOrder, error) {
	row, found, err := sequence.Newest(ctx, e.ledger, ledger.AccountFilter{
		AccountID: e.book.PeerIDs(a).Settlement, Code: chart.CodeOrder, Flags: ledger.AccountFilterCredits,
	})
	if err != nil || !found {
		return latestOrder{Order: Order{Account: a}}, wrap("read the newest order", err)
	}
	order, err := e.orderFromRow(ctx, a, &row)
	if err != nil {
		return latestOrder{Order: Order{Account: a}}, err
	}
	return latestOrder{
		Order:      order,
		timestamp:  timeOf(row.Timestamp),
		open:       row.Flags.Has(ledger.TransferPending),
		placedByUs: row.UserData128 == e.instance,

		resolvedID: row.PendingID,
		posted:     row.Flags.Has(ledger.TransferPostPending),
		voided:     row.Flags.Has(ledger.TransferVoidPending),
	}, nil
}

// orderFromRow makes the Order of a row. A prefunding order names its rail in a second row, which
// orderFromRow looks up.
func (e *Engine) orderFromRow(ctx context.Context, a accounts.PeerAccount, row *ledger.Transfer) (Order, error) {
	asset, _ := e.book.Asset(a.Ledger())
	tag := orderTag(row.UserData64)
	o := Order{
		ID: row.ID, Account: a, Asset: asset, rail: row.UserData32, tag: tag,
		Sequence: tag.number(), Amount: row.Amount, PlacedAt: timeOf(row.Timestamp),
		Refund: tag.isRefund(), Prefunds: tag.isAhead(),
	}
	if o.Prefunds {
		o.limit = unpackAhead(row.UserData32)
		order := row.ID
		if !row.PendingID.IsZero() { // the row is a post or a void
			order = row.PendingID
		}
		rows, err := e.ledger.LookupTransfers(ctx, []ledger.ID{e.railRowID(order)})
		if err != nil {
			return Order{}, wrap("read the rail of the order", err)
		}
		o.rail = 0
		for _, r := range rows {
			o.rail = r.UserData32
		}
	}
	if r := e.rails[o.rail]; r != nil {
		o.Rail = r.Name
	}
	return o, nil
}

// lookUpOrder reads an order and, in the same request, whether pauses hold now. Balancing may have
// made the order smaller than requested.
func (e *Engine) lookUpOrder(ctx context.Context, a accounts.PeerAccount, id ledger.ID, pauses ...pauseKey) (Order, error) {
	rows, err := e.lookUpWithPauses(ctx, pauses, id)
	if err != nil {
		return Order{}, wrap("look the order up", err)
	}
	isOrder := len(rows) == 1 && rows[0].Code == chart.CodeOrder && rows[0].Flags.Has(ledger.TransferPending)
	if !isOrder || rows[0].CreditAccountID != e.book.PeerIDs(a).Settlement {
		return Order{}, ErrNoOrder
	}
	return e.orderFromRow(ctx, a, &rows[0])
}

// orderID returns the id of an account's order, which is also the order's key at the rail. The id
// follows from facts shared by all engines on the ledger. One fact is when the ledger created the
// account: a new ledger (in memory after a restart, a cluster set up again) begins at order 1 again,
// and the rail must not answer for the earlier order 1, which was paid.
func (e *Engine) orderID(b *accounts.Balance, number uint64) ledger.ID {
	opened := uint64(b.Opened.UnixNano())
	return e.ns.Derive("order", chart.U64(opened), chart.ID(e.book.PeerIDs(b.Account).Settlement), chart.U64(number))
}

// railRowID returns the id of the row with the rail of a prefunding order.
func (e *Engine) railRowID(order ledger.ID) ledger.ID {
	return e.ns.Derive("order rail", chart.ID(order))
}

// timeOf converts a ledger timestamp, nanoseconds since the Unix epoch and at most
// [ledger.TimestampMax], to UTC.
func timeOf(timestamp uint64) time.Time { return time.Unix(0, int64(timestamp)).UTC() }

// wrap adds an action to an error; nil stays nil.
func wrap(action string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", action, err)
}
