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
	// Mine says that it belongs to an Engine of this Instance, which placed it or took
	// it over.
	Mine bool
	// Claimed is the last sign of life of the Engine that it belongs to, by the ledger's
	// time. After Config.Lease another Instance takes it over. Only Orders sets it.
	Claimed time.Time
	// Attempts is how often this Engine called the Settler for it; 0 if it never
	// did. LastErr is what last kept it open: an answer of the Settler that was
	// not final, or an error of the ledger; nil if there was none.
	Attempts int
	LastErr  error
}

// Age is for how long the order has been open at a time.
func (o OpenOrder) Age(now time.Time) time.Duration { return now.Sub(o.Placed) }

// Orders reads the open orders of accounts, or of all that were ever touched if
// none are given, from the ledger. The errors are those of Book.Balances and of
// the ledger's requests.
func (e *Engine) Orders(ctx context.Context, list ...accounts.Account) ([]OpenOrder, error) {
	if len(list) == 0 {
		list = e.register.all(e.cfg.Clock())
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
		owner, err := e.ownerOf(ctx, &last)
		if err != nil {
			return open, err
		}
		o := OpenOrder{Order: last.Order, Mine: owner.mine, Claimed: owner.since}
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
	at       time.Time // of the newest row: the order's, or that of its post or void
	open     bool
	placed   bool      // by this Instance; somebody else may own it by now
	resolves ledger.ID // if it is closed: the order that the newest row closed
	posted   bool      // and whether that was by a post
	voided   bool
}

// newest reads the head of an account. A post or a void inherits the code and
// the user data of its order and is newer than it, so the newest row tells
// whether the order is open.
func (e *Engine) newest(ctx context.Context, a accounts.Account) (head, error) {
	row, found, err := sequence.Newest(ctx, e.ledger, ledger.AccountFilter{
		AccountID: e.book.PeerIDs(a).Settlement, Code: chart.CodeOrder, Flags: ledger.AccountFilterCredits,
	})
	if err != nil || !found {
		return head{Order: Order{Account: a}}, wrap("read the newest order", err)
	}
	return head{
		Order:  e.order(a, &row),
		at:     timeOf(row.Timestamp),
		open:   row.Flags.Has(ledger.TransferPending),
		placed: row.UserData128 == e.instance,

		resolves: row.PendingID,
		posted:   row.Flags.Has(ledger.TransferPostPending),
		voided:   row.Flags.Has(ledger.TransferVoidPending),
	}, nil
}

// order reads an order's row.
func (e *Engine) order(a accounts.Account, row *ledger.Transfer) Order {
	asset, _ := e.book.Asset(a.Ledger())
	o := Order{
		ID: row.ID, Account: a, Asset: asset, rail: row.UserData32,
		Sequence: row.UserData64, Amount: row.Amount, Placed: timeOf(row.Timestamp),
	}
	if r := e.rails[o.rail]; r != nil {
		o.Rail = r.Name
	}
	return o
}

// place writes the next order of an account and returns it, or the zero Order if
// none is due. It must be called after the newest order, last, was read: the number is
// the one behind it. So if anybody ordered since, the number is taken
// (sequence.ErrTaken), and nobody orders twice on one balance.
//
// The order may be smaller than the minimum, even 0, if the balance fell since.
func (e *Engine) place(ctx context.Context, last *head, pressed bool) (order Order, minimum ledger.Amount, err error) {
	a := last.Account
	s, demand, err := e.assess(ctx, last, pressed)
	amount := demand.payable(s.Balance)
	if err != nil || amount.IsZero() || e.stopping() {
		return Order{}, ledger.Amount{}, err
	}
	rail := e.railOf(a)
	if rail.isDown() {
		return Order{}, ledger.Amount{}, rail.downError()
	}
	ids := e.book.PeerIDs(a)
	number, err := sequence.Place(ctx, e.ledger, last.Sequence+1, func(n uint64) ledger.Transfer {
		return ledger.Transfer{
			ID:             e.orderID(&s.Balance, n),
			DebitAccountID: ids.Peer, CreditAccountID: ids.Settlement, Amount: amount,
			UserData64: n, UserData128: e.instance, UserData32: rail.tag,
			Ledger: a.Ledger(), Code: chart.CodeOrder,
			Flags: ledger.TransferPending | ledger.TransferBalancingDebit,
		}
	})
	if err != nil {
		return Order{}, ledger.Amount{}, wrap("place the order", err)
	}
	// The order may turn out smaller, and the look-up may fail: that it is open is
	// known from here on.
	id := e.orderID(&s.Balance, number)
	e.register.opened(Order{ID: id, Account: a, Asset: s.Asset, Rail: rail.Name, rail: rail.tag, Sequence: number, Amount: amount})
	order, err = e.lookUp(ctx, a, id)
	return order, demand.Minimum, err
}

// lookUp reads an order: balancing may have made it smaller than it was to be.
func (e *Engine) lookUp(ctx context.Context, a accounts.Account, id ledger.ID) (Order, error) {
	rows, err := e.ledger.LookupTransfers(ctx, []ledger.ID{id})
	if err != nil {
		return Order{}, wrap("look the order up", err)
	}
	isOrder := len(rows) == 1 && rows[0].Code == chart.CodeOrder && rows[0].Flags.Has(ledger.TransferPending)
	if !isOrder || rows[0].CreditAccountID != e.book.PeerIDs(a).Settlement {
		return Order{}, fmt.Errorf("%w: %v", ErrNoOrder, id)
	}
	return e.order(a, &rows[0]), nil
}

// demand is what the account's policy asks for. A closed account takes no orders, nor
// does one that nobody would pay.
func (e *Engine) demand(s Standing) Demand {
	policy := e.cfg.Policies.For(s.Account.Peer(), s.Asset)
	if policy == nil || s.Closed || e.railOf(s.Account) == nil {
		return Demand{}
	}
	return policy.Due(s)
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
