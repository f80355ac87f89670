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
	// OwnedByThisInstance says that it belongs to an Engine of this Instance, which placed it or took
	// it over.
	OwnedByThisInstance bool
	// LeaseRenewedAt is the last sign of life of the Engine that it belongs to, by the ledger's
	// time. After Config.Lease another Instance takes it over. Only Orders sets it.
	LeaseRenewedAt time.Time
	// Attempts is how often this Engine called the Settler for it; 0 if it never
	// did. LastErr is what last kept it open: an answer of the Settler that was
	// not final, or an error of the ledger; nil if there was none.
	Attempts int
	LastErr  error
	// Claims is how many claims on it were written since it was placed. It is 0 if its Engine
	// gave no sign of life since, and also, however alive that is, with Config.NoTakeover. Only
	// Orders sets it.
	Claims uint64
	// Waits is why no Engine gives it to a rail for now: it matches ErrAwaitsApproval or ErrPaused. nil if
	// nothing keeps it from being paid. Only Orders sets it.
	Waits error
}

// Age is for how long the order has been open at a time.
func (o OpenOrder) Age(now time.Time) time.Duration { return now.Sub(o.PlacedAt) }

// Orders reads the open orders of accounts, or of all that were ever touched if
// none are given, from the ledger. The errors are those of Book.Balances and of
// the ledger's requests.
func (e *Engine) Orders(ctx context.Context, list ...accounts.PeerAccount) ([]OpenOrder, error) {
	if len(list) == 0 {
		list = e.register.all(e.cfg.Clock())
	}
	balances, err := e.book.LookUpBalances(ctx, list...)
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
		o := OpenOrder{Order: last.Order, OwnedByThisInstance: owner.mine, LeaseRenewedAt: owner.since, Claims: owner.claim}
		said, err := e.readVerdict(ctx, &last.Order)
		if err != nil {
			return open, err
		}
		o.Waits = e.waitReason(&last.Order, said)
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
func (e *Engine) newest(ctx context.Context, a accounts.PeerAccount) (head, error) {
	row, found, err := sequence.Newest(ctx, e.ledger, ledger.AccountFilter{
		AccountID: e.book.PeerIDs(a).Settlement, Code: chart.CodeOrder, Flags: ledger.AccountFilterCredits,
	})
	if err != nil || !found {
		return head{Order: Order{Account: a}}, wrap("read the newest order", err)
	}
	order, err := e.order(ctx, a, &row)
	if err != nil {
		return head{Order: Order{Account: a}}, err
	}
	return head{
		Order:  order,
		at:     timeOf(row.Timestamp),
		open:   row.Flags.Has(ledger.TransferPending),
		placed: row.UserData128 == e.instance,

		resolves: row.PendingID,
		posted:   row.Flags.Has(ledger.TransferPostPending),
		voided:   row.Flags.Has(ledger.TransferVoidPending),
	}, nil
}

// order reads an order's row. An order that pays ahead has its rail in a row of its own.
func (e *Engine) order(ctx context.Context, a accounts.PeerAccount, row *ledger.Transfer) (Order, error) {
	asset, _ := e.book.Asset(a.Ledger())
	tag := orderTag(row.UserData64)
	o := Order{
		ID: row.ID, Account: a, Asset: asset, rail: row.UserData32, tag: tag,
		Sequence: tag.number(), Amount: row.Amount, PlacedAt: timeOf(row.Timestamp),
		Refund: tag.refunds(), Ahead: tag.isAhead(),
	}
	if o.Ahead {
		o.limit = unpackAhead(row.UserData32)
		order := row.ID
		if !row.PendingID.IsZero() { // the post or the void of one
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

// decision is what an order was placed on.
type decision struct {
	balance accounts.Balance // read after the newest order
	demand  PaymentRequest
	amount  ledger.Amount // 0: nothing is due
	// notBefore is when the order may be placed, if it may not be yet; else zero.
	notBefore time.Time
	limits    []scopedLimit // of the order
	rest      bool          // more is due than the largest order, so that another one follows
}

// place writes the next order of an account and returns it, or the zero Order if
// none is due. It must be called after the newest order, last, was read: the number is
// the one behind it. So if anybody ordered since, the number is taken
// (sequence.ErrTaken), and nobody orders twice on one balance.
//
// The order may be smaller than the minimum, even 0, if the balance fell since.
func (e *Engine) place(ctx context.Context, last *head, pressed bool) (Order, decision, error) {
	a := last.Account
	s, demand, err := e.assess(ctx, last, pressed)
	d := decision{balance: s.Balance, demand: demand, amount: demand.payableFrom(s.Balance)}
	if err != nil {
		return Order{}, d, err
	}
	e.noticeOldEngine(last, s.Balance)
	if last.Ahead && d.tag(0).isAhead() {
		if at := e.register.aheadAgain(last, e.cfg.OrderCooldown); at.After(e.cfg.Clock()) {
			d.amount, d.notBefore = ledger.Amount{}, at
		}
	}
	if d.amount.IsZero() || e.stopping() {
		return Order{}, d, nil
	}
	rail := e.railOf(a)
	if rail.isDown() {
		return Order{}, d, rail.downError()
	}
	if paused := e.activePause(a, rail.tag); paused != nil {
		return Order{}, d, paused
	}
	if err := e.applyLimits(ctx, &d, rail); err != nil {
		return Order{}, d, err
	}
	number, err := sequence.PlaceChain(ctx, e.ledger, last.Sequence+1, func(n uint64) []ledger.Transfer {
		return e.orderRows(&d, rail.tag, n)
	})
	if err != nil {
		return Order{}, d, wrap("place the order", err)
	}
	// The order may turn out smaller, and the look-up may fail: that it is open is
	// known from here on.
	id := e.orderID(&s.Balance, number)
	tag := d.tag(number)
	e.register.placedOrder(Order{
		ID: id, Account: a, Asset: s.Asset, Rail: rail.Name, rail: rail.tag, tag: tag, Sequence: number, Amount: d.amount,
		Refund: tag.refunds(), Ahead: tag.isAhead(),
	})
	order, err := e.lookUp(ctx, a, id, pauseKeysFor(a, rail.tag)...)
	return order, d, err
}

// tag is the user_data_64 of the order with this number.
func (d *decision) tag(number uint64) orderTag {
	version := uint8(checkedVersion)
	if !d.balance.HasHistory() {
		version = uncheckedVersion
	}
	ahead := !d.demand.refund && owedAmount(d.balance).Less(d.amount)
	return newOrderTag(number, version|requiredApprover(d.limits, d.amount), d.demand.refund, ahead)
}

// orderRows are order n of an account, and, if it pays ahead, the row that names its rail.
func (e *Engine) orderRows(d *decision, rail uint32, n uint64) []ledger.Transfer {
	a := d.balance.Account
	ids, tag := e.book.PeerIDs(a), d.tag(n)
	order := ledger.Transfer{
		ID:             e.orderID(&d.balance, n),
		DebitAccountID: ids.Peer, CreditAccountID: ids.Settlement, Amount: d.amount,
		UserData64: uint64(tag), UserData128: e.instance, UserData32: rail,
		Ledger: a.Ledger(), Code: chart.CodeOrder,
		Flags: ledger.TransferPending | ledger.TransferBalancingDebit,
	}
	if !tag.isAhead() {
		return []ledger.Transfer{order}
	}
	order.UserData32 = packAhead(d.demand.Prefunding)
	if rail == 0 {
		return []ledger.Transfer{order}
	}
	own, _ := e.book.AssetIDs(a.Ledger())
	return []ledger.Transfer{order, {
		ID: e.railRowID(order.ID), DebitAccountID: ids.Settlement, CreditAccountID: own.Control,
		UserData64: uint64(tag), UserData128: e.instance, UserData32: rail,
		Ledger: a.Ledger(), Code: chart.CodeOrder,
	}}
}

// railRowID is the id of the row that names the rail of an order that pays ahead.
func (e *Engine) railRowID(order ledger.ID) ledger.ID {
	return e.ns.Derive("order rail", chart.ID(order))
}

// lookUp reads an order, since balancing may have made it smaller than it was to be, and whether
// these pauses hold now that it is placed.
func (e *Engine) lookUp(ctx context.Context, a accounts.PeerAccount, id ledger.ID, pauses ...pauseKey) (Order, error) {
	rows, err := e.lookUpWithPauses(ctx, pauses, id)
	if err != nil {
		return Order{}, wrap("look the order up", err)
	}
	isOrder := len(rows) == 1 && rows[0].Code == chart.CodeOrder && rows[0].Flags.Has(ledger.TransferPending)
	if !isOrder || rows[0].CreditAccountID != e.book.PeerIDs(a).Settlement {
		return Order{}, ErrNoOrder
	}
	return e.order(ctx, a, &rows[0])
}

// demand is what the account's policy asks for, or the operator who wants a prepayment to be
// paid back. A closed account takes no orders, nor does one that nobody would pay.
func (e *Engine) demand(s PolicyInput, k *known) PaymentRequest {
	if s.Closed || e.railOf(s.Account) == nil {
		return PaymentRequest{}
	}
	if k.refund && !s.Prepaid.IsZero() {
		return PaymentRequest{Amount: s.Payable, refund: true}
	}
	policy := e.cfg.Policies.For(s.Account.Peer(), s.Asset)
	if policy == nil {
		return PaymentRequest{}
	}
	d := policy.Due(s)
	d.refund = false // it is nobody's but ours to set
	return d
}

// Due is what the next order to a peer will be, in units, by a balance that was just read: 0
// while an order is open or the account is closed. It asks nobody, so a policy of time (Every,
// Idle) counts from long ago until this Engine has found out since when; the order may still
// wait for Config.OrderCooldown, for what Limit.Day leaves, or for the end of a pause. If the balance is one of LookUpBalances, whose Prepaid may be too
// large, it is what is due if so much is prepaid.
func (e *Engine) Due(b accounts.Balance) ledger.Amount {
	if !b.Settling.IsZero() {
		return ledger.Amount{}
	}
	now := e.cfg.Clock()
	k := e.register.upToDate(b.Account, now)
	amount := e.demand(e.standing(b, &k, now), &k).payableFrom(b)
	return capToOrderLimits(e.limitsOf(b.Account, e.railOf(b.Account)), amount)
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
