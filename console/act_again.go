package console

import (
	"context"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/internal/operatorlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// resend is what the books say about a form that was sent before, and whose outcome is not certain. The zero value is that the form
// is treated as if it was sent for the first time, with all checks: the change is not in the books.
type resend struct {
	harmless bool       // the ledger books the form's key once, so no check is needed
	done     *actResult // the books show the change: it is not made again
	order    ledger.ID  // the open order that the form has placed: only this one is paid
	refused  string     // why only a new form can go on
}

// compareResent compares the books with a form that was sent before. e is its latest act.
func (c *Console) compareResent(ctx context.Context, f *actForm, s *subject, e *operatorlog.Entry) (again resend, err error) {
	if f.action.compare == nil {
		return resend{harmless: true}, nil
	}
	err = c.readLedger(ctx, c.cfg.Timeout, func(ctx context.Context) (err error) {
		again, err = f.action.compare(ctx, c, f, s, e)
		return err
	})
	return again, err
}

// run makes the change of a form, unless the books show it.
func (f *actForm) run(ctx context.Context, c *Console, s *subject) (actResult, error) {
	if f.again.done != nil {
		result := *f.again.done
		result.already = true
		return result, nil
	}
	return f.action.run(ctx, c, f, s)
}

// compareLine finds a line that is as the form sets it. A revocation of what is free may leave more of the line than is wanted.
func compareLine(_ context.Context, _ *Console, f *actForm, s *subject, _ *operatorlog.Entry) (resend, error) {
	now := s.balance.CreditLine
	seen, err := effects.ParseLine(f.asset, f.seen)
	isLowered := err == nil && f.boxes["what_is_free"] && f.amount.Less(now) && now.Less(seen)
	if now == f.amount || isLowered {
		return resend{done: &actResult{after: effects.FormatLine(f.asset, now)}}, nil
	}
	return resend{}, nil
}

// compareState finds a state as the form sets it, with the amounts that the form revokes or writes off.
func (f *actForm) compareState(s *subject, after string) resend {
	b := s.balance
	isRevoked := !f.boxes["revoke_free"] || b.CreditLine.Min(b.Headroom).IsZero()
	isSettled := !f.boxes["force"] || b.Position().Sign() == 0
	if seeState(s) == after && isRevoked && isSettled {
		return resend{done: &actResult{after: after}}
	}
	return resend{}
}

// compareOrder finds an order that is closed as the form closes it.
func compareOrder(ctx context.Context, c *Console, f *actForm, s *subject, e *operatorlog.Entry) (resend, error) {
	if s.hasOrder {
		return resend{}, nil
	}
	closed, _, found, err := c.findClosed(ctx, f.account, f.order)
	switch {
	case err != nil:
		return resend{}, err
	case !found:
		return resend{refused: "The order is not open, and is not among the newest closed ones."}, nil
	case !isClosingOf(e, &closed):
		return resend{refused: "The order was closed in another way: " + describeClosed(&closed)}, nil
	case closed.Outcome == settlement.OrderPaid:
		return resend{done: &actResult{transfer: closed.ID.String(), amount: f.asset.Format(closed.Paid)}}, nil
	default:
		return resend{done: &actResult{transfer: closed.ID.String(), amount: f.asset.Format(closed.Amount)}}, nil
	}
}

// comparePayment finds the order that the form has placed.
func comparePayment(ctx context.Context, c *Console, f *actForm, s *subject, e *operatorlog.Entry) (resend, error) {
	id, err := ledger.ParseID(e.Transfer)
	switch {
	case err != nil:
		return resend{refused: "The journal does not say which order the form has placed: look at the peer's orders before you pay."}, nil
	case s.hasOrder && s.order.ID == id:
		return resend{order: id}, nil
	case s.hasOrder:
		return resend{}, nil // the form has not seen this order
	}
	closed, reached, found, err := c.findClosed(ctx, f.account, id)
	switch {
	case err != nil:
		return resend{}, err
	case found && closed.Outcome == settlement.OrderPaid:
		return resend{done: &actResult{transfer: closed.ID.String(), amount: f.asset.Format(closed.Paid)}}, nil
	case found:
		return resend{refused: "The order of this form was closed without a payment: " + describeClosed(&closed)}, nil
	case reached.After(e.Time.Add(-lookBack)):
		return resend{refused: "The order of this form is not open, and not among the newest closed ones."}, nil
	default: // the ledger never got the order
		return resend{}, nil
	}
}

// findClosed returns a closed order of an account. If it is not found, reached is the time of the oldest order that was searched, and
// zero if all were.
func (c *Console) findClosed(ctx context.Context, account accounts.PeerAccount, id ledger.ID) (closed settlement.ClosedOrder, reached time.Time, found bool, err error) {
	page, err := c.cfg.Settlement.ClosedOrders(ctx, settlement.ClosedOrderQuery{}, account)
	if err != nil {
		return settlement.ClosedOrder{}, time.Time{}, false, err
	}
	for i := range page.Orders {
		if page.Orders[i].ID == id {
			return page.Orders[i], time.Time{}, true, nil
		}
	}
	if page.More {
		reached = page.Orders[len(page.Orders)-1].ClosedAt
	}
	return settlement.ClosedOrder{}, reached, false, nil
}

// isClosingOf reports whether an order is closed as an act closes it.
func isClosingOf(e *operatorlog.Entry, o *settlement.ClosedOrder) bool {
	if e.Action == effects.Cancel.Action {
		return o.Outcome != settlement.OrderPaid
	}
	return o.Outcome == settlement.OrderPaid && o.Asset.Format(o.Paid) == e.Amount
}

// describeClosed says how an order was closed.
func describeClosed(o *settlement.ClosedOrder) string {
	return fmt.Sprintf("the order %v of %s was closed at %s: %s, %s paid.", o.ID, o.Asset.Text(o.Amount), formatTime(o.ClosedAt), o.Outcome, o.Asset.Format(o.Paid))
}
