package settlement

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// The limits of [ClosedOrderQuery.Limit].
const (
	DefaultClosedOrders = 100
	MaxClosedOrders     = 4000
)

// ClosedOrderQuery selects a page of closed orders for [Engine.ClosedOrders].
type ClosedOrderQuery struct {
	// Before is the ClosedAt of the last order of the previous page: only orders closed before it are
	// returned, by the ledger's clock. Default: from the newest on.
	Before time.Time
	Limit  int // the most orders returned, 1 to [MaxClosedOrders]; default [DefaultClosedOrders]
}

// OrderOutcome is how an order was closed.
type OrderOutcome string

// The outcomes of orders.
const (
	OrderPaid     OrderOutcome = "paid"
	OrderVoided   OrderOutcome = "voided"       // the rail declined it or paid nothing, or an operator cancelled it
	OrderRefused  OrderOutcome = "refused"      // it needed an approval, and got a refusal: from an operator, or for a limit
	OrderMisfits  OrderOutcome = "failed check" // an engine's check found it too large; no rail was asked
	OrderUnneeded OrderOutcome = "withdrawn"    // the engine that owned it gave it back; no rail was asked
)

// ClosedOrder is an order that is paid or voided. Amounts are in units of Order.Asset.
type ClosedOrder struct {
	Order
	Outcome  OrderOutcome
	Paid     ledger.Amount // may be less or more than Order.Amount; 0 unless OrderPaid
	ClosedAt time.Time     // the ledger's time; no two orders of a ledger share it
	// Owner is the id of the last Instance that claimed the order, or else of the one that placed it
	// ([InstanceID]). The ledger keeps no names.
	Owner ledger.ID
}

// ClosedOrderPage is a page of closed orders.
type ClosedOrderPage struct {
	Orders []ClosedOrder // the newest closing first
	More   bool          // older ones follow: repeat the query with Before, the ClosedAt of the last of Orders
}

// InstanceID returns the id by which the ledger knows [Config.Instance], in the namespace of a Book.
func InstanceID(book *accounts.Book, instance string) ledger.ID {
	return chart.Namespace(book.Namespace()).Derive("instance", []byte(instance))
}

// ClosedOrders reads the closed orders of accounts from the ledger, the newest closing first. The ledger does not
// keep the errors of a rail: those of open orders are in [OpenOrder.LastErr] of the engine that tries. Without
// accounts the page is empty.
//
// It sends a request for each account, and two or three for each order of the page. The rows of a page never change.
//
// The errors match [accounts.ErrInvalid] (the query or an account) or [accounts.ErrUnknownAsset], or are of a request.
func (e *Engine) ClosedOrders(ctx context.Context, query ClosedOrderQuery, list ...accounts.PeerAccount) (ClosedOrderPage, error) {
	if query.Limit < 0 || query.Limit > MaxClosedOrders {
		return ClosedOrderPage{}, &accounts.FieldError{Subject: "closed orders", Field: "Limit", Reason: fmt.Sprintf("must be 1 to %d", MaxClosedOrders)}
	}
	limit := cmp.Or(query.Limit, DefaultClosedOrders)
	var closings []closing
	for _, a := range list {
		if err := e.checkPeer("closed orders", a); err != nil {
			return ClosedOrderPage{}, err
		}
		rows, err := e.readClosings(ctx, a, query.Before, limit+1)
		if err != nil {
			return ClosedOrderPage{}, wrap("read closed orders", err)
		}
		closings = append(closings, rows...)
	}
	slices.SortFunc(closings, func(a, b closing) int { return cmp.Compare(b.row.Timestamp, a.row.Timestamp) })
	closings = slices.CompactFunc(closings, func(a, b closing) bool { return a.row.ID == b.row.ID }) // a repeated account
	page := ClosedOrderPage{More: len(closings) > limit}
	closings = closings[:min(len(closings), limit)]
	err := e.readPlacings(ctx, closings)
	for i := range closings {
		if err != nil {
			break
		}
		var o ClosedOrder
		o, err = e.makeClosedOrder(ctx, &closings[i])
		page.Orders = append(page.Orders, o)
	}
	if err != nil {
		return ClosedOrderPage{}, wrap("read closed orders", err)
	}
	return page, nil
}

// closing is the post or void of an account's order.
type closing struct {
	account accounts.PeerAccount
	row     ledger.Transfer
	placed  ledger.Transfer // the order; zero until it is read
}

// readClosings reads the newest posts and voids of an account's orders before a time.
func (e *Engine) readClosings(ctx context.Context, a accounts.PeerAccount, before time.Time, limit int) (closings []closing, err error) {
	filter := ledger.AccountFilter{
		AccountID: e.book.PeerIDs(a).Settlement, Code: chart.CodeOrder, Flags: ledger.AccountFilterCredits | ledger.AccountFilterReversed,
		Limit: uint32(min(2*limit, ledger.QueryMax)), // an order and its closing have a row each
	}
	if !before.IsZero() {
		filter.TimestampMax = uint64(max(before.UnixNano()-1, 1))
	}
	for {
		rows, err := e.readPage(ctx, &filter)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			if !rows[i].PendingID.IsZero() {
				closings = append(closings, closing{account: a, row: rows[i]})
			}
		}
		if len(closings) >= limit || len(rows) < int(filter.Limit) {
			return closings[:min(len(closings), limit)], nil
		}
		filter.TimestampMax = rows[len(rows)-1].Timestamp - 1
	}
}

// readPlacings reads the orders of closings.
func (e *Engine) readPlacings(ctx context.Context, closings []closing) error {
	ids := make([]ledger.ID, len(closings))
	for i := range closings {
		ids[i] = closings[i].row.PendingID
	}
	rows, err := batch.Each(ctx, ids, 1, e.ledger.LookupTransfers)
	if err != nil {
		return err
	}
	byID := make(map[ledger.ID]ledger.Transfer, len(rows))
	for i := range rows {
		byID[rows[i].ID] = rows[i]
	}
	for i := range closings {
		closings[i].placed = byID[closings[i].row.PendingID]
	}
	return nil
}

// makeClosedOrder makes the order of a closing.
func (e *Engine) makeClosedOrder(ctx context.Context, c *closing) (ClosedOrder, error) {
	order, err := e.orderFromRow(ctx, c.account, &c.placed)
	if err != nil {
		return ClosedOrder{}, err
	}
	closed := ClosedOrder{Order: order, Outcome: OrderPaid, ClosedAt: timeOf(c.row.Timestamp), Owner: ledger.ID(c.placed.UserData128)}
	claim, found, err := e.readNewestClaim(ctx, c.account, order.Sequence)
	if err != nil {
		return ClosedOrder{}, err
	}
	if found {
		closed.Owner = ledger.ID(claim.UserData128)
	}
	if c.row.Flags.Has(ledger.TransferVoidPending) {
		closed.Outcome = e.voidOutcome(&c.row, uint64(claim.UserData32))
		return closed, nil
	}
	closed.Paid, err = e.readPaid(ctx, c)
	return closed, err
}

// voidOutcome tells by the id of a void why the order was voided; claims is the number of its newest claim.
func (e *Engine) voidOutcome(void *ledger.Transfer, claims uint64) OrderOutcome {
	switch order := void.PendingID; void.ID {
	case e.failedCheckVoidID(order):
		return OrderMisfits
	case e.refusedVoidID(order):
		return OrderRefused
	case e.withdrawalID(order, claims):
		return OrderUnneeded
	default:
		return OrderVoided
	}
}

// readPaid returns what was paid for an order: what its post booked, and if that is the whole order, what the
// rail paid beyond it. Both are in one chain.
func (e *Engine) readPaid(ctx context.Context, c *closing) (ledger.Amount, error) {
	paid := c.row.Amount
	if paid != c.placed.Amount {
		return paid, nil
	}
	rows, err := e.ledger.GetAccountTransfers(ctx, ledger.AccountFilter{
		AccountID: e.book.PeerIDs(c.account).Settlement, UserData64: c.placed.UserData64, Code: chart.CodeOverpaid, Limit: 1,
		TimestampMin: c.placed.Timestamp, Flags: ledger.AccountFilterCredits,
	})
	for _, row := range rows {
		if ledger.ID(row.UserData128) == c.placed.ID {
			paid, _ = paid.Add(row.Amount) // parts of the credits of the settlement account
		}
	}
	return paid, err
}
