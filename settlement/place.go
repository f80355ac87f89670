package settlement

import (
	"context"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// decision is what to order, and on which balance.
type decision struct {
	input     PolicyInput // of the policy; its balance was read after the newest order
	request   PaymentRequest
	amount    ledger.Amount // 0: nothing is due
	notBefore time.Time     // if set: nothing is due before
	limits    []scopedLimit // of the order
	moreDue   bool          // more is due than the largest order, so another order follows
}

// placeOrder writes and returns the next order of an account, or the zero Order if nothing is due.
// latest must have been read before the balance: the order's number is the next after latest's. If
// another engine has ordered since, the number is taken (sequence.ErrTaken), so two orders never rest
// on one balance.
//
// If the balance falls meanwhile, the order may be smaller than the minimum, even 0.
func (e *Engine) placeOrder(ctx context.Context, visit *accountVisit, latest *latestOrder, urgent bool) (Order, decision, error) {
	d, err := e.decideOrder(ctx, visit, latest, urgent)
	if err != nil {
		return Order{}, d, err
	}
	wanted := e.amountWithReserved(&d)
	if wanted.IsZero() || e.isStopping() {
		return Order{}, d, nil
	}
	a := visit.account
	rail := e.railOf(a)
	if rail.isDown() {
		return Order{}, d, rail.downError()
	}
	if paused := e.activePause(a, rail.tag); paused != nil {
		return Order{}, d, paused
	}
	if d.amount.Less(wanted) {
		release, err := e.decideWithoutReservations(ctx, visit, latest, urgent, &d)
		defer release()
		if err != nil || d.amount.IsZero() {
			return Order{}, d, err
		}
	}
	if err := e.applyLimits(ctx, &d, rail); err != nil {
		return Order{}, d, err
	}
	var id ledger.ID // of the order in the last attempt
	number, err := sequence.PlaceChain(ctx, e.ledger, latest.Sequence+1, func(n uint64) []ledger.Transfer {
		rows := e.orderRows(&d, rail.tag, n)
		id = rows[0].ID
		return rows
	})
	if err != nil {
		return Order{}, d, wrap("place the order", err)
	}
	// The order is open from here on, even if the look-up fails. The look-up may find a smaller order.
	tag := d.newTag(number)
	visit.state.setPlaced(Order{
		ID: id, Account: a, Asset: d.input.Asset, Rail: rail.Name, rail: rail.tag, tag: tag, Sequence: number, Amount: d.amount,
		Refund: tag.isRefund(), Prefunds: tag.isAhead(),
	})
	visit.publishState()
	order, err := e.lookUpOrder(ctx, a, id, pauseKeysFor(a, rail.tag)...)
	if err == nil {
		visit.state.setLookedUp(order, d.moreDue)
	}
	return order, d, err
}

// decideOrder collects arrears and reads the balance (both in evaluatePolicy), and decides what to order.
func (e *Engine) decideOrder(ctx context.Context, visit *accountVisit, latest *latestOrder, urgent bool) (decision, error) {
	input, request, err := e.evaluatePolicy(ctx, latest, visit.usableScan(), urgent)
	d := decision{input: input, request: request, amount: request.payableFrom(input.Balance)}
	if err != nil {
		return d, err
	}
	e.reportOldEngine(visit, latest, input.Balance)
	if latest.Prefunds && d.newTag(0).isAhead() {
		if at := visit.state.nextPrefund(latest, e.cfg.OrderCooldown); at.After(e.cfg.Clock()) {
			d.amount, d.notBefore = ledger.Amount{}, at
		}
	}
	return d, nil
}

// newTag returns the user_data_64 of the order with this number.
func (d *decision) newTag(number uint64) orderTag {
	version := uint8(checkedVersion)
	if !d.input.HasHistory() {
		version = uncheckedVersion
	}
	ahead := !d.request.refund && owedAmount(d.input.Balance).Less(d.amount)
	return newOrderTag(number, version|requiredApprover(d.limits, d.amount), d.request.refund, ahead)
}

// orderRows returns order n of an account and, for a prefunding order, the row with its rail.
func (e *Engine) orderRows(d *decision, rail uint32, n uint64) []ledger.Transfer {
	a := d.input.Account
	ids, tag := e.book.PeerIDs(a), d.newTag(n)
	order := ledger.Transfer{
		ID:             e.orderID(&d.input.Balance, n),
		DebitAccountID: ids.Peer, CreditAccountID: ids.Settlement, Amount: d.amount,
		UserData64: uint64(tag), UserData128: e.instance, UserData32: rail,
		Ledger: a.Ledger(), Code: chart.CodeOrder,
		Flags: ledger.TransferPending | ledger.TransferBalancingDebit,
	}
	if !tag.isAhead() {
		return []ledger.Transfer{order}
	}
	order.UserData32 = packAhead(d.request.Prefunding)
	if rail == 0 {
		return []ledger.Transfer{order}
	}
	assetIDs, _ := e.book.AssetIDs(a.Ledger())
	return []ledger.Transfer{order, {
		ID: e.railRowID(order.ID), DebitAccountID: ids.Settlement, CreditAccountID: assetIDs.Control,
		UserData64: uint64(tag), UserData128: e.instance, UserData32: rail,
		Ledger: a.Ledger(), Code: chart.CodeOrder,
	}}
}
