package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/internal/operatorlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// payNow settles with the peer. An order that stays open without a decision of an operator has an unknown outcome: the
// rail may have paid.
func payNow(ctx context.Context, c *Console, f *actForm, _ *subject) (actResult, error) {
	if !f.again.order.IsZero() {
		return payOrderAgain(ctx, c, f)
	}
	payments, err := c.cfg.Settlement.SettleNow(ctx, f.account)
	result := f.sumPayments(payments)
	failure := new(settlement.OrderError)
	switch {
	case err == nil && len(payments) == 0:
		return result, errNothingDue
	case err == nil:
		return result, nil
	case !errors.As(err, &failure) || failure.Order.ID.IsZero():
		return result.endWith(err, len(payments))
	}
	id := failure.Order.ID
	open, found, readErr := c.findOrder(ctx, f.account, id)
	if readErr == nil && !found && classify(result, err) != operatorlog.Unknown { // the order was voided
		result.transfer = cmp.Or(result.transfer, id.String())
		return result.endWith(err, len(payments))
	}
	result.transfer = id.String()
	switch {
	case readErr != nil:
		return result, fmt.Errorf("%w: the order may be open: %w", ledger.ErrOutcomeUnknown, errors.Join(err, readErr))
	case !found:
		return result, err
	default:
		return result.endOpen(&open, err)
	}
}

// sumPayments returns the result of payments: the sum, and the last order.
func (f *actForm) sumPayments(payments []settlement.Payment) (result actResult) {
	var paid ledger.Amount
	for _, p := range payments {
		result.transfer = p.Order.ID.String()
		paid, _ = paid.Add(p.Paid) // the ledger holds both, so the sum fits
	}
	if len(payments) > 0 {
		result.amount = f.asset.Format(paid)
	}
	return result
}

// endWith returns the result of payments of which the last one failed. If others were made, the change was made in part: it is no refusal.
func (result actResult) endWith(err error, paid int) (actResult, error) {
	if paid == 0 || classify(result, err) == operatorlog.Unknown {
		return result, err
	}
	result.rest, result.note = err, "Only "+result.amount+" was paid. The next order failed: "+err.Error()+"."
	return result, nil
}

// endOpen returns the result of a payment whose order is open.
func (result actResult) endOpen(open *settlement.OpenOrder, err error) (actResult, error) {
	switch {
	case errors.Is(open.Waits, settlement.ErrAwaitsApproval):
		result.note = "The order is placed and waits for approval: peerledger settle approve, or cancel it."
		return result, nil
	case errors.Is(open.Waits, settlement.ErrPaused):
		result.note = "The order is placed, and is paid after the end of the pause."
		return result, nil
	case err == nil:
		return result, fmt.Errorf("%w: the order %v is open, and another engine pays it", ledger.ErrOutcomeUnknown, open.ID)
	default:
		return result, fmt.Errorf("%w: the order %v is open: %w", ledger.ErrOutcomeUnknown, open.ID, err)
	}
}

var errOrderClosed = errors.New("the order of this form was closed without a payment")

// payOrderAgain has the engine go on with the order that the form has placed. The visit is not urgent: it orders nothing more than
// the engine orders by itself.
func payOrderAgain(ctx context.Context, c *Console, f *actForm) (actResult, error) {
	result := actResult{transfer: f.again.order.String()}
	payments, err := c.cfg.Settlement.Settle(ctx, f.account)
	for _, p := range payments {
		if p.Order.ID == f.again.order && !p.Paid.IsZero() {
			result.amount = f.asset.Format(p.Paid)
			return result, nil
		}
	}
	open, isOpen, readErr := c.findOrder(ctx, f.account, f.again.order)
	switch {
	case readErr != nil:
		return result, fmt.Errorf("%w: the order may be open: %w", ledger.ErrOutcomeUnknown, errors.Join(err, readErr))
	case isOpen:
		return result.endOpen(&open, err)
	}
	closed, _, found, readErr := c.findClosed(ctx, f.account, f.again.order)
	switch {
	case readErr != nil, !found:
		return result, fmt.Errorf("%w: how the order was closed is not known: %w", ledger.ErrOutcomeUnknown, errors.Join(err, readErr, settlement.ErrNoOrder))
	case closed.Outcome == settlement.OrderPaid:
		result.already, result.amount = true, f.asset.Format(closed.Paid)
		return result, nil
	default:
		return result, errors.Join(errOrderClosed, err)
	}
}
