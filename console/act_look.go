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
	// maxLookRows is the number of rows or orders that are read for an act.
	maxLookRows = 10_000
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

// lookCapital looks for a movement of capital in the statement of our own account.
func lookCapital(ctx context.Context, c *Console, p place, e *operatorlog.Entry) (finding, error) {
	own, err := c.cfg.Book.OwnAccount(p.asset)
	if err != nil {
		return finding{}, err
	}
	s, err := c.cfg.Book.Statement(ctx, own, e.Time.Add(-lookBack), time.Time{}, accounts.WithKnownKeys(e.Key))
	if err != nil {
		return finding{}, err
	}
	rows, isIn := 0, e.Action == effects.Fund.Action
	for row, err := range s.Entries(ctx) {
		if err != nil {
			return finding{}, err
		}
		if row.Kind == accounts.EntryFunding && row.Key == e.Key && (row.Amount.Sign() > 0) == isIn {
			return finding{"yes", fmt.Sprintf("Under the key %q the ledger has %s at %s, transfer %v.", e.Key, formatSigned(p.asset, row.Amount), formatTime(row.Time), row.Transfer)}, nil
		}
		if rows++; rows >= maxLookRows {
			return finding{"unknown", fmt.Sprintf("The booking is not among the first %d rows after %s: see peerledger statement --own.", maxLookRows, formatTime(e.Time))}, nil
		}
	}
	return finding{"no", fmt.Sprintf("The ledger has no such movement under the key %q since %s.", e.Key, formatTime(e.Time.Add(-lookBack))) + stillOnItsWay}, nil
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
	switch now {
	case e.After:
		return finding{"yes", fmt.Sprintf("The %s is %s, as the change sets it.", name, now)}
	case e.Before:
		return finding{"no", fmt.Sprintf("The %s is still %s.", name, now) + stillOnItsWay}
	default:
		return finding{"unknown", fmt.Sprintf("The %s is %s: neither %s, as before, nor %s.", name, now, e.Before, e.After)}
	}
}

// lookOrder looks for the order of an act, or for the peer's orders since the act.
func lookOrder(ctx context.Context, c *Console, p place, e *operatorlog.Entry) (finding, error) {
	open, err := c.cfg.Settlement.Orders(ctx, p.account)
	if err != nil {
		return finding{}, err
	}
	for _, o := range open {
		text := fmt.Sprintf("The order %v of %s is open. %s", o.ID, p.asset.Text(o.Amount), describeOpen(&o))
		switch {
		case o.ID == p.order:
			return finding{"no", text}, nil
		case p.order.IsZero():
			return finding{"unknown", text}, nil
		}
	}
	page, err := c.cfg.Settlement.ClosedOrders(ctx, settlement.ClosedOrderQuery{}, p.account)
	if err != nil {
		return finding{}, err
	}
	for _, o := range page.Orders {
		if o.ID == p.order || p.order.IsZero() && o.ClosedAt.After(e.Time.Add(-lookBack)) {
			return finding{"yes", fmt.Sprintf("The order %v of %s was closed at %s: %s, %s paid.", o.ID, p.asset.Text(o.Amount), formatTime(o.ClosedAt), o.Outcome, p.asset.Format(o.Paid))}, nil
		}
	}
	if p.order.IsZero() {
		return finding{"no", "The peer has no open order, and none was closed since " + formatTime(e.Time.Add(-lookBack)) + "." + stillOnItsWay}, nil
	}
	return finding{"unknown", fmt.Sprintf("The order is not open, and not among the newest %d closed ones.", len(page.Orders))}, nil
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
