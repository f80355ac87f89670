package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/peerledger/peerledger/settlement"
)

// orderView is an open order as text.
type orderView struct {
	Peer, Link, Asset, Order, Amount, Rail string
	Sequence                               uint64
	Placed, Age, Claimed, Waits            string
	placedAt, claimedAt                    time.Time
	Stuck                                  bool
	// Owned is set if an engine of this process owns the order. Only the owner knows Attempts and
	// LastError, so otherwise they are unknown.
	Owned     bool
	Attempts  int
	LastError string
	Acts      []actLink // forms about the order
}

// ordersView has the open orders. The page shows all, the overview the stuck ones first.
type ordersView struct {
	Rows    []orderView
	Count   int // all open orders that were read
	Stuck   int
	Missing int    // peers whose open order was not read
	Error   string // why the orders are unknown; "" if they are known
	Open    int    // peers with an open order, by their balances
}

func (c *Console) viewOrders(k *look, most int) ordersView {
	v := ordersView{Count: len(k.orders), Missing: k.ordersUnder, Open: k.settling}
	if k.ordersErr != nil {
		v.Error = k.ordersErr.Error()
		return v
	}
	for i := range k.orders { // the oldest first, so stuck ones lead
		o := c.viewOrder(&k.orders[i])
		if o.Stuck {
			v.Stuck++
		}
		if len(v.Rows) < most {
			v.Rows = append(v.Rows, o)
		}
	}
	return v
}

func (c *Console) viewOrder(o *settlement.OpenOrder) orderView {
	age, asset := o.Age(time.Now()), c.nameAsset(o.Asset)
	v := orderView{
		Peer: o.Account.Peer(), Link: "peer?" + accountQuery(o.Account.Peer(), asset), Asset: asset, Order: o.ID.String(),
		Amount: o.Asset.Format(o.Amount), Rail: o.Rail, Sequence: o.Sequence, Placed: formatTime(o.PlacedAt), Age: formatAge(age),
		Claimed: formatTime(o.LeaseRenewedAt), Waits: describeWait(o.Waits), Stuck: age > c.cfg.StuckAfter,
		placedAt: o.PlacedAt, claimedAt: o.LeaseRenewedAt,
	}
	v.Acts = c.linkOrder(o.Account, o.Asset, v.Order)
	if v.Owned = o.OwnedByThisInstance; v.Owned {
		v.Attempts = o.Attempts
		if o.LastErr != nil {
			v.LastError = o.LastErr.Error()
		}
	}
	return v
}

// describeWait says why no engine gives an order to a rail, in the words of "peerledger orders".
func describeWait(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, settlement.ErrAwaitsApproval):
		return "approval"
	case errors.Is(err, settlement.ErrPaused):
		return "end of the pause"
	default:
		return err.Error()
	}
}

// orderFields are the columns of downloads, named as in "peerledger orders --json".
var orderFields = []field[orderView]{
	{"peer", func(o orderView) any { return o.Peer }},
	{"asset", func(o orderView) any { return o.Asset }},
	{"order", func(o orderView) any { return o.Order }},
	{"sequence", func(o orderView) any { return o.Sequence }},
	{"amount", func(o orderView) any { return o.Amount }},
	{"rail", func(o orderView) any { return o.Rail }},
	{"placed", func(o orderView) any { return stampTime(o.placedAt) }},
	{"claimed", func(o orderView) any { return stampTime(o.claimedAt) }},
	{"waits_for", func(o orderView) any { return o.Waits }},
	{"stuck", func(o orderView) any { return o.Stuck }},
	{"attempts", ifOwned(func(o orderView) any { return o.Attempts })},
	{"last_error", ifOwned(func(o orderView) any { return o.LastError })},
}

// ifOwned returns the value of a field that only the owner of an order knows, and nil for others.
func ifOwned(value func(orderView) any) func(orderView) any {
	return func(o orderView) any {
		if !o.Owned {
			return nil
		}
		return value(o)
	}
}

// ordersPage is the page of open orders.
type ordersPage struct {
	header

	Orders     ordersView
	Pauses     []string
	StuckAfter string
}

// maxOrderRows is the number of orders on the page; downloads have all that were read.
const maxOrderRows = 300

func (c *Console) showOrders(w http.ResponseWriter, r *http.Request, f format) {
	switch state := r.URL.Query().Get("state"); state {
	case "", "open":
	case "closed":
		c.showClosedOrders(w, r, f)
		return
	default:
		c.fail(w, http.StatusBadRequest, fmt.Errorf("there is no state=%.40q of orders: there is open and closed", state))
		return
	}
	s, ok := c.readState(w, r, "Open orders", "orders", f)
	if !ok {
		return
	}
	if f == formatHTML {
		v := ordersPage{header: newHeader("Open orders", "orders", s), Orders: c.viewOrders(s.look, maxOrderRows), StuckAfter: formatAge(c.cfg.StuckAfter)}
		for _, pause := range s.look.pauses {
			v.Pauses = append(v.Pauses, pause.String())
		}
		c.render(w, http.StatusOK, "orders", v)
		return
	}
	v := c.viewOrders(s.look, len(s.look.orders))
	switch {
	case v.Error != "":
		c.fail(w, http.StatusServiceUnavailable, errors.New(v.Error))
	case v.Missing > 0: // a download that lacks rows must not pass for a whole one
		c.fail(w, http.StatusServiceUnavailable, errors.New("not all orders were read: raise Config.MaxOrders, or name the unknown peers"))
	default:
		writeRows(w, f, "orders", slices.Values(v.Rows), orderFields)
	}
}
