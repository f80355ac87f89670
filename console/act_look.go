package console

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/effects"
	"github.com/peerledger/peerledger/internal/operatorlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// finding is what the ledger has of an act.
type finding struct {
	Booked string // "yes", "no" or "unknown"
	Text   string
}

const (
	stillOnItsWay = " A request that is still on its way may change that later."
	// lookBack is how far before the begin of an act its rows are looked for: the ledger has a clock of its own.
	lookBack = 10 * time.Minute
)

// lookAgain reads from the ledger whether an act is booked.
func (c *Console) lookAgain(r *http.Request, a *action, p place, e *operatorlog.Entry) (found finding) {
	err := c.readLedger(r.Context(), c.cfg.Timeout, func(ctx context.Context) (err error) {
		found, err = a.look(ctx, c, p, e)
		return err
	})
	if err != nil {
		return finding{"unknown", "The ledger could not be read: " + err.Error() + "."}
	}
	return found
}

// lookKey looks for the booking of a key.
func lookKey(ctx context.Context, c *Console, p place, e *operatorlog.Entry) (finding, error) {
	result, err := c.cfg.Book.Find(ctx, accounts.FindQuery{Key: e.Key, Peers: []accounts.PeerAccount{p.account}})
	if err != nil {
		return finding{}, err
	}
	var texts []string
	for i := range result.Found {
		f := &result.Found[i]
		if f.State == accounts.StateBooked && isBookingOf(e.Action, f) {
			texts = append(texts, fmt.Sprintf("%s of %s from %v to %v at %s, transfer %v", f.Kind, p.asset.Text(f.In), f.From, f.To, formatTime(f.Since), f.ID))
		}
	}
	if len(texts) == 0 {
		return finding{"no", fmt.Sprintf("The ledger has no such booking under the key %q.", e.Key) + stillOnItsWay}, nil
	}
	return finding{"yes", fmt.Sprintf("Under the key %q the ledger has: %s.", e.Key, strings.Join(texts, "; "))}, nil
}

// isBookingOf reports whether a found booking is of an action. Kinds of bookings have separate keys, so one text may be
// the key of several.
func isBookingOf(action string, f *accounts.Found) bool {
	isWriteOff := f.To.AccountKind == "arrears" // a correction never credits arrears
	switch code := f.Rows[0].Code; action {
	case effects.Received.Action:
		return code == chart.CodeIncoming
	case effects.Paid.Action:
		return code == chart.CodeOutgoing
	case effects.Returned.Action:
		return code == chart.CodeReturned
	case effects.WriteOff.Action:
		return code == chart.CodeAdjust && isWriteOff
	default:
		return code == chart.CodeAdjust && !isWriteOff
	}
}

// lookCapital looks for the booking of a movement of capital by its key.
func lookCapital(ctx context.Context, c *Console, p place, e *operatorlog.Entry) (finding, error) {
	find := c.cfg.Book.FindFunding
	if e.Action == effects.Withdraw.Action {
		find = c.cfg.Book.FindWithdrawal
	}
	b, found, err := find(ctx, p.asset, e.Key)
	switch {
	case err != nil:
		return finding{}, err
	case !found:
		return finding{"no", fmt.Sprintf("The ledger has no such movement under the key %q.", e.Key) + stillOnItsWay}, nil
	default:
		return finding{"yes", fmt.Sprintf("Under the key %q the ledger has %s at %s, transfer %v.", e.Key, p.asset.Text(b.Amount), formatTime(b.BookedAt), b.Transfer)}, nil
	}
}

// lookLine compares the line with the act.
func lookLine(ctx context.Context, c *Console, p place, e *operatorlog.Entry) (finding, error) {
	b, err := c.cfg.Book.Balance(ctx, p.account)
	return compareNow("line", effects.FormatLine(p.asset, b.CreditLine), e), err
}

// lookState compares the peer's state with the act.
func lookState(ctx context.Context, c *Console, p place, e *operatorlog.Entry) (finding, error) {
	b, err := c.cfg.Book.Balance(ctx, p.account)
	return compareNow("state", effects.DescribeState(b), e), err
}

// compareNow compares a value of the books with the values before and after an act. Another operator may have set the
// value: the books keep no names.
func compareNow(name, now string, e *operatorlog.Entry) finding {
	switch {
	case e.Before == e.After:
		return finding{"unknown", fmt.Sprintf("The %s is %s, which was so before the change: it does not show whether the rest of the change is booked.", name, now)}
	case now == e.After:
		return finding{"yes", fmt.Sprintf("The %s is %s, as the change sets it.", name, now)}
	case now == e.Before:
		return finding{"no", fmt.Sprintf("The %s is still %s.", name, now) + stillOnItsWay}
	default:
		return finding{"unknown", fmt.Sprintf("The %s is %s: neither %s, as before, nor %s.", name, now, e.Before, e.After)}
	}
}

// lookOrder looks for the order that an act closes.
func lookOrder(ctx context.Context, c *Console, p place, e *operatorlog.Entry) (finding, error) {
	open, isOpen, err := c.findOrder(ctx, p.account, p.order)
	switch {
	case err != nil:
		return finding{}, err
	case isOpen:
		return finding{"no", fmt.Sprintf("The order %v of %s is open. %s", open.ID, p.asset.Text(open.Amount), describeOpen(&open))}, nil
	}
	closed, _, found, err := c.findClosed(ctx, p.account, p.order)
	switch {
	case err != nil:
		return finding{}, err
	case !found:
		return finding{"unknown", "The order is not open, and not among the newest closed ones."}, nil
	case isClosingOf(e, &closed):
		return finding{"yes", "As the change closes it, " + describeClosed(&closed)}, nil
	default:
		return finding{"no", "In another way than the change closes it, " + describeClosed(&closed)}, nil
	}
}

// lookPayment looks for the order that an act has placed. Other orders of the peer say nothing about the act.
func lookPayment(ctx context.Context, c *Console, p place, e *operatorlog.Entry) (finding, error) {
	id, err := ledger.ParseID(e.Transfer)
	if err != nil {
		return finding{"unknown", "The journal does not say which order the change has placed: compare the peer's orders."}, nil
	}
	open, isOpen, err := c.findOrder(ctx, p.account, id)
	switch {
	case err != nil:
		return finding{}, err
	case isOpen:
		return finding{"unknown", fmt.Sprintf("The order %v of %s is open. %s", open.ID, p.asset.Text(open.Amount), describeOpen(&open))}, nil
	}
	closed, reached, found, err := c.findClosed(ctx, p.account, id)
	switch {
	case err != nil:
		return finding{}, err
	case found && closed.Outcome == settlement.OrderPaid:
		return finding{"yes", "Of this change, " + describeClosed(&closed)}, nil
	case found:
		return finding{"no", "Of this change, " + describeClosed(&closed)}, nil
	case reached.After(e.Time.Add(-lookBack)):
		return finding{"unknown", fmt.Sprintf("The order %v is not open, and not among the newest closed ones.", id)}, nil
	default:
		return finding{"no", fmt.Sprintf("The ledger has no order %v.", id) + stillOnItsWay}, nil
	}
}

// describeOpen says what an open order waits for.
func describeOpen(o *settlement.OpenOrder) string {
	switch wait := describeWait(o.Waits); {
	case wait != "":
		return "It waits for: " + wait + "."
	case o.LastErr != nil:
		return "Ask the rail for the state of this key. Its last answer: " + o.LastErr.Error() + "."
	default:
		return "Ask the rail for the state of this key."
	}
}
