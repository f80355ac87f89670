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

// OpenOrder is an order that is neither paid nor given back.
type OpenOrder struct {
	Order
	Mine bool // placed by an Engine of this Instance, which alone resumes it
	// Attempts is how often this Engine called the Settler for it; 0 if it never
	// did. LastErr is what last kept it open: an answer of the Settler that was
	// not final, or an error of the ledger; nil if there was none.
	Attempts int
	LastErr  error
}

// Orders reads the open orders of accounts, or of all that were ever touched if
// none are given, from the ledger. The errors are those of Book.Balances and of
// the ledger's requests.
func (e *Engine) Orders(ctx context.Context, list ...accounts.Account) ([]OpenOrder, error) {
	if len(list) == 0 {
		list = e.register.all()
	}
	balances, err := e.book.Balances(ctx, list...)
	if err != nil {
		return nil, err
	}
	known := e.register.orders()
	var open []OpenOrder
	for _, b := range balances {
		if b.Settling.IsZero() {
			continue
		}
		last, err := e.newest(ctx, b.Account)
		if err != nil {
			return open, err
		}
		if !last.open {
			continue
		}
		o := OpenOrder{Order: last.Order, Mine: last.mine}
		if k := known[b.Account]; k.ID == o.ID {
			o.Attempts, o.LastErr = k.Attempts, k.LastErr
		}
		open = append(open, o)
	}
	return open, nil
}

// head is the newest order of an account and what became of it. The zero head is
// that of an account without orders.
type head struct {
	Order
	open     bool
	mine     bool
	resolves ledger.ID // if it is closed: the order that the newest row closed
	posted   bool      // and whether that was by a post
	rearm    time.Time // no new order before; set if the order was voided
}

// newest reads the head of an account. A post or a void inherits the code and
// the user data of its order and is newer than it, so the newest row tells
// whether the order is open.
func (e *Engine) newest(ctx context.Context, a accounts.Account) (head, error) {
	row, found, err := sequence.Newest(ctx, e.ledger, ledger.AccountFilter{
		AccountID: e.book.PeerIDs(a).Settlement, Code: chart.CodeOrder, Flags: ledger.AccountFilterCredits,
	})
	if err != nil || !found {
		return head{}, wrap("read the newest order", err)
	}
	h := head{
		Order: e.order(a, &row),
		open:  row.Flags.Has(ledger.TransferPending),
		mine:  row.UserData128 == e.instance,

		resolves: row.PendingID,
		posted:   row.Flags.Has(ledger.TransferPostPending),
	}
	if row.Flags.Has(ledger.TransferVoidPending) {
		h.rearm = timeOf(row.Timestamp).Add(e.cfg.RearmAfter)
	}
	return h, nil
}

// order reads an order's row.
func (e *Engine) order(a accounts.Account, row *ledger.Transfer) Order {
	asset, _ := e.book.Asset(a.Ledger())
	return Order{
		ID: row.ID, Account: a, Asset: asset,
		Sequence: row.UserData64, Amount: row.Amount, Placed: timeOf(row.Timestamp),
	}
}

// place writes the next order of an account and returns it, or the zero Order if
// none is due. It must be called after the newest order was read: number is the
// one behind it. So if anybody ordered since, the number is taken
// (sequence.ErrTaken), and nobody orders twice on one balance.
//
// The order may be smaller than the minimum, even 0, if the balance fell since.
func (e *Engine) place(
	ctx context.Context, a accounts.Account, number uint64,
) (order Order, minimum ledger.Amount, err error) {
	b, err := e.book.Balance(ctx, a)
	if err != nil {
		return Order{}, ledger.Amount{}, err
	}
	demand := e.demand(b)
	amount := demand.payable(b)
	if amount.IsZero() || e.stopping() {
		return Order{}, ledger.Amount{}, nil
	}
	ids := e.book.PeerIDs(a)
	number, err = sequence.Place(ctx, e.ledger, number, func(n uint64) ledger.Transfer {
		return ledger.Transfer{
			ID:             e.orderID(&b, n),
			DebitAccountID: ids.Peer, CreditAccountID: ids.Settlement, Amount: amount,
			UserData64: n, UserData128: e.instance,
			Ledger: a.Ledger(), Code: chart.CodeOrder,
			Flags: ledger.TransferPending | ledger.TransferBalancingDebit,
		}
	})
	if err != nil {
		return Order{}, ledger.Amount{}, wrap("place the order", err)
	}
	// The order may turn out smaller, and the look-up may fail: that it is open is
	// known from here on.
	e.register.opened(Order{ID: e.orderID(&b, number), Account: a, Asset: b.Asset, Sequence: number, Amount: amount})
	order, err = e.lookUp(ctx, a, e.orderID(&b, number))
	return order, demand.Minimum, err
}

// lookUp reads the order that was placed: balancing may have made it smaller.
func (e *Engine) lookUp(ctx context.Context, a accounts.Account, id ledger.ID) (Order, error) {
	rows, err := e.ledger.LookupTransfers(ctx, []ledger.ID{id})
	if err != nil {
		return Order{}, wrap("look the order up", err)
	}
	if len(rows) == 0 {
		status := ledger.TransferPendingTransferNotFound
		return Order{}, wrap("look the order up", &ledger.TransferError{ID: id, Status: status})
	}
	return e.order(a, &rows[0]), nil
}

// demand is what the account's policy asks for. A closed account takes no orders.
func (e *Engine) demand(b accounts.Balance) Demand {
	policy := e.cfg.Policy(b.Account)
	if policy == nil || b.Closed {
		return Demand{}
	}
	return policy.Due(b)
}

// orderID is the id of an account's order, and its key at the rail. It follows from
// what all engines on the ledger see alike. The moment when the ledger created the
// account is in it because a new ledger (one in memory after a restart, a cluster that
// was set up again) begins at order 1 again: the rail must not take that for
// the order 1 that it knows, and say that it is paid.
func (e *Engine) orderID(b *accounts.Balance, number uint64) ledger.ID {
	opened := uint64(b.Opened.UnixNano())
	return e.ns.Derive("order", chart.U64(opened), chart.ID(e.book.PeerIDs(b.Account).Settlement), chart.U64(number))
}

// timeOf is a ledger timestamp, nanoseconds since the Unix epoch and at most
// ledger.TimestampMax.
func timeOf(timestamp uint64) time.Time { return time.Unix(0, int64(timestamp)) }

// wrap says what was being done; nil stays nil.
func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
