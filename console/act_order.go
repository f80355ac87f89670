package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

const (
	// orderField is the form's field with the order that the form was based on.
	orderField = "if_order"
	noOrder    = "no open order"
)

// seeOrder names the open order of the subject with its amount.
func seeOrder(s *subject) string {
	if !s.hasOrder {
		return noOrder
	}
	return "order " + s.order.ID.String() + " of " + s.asset.Text(s.order.Amount)
}

// newOrderActions returns the actions on orders.
func newOrderActions() []*action {
	return []*action{
		{
			path: "pay", label: "Pay now", wording: effects.PayNow, target: onPeer, rail: true, seenField: orderField, see: seeOrder,
			help: "Place an order if we owe the peer more than its settle_to, regardless of settle_at, and pay it through the peer's rail, within the limits.",
			plan: planPay, run: payNow, look: lookPayment, compare: comparePayment,
		},
		{
			path: "resolve", label: "Close the order as paid", wording: effects.Resolve, target: onOrder, rail: true, seenField: orderField, see: seeOrder, help: effects.ResolveHelp,
			fields: []formField{
				{name: "amount", label: "Amount paid", kind: amountField, hint: "in all, in whole units"},
				{name: "more", label: "More (--more)", kind: boxField, hint: "book an amount above the order's"},
			},
			plan: planResolve, run: resolveOrder, look: lookOrder, compare: compareOrder,
		},
		{
			path: "cancel", label: "Cancel the order", wording: effects.Cancel, target: onOrder, rail: true, seenField: orderField, see: seeOrder, help: effects.CancelHelp,
			fields: []formField{{name: "force", label: "Force (--force)", kind: boxField, hint: "cancel the order even if its engine was active a moment ago, or has never claimed the order"}},
			plan:   planCancel, run: cancelOrder, look: lookOrder, compare: compareOrder,
		},
	}
}

// needsConfirmation reports whether the peer's name must be typed: the change cannot be undone.
func (f *actForm) needsConfirmation() bool {
	return f.action.path == "cancel" || f.action.path == "close" && f.boxes["force"]
}

func planPay(c *Console, f *actForm, s *subject) (plan, error) {
	p := plan{sentence: f.newSentence(effects.PayNow), now: s.describe(c), note: effects.PayNote}
	if !f.again.order.IsZero() { // the form itself has placed the order
		p.sentence.Amount = s.asset.Format(s.order.Amount)
		return p, nil
	}
	if why := effects.ExplainUnpayable(s.balance); why != "" {
		p.blocked = why
		return p, nil
	}
	due, request, settles := c.cfg.Settlement.DueNow(s.balance)
	switch {
	case !settles:
		p.blocked = "The engine of this process has no policy or no rail for the peer: the connector's engine pays."
	case due.IsZero():
		p.blocked = effects.ExplainNothingDue(s.balance, request)
	}
	p.sentence.Amount, p.shown = s.asset.Format(due), s.asset.Format(due)
	if shown, err := s.asset.Parse(f.shown); err != nil || shown.Less(due) {
		p.outdated = fmt.Sprintf("%s was due when this page was made, and %s is due now: check the change again.", cmp.Or(f.shown, "Nothing"), p.shown)
	}
	return p, nil
}

var errNothingDue = errors.New("nothing was ordered: nothing is due any more, or another engine pays the peer's order")

// findOrder returns an open order of an account.
func (c *Console) findOrder(ctx context.Context, account accounts.PeerAccount, id ledger.ID) (settlement.OpenOrder, bool, error) {
	orders, err := c.cfg.Settlement.Orders(ctx, account)
	for _, o := range orders {
		if o.ID == id {
			return o, true, err
		}
	}
	return settlement.OpenOrder{}, false, err
}

func planResolve(_ *Console, f *actForm, s *subject) (plan, error) {
	p := plan{sentence: f.newSentence(effects.Resolve)}
	p.sentence.Amount = s.asset.Format(f.amount)
	switch {
	case !s.hasOrder:
		p.blocked = effects.NoOrderNote
	case s.order.Amount.Less(f.amount) && !f.boxes["more"]:
		p.blocked = fmt.Sprintf("The order is of %s, and %s is more: tick --more if this amount was paid.", s.asset.Format(s.order.Amount), p.sentence.Amount)
	default:
		p.note = "The order is of " + s.asset.Format(s.order.Amount) + "."
	}
	return p, nil
}

func resolveOrder(ctx context.Context, c *Console, f *actForm, _ *subject) (actResult, error) {
	payment, err := c.cfg.Settlement.Resolve(ctx, f.account, f.order, f.amount)
	if err != nil {
		return actResult{}, err
	}
	return actResult{transfer: f.order.String(), amount: f.asset.Format(payment.Paid)}, nil
}

func planCancel(_ *Console, f *actForm, s *subject) (plan, error) {
	p := plan{sentence: f.newSentence(effects.Cancel), note: effects.CancelNote}
	switch {
	case !s.hasOrder:
		p.blocked = effects.NoOrderNote
		return p, nil
	case errors.Is(s.order.Waits, settlement.ErrAwaitsApproval):
		p.note = effects.CancelWaitingNote
	default:
		if err := effects.CheckEngineInactive(s.order, time.Now()); err != nil && !f.boxes["force"] {
			p.blocked = err.Error()
		}
	}
	p.sentence.Amount = s.asset.Format(s.order.Amount)
	return p, nil
}

func cancelOrder(ctx context.Context, c *Console, f *actForm, _ *subject) (actResult, error) {
	_, err := c.cfg.Settlement.Cancel(ctx, f.account, f.order)
	return actResult{transfer: f.order.String()}, err
}
