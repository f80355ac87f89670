package console

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// closedQuery is the query of the page of closed orders: all of the page's state is in its address.
type closedQuery struct {
	peer, asset      string    // "" is all; an asset is a name as of nameAsset
	from, to, before time.Time // of the closing; before is the end of the previous page. Zero is open
}

// parseClosedQuery reads the query. An error names the wrong field.
func parseClosedQuery(values url.Values) (q closedQuery, err error) {
	q.peer, q.asset = strings.TrimSpace(values.Get("peer")), strings.TrimSpace(values.Get("asset"))
	for _, field := range []struct {
		name string
		at   *time.Time
	}{{"from", &q.from}, {"to", &q.to}, {"before", &q.before}} {
		if *field.at, err = parseMoment(values.Get(field.name)); err != nil {
			return q, fmt.Errorf("%s: %w", field.name, err)
		}
	}
	if !q.from.IsZero() && !q.to.IsZero() && !q.from.Before(q.to) {
		return q, errFromAfterTo
	}
	return q, nil
}

var errFromAfterTo = errors.New("from must be before to")

// encode returns the query as text, with the page that ends before a moment; zero is the first page.
func (q closedQuery) encode(before time.Time) string {
	values := url.Values{"state": {"closed"}}
	for name, value := range map[string]string{"peer": q.peer, "asset": q.asset, "from": formInput(q.from), "to": formInput(q.to)} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if !before.IsZero() {
		values.Set("before", before.UTC().Format(time.RFC3339Nano))
	}
	return "?" + values.Encode()
}

// closedView is a closed order as text.
type closedView struct {
	Peer, Link, Asset, Order, Amount, Paid, Rail string
	Outcome, Owner, LastError                    string
	Sequence                                     uint64
	Placed, Closed                               string
	IsPaid                                       bool
	placedAt, closedAt                           time.Time
}

// closedPage is the page of closed orders.
type closedPage struct {
	header

	Peer, From, To string // as given, for the form
	Assets         []choice
	Rows           []closedView
	Older          string // link to the next page; "" without one
	Missing        int    // known peers whose orders were not read
	Unnamed        int    // peers without a known name, whose orders cannot be read
	Error          string // why the orders are unknown; "" if they are known
	CSV, JSON      string
}

// closedPageSize is the number of orders of a page.
const closedPageSize = 100

// showClosedOrders shows a page of the closed orders of a peer, or of all known peers.
func (c *Console) showClosedOrders(w http.ResponseWriter, r *http.Request, f format) {
	q, err := parseClosedQuery(r.URL.Query())
	if err != nil {
		c.fail(w, http.StatusBadRequest, err)
		return
	}
	s, ok := c.readState(w, r, "Closed orders", "orders", f)
	if !ok {
		return
	}
	v := closedPage{
		header: newHeader("Closed orders", "orders", s), Peer: q.peer, From: formInput(q.from), To: formInput(q.to), Assets: c.assetChoices(q.asset),
		CSV: "orders.csv" + q.encode(time.Time{}), JSON: "orders.json" + q.encode(time.Time{}),
	}
	list, err := c.selectAccounts(q, s.look, &v)
	switch {
	case err != nil:
		c.fail(w, http.StatusBadRequest, err)
	case f == formatHTML:
		c.showClosedPage(w, r, q, list, v)
	case c.cfg.Settlement == nil:
		c.fail(w, http.StatusServiceUnavailable, errNoEngine)
	case v.Missing+v.Unnamed > 0: // a download that lacks rows must not pass for a whole one
		c.fail(w, http.StatusServiceUnavailable, errors.New("not all orders can be read: give a peer, name the unknown peers, or raise Config.MaxOrders"))
	default:
		streamRows(c, w, r, f, "orders-closed", closedFields, func(ctx context.Context) iter.Seq2[closedView, error] { return c.closedOrders(ctx, q, list) })
	}
}

// showClosedPage reads and sends a page.
func (c *Console) showClosedPage(w http.ResponseWriter, r *http.Request, q closedQuery, list []accounts.PeerAccount, v closedPage) {
	if c.cfg.Settlement == nil {
		v.Error = errNoEngine.Error()
		c.render(w, http.StatusOK, "closed", v)
		return
	}
	err := c.readLedger(r.Context(), c.cfg.Timeout, func(ctx context.Context) error {
		for o, err := range c.closedOrders(ctx, q, list) {
			if err != nil {
				return err
			}
			if len(v.Rows) == closedPageSize {
				v.Older = "orders" + q.encode(v.Rows[closedPageSize-1].closedAt)
				return nil
			}
			v.Rows = append(v.Rows, o)
		}
		return nil
	})
	if err != nil {
		c.fail(w, statusOf(err), err)
		return
	}
	c.render(w, http.StatusOK, "closed", v)
}

// assetChoices are the assets of the books for a form, and all of them.
func (c *Console) assetChoices(chosen string) []choice {
	choices := []choice{{"", "all assets", chosen == ""}}
	for _, a := range c.cfg.Book.Assets() {
		name := c.nameAsset(a)
		choices = append(choices, choice{name, name, name == chosen})
	}
	return choices
}

// selectAccounts returns the accounts of a query: of the peer, or of known peers, of which Config.MaxOrders are read.
// Peers that were paid come first. A peer whose orders were all voided has no trace in its balance.
func (c *Console) selectAccounts(q closedQuery, k *look, v *closedPage) (list []accounts.PeerAccount, err error) {
	isAsset := func(a accounts.Asset) bool { return q.asset == "" || c.nameAsset(a) == q.asset }
	assets := slices.DeleteFunc(c.cfg.Book.Assets(), func(a accounts.Asset) bool { return !isAsset(a) })
	if len(assets) == 0 {
		return nil, fmt.Errorf("there is no asset=%.40q", q.asset)
	}
	if q.peer != "" {
		for _, asset := range assets {
			account, err := c.cfg.Book.PeerAccount(q.peer, asset)
			if err != nil {
				return nil, err
			}
			list = append(list, account)
		}
		return list, nil
	}
	var unpaid []accounts.PeerAccount
	for _, p := range k.peers {
		switch {
		case !isAsset(p.Asset):
		case !p.Known():
			v.Unnamed++
		case p.Balance.EverSettled():
			list = append(list, p.Account)
		default:
			unpaid = append(unpaid, p.Account)
		}
	}
	list = append(list, unpaid...)
	most := min(len(list), c.cfg.MaxOrders)
	v.Missing = len(list) - most
	return list[:most], nil
}

// closedOrders yields the closed orders of accounts in the range of a query, the newest first. It reads a page of them
// at a time.
func (c *Console) closedOrders(ctx context.Context, q closedQuery, list []accounts.PeerAccount) iter.Seq2[closedView, error] {
	return func(yield func(closedView, error) bool) {
		before := q.to
		if !q.before.IsZero() && (before.IsZero() || q.before.Before(before)) {
			before = q.before
		}
		owners := c.ownerNames()
		for {
			page, err := c.cfg.Settlement.ClosedOrders(ctx, settlement.ClosedOrderQuery{Limit: closedPageSize + 1, Before: before}, list...)
			if err != nil {
				yield(closedView{}, err)
				return
			}
			for i := range page.Orders {
				o := &page.Orders[i]
				if o.ClosedAt.Before(q.from) || !yield(c.viewClosed(o, owners), nil) {
					return
				}
				before = o.ClosedAt
			}
			if !page.More {
				return
			}
		}
	}
}

// ownerNames returns the names of the known engines by their ids in the ledger.
func (c *Console) ownerNames() map[ledger.ID]string {
	names := make(map[ledger.ID]string)
	for _, name := range c.cfg.Instances {
		names[settlement.InstanceID(c.cfg.Book, name)] = name
	}
	return names
}

func (c *Console) viewClosed(o *settlement.ClosedOrder, owners map[ledger.ID]string) closedView {
	asset := c.nameAsset(o.Asset)
	v := closedView{
		Peer: o.Account.Peer(), Link: "peer?" + accountQuery(o.Account.Peer(), asset), Asset: asset, Order: o.ID.String(), Amount: o.Asset.Format(o.Amount),
		Paid: o.Asset.Format(o.Paid), Rail: o.Rail, Outcome: string(o.Outcome), Owner: owners[o.Owner], Sequence: o.Sequence, LastError: c.orderErrors.get(o.ID),
		Placed: formatTime(o.PlacedAt), Closed: formatTime(o.ClosedAt), IsPaid: o.Outcome == settlement.OrderPaid, placedAt: o.PlacedAt, closedAt: o.ClosedAt,
	}
	if v.Owner == "" {
		v.Owner = o.Owner.String()
	}
	return v
}

// closedFields are the columns of downloads, named as in "peerledger orders --closed --json".
var closedFields = []field[closedView]{
	{"peer", func(o closedView) any { return o.Peer }},
	{"asset", func(o closedView) any { return o.Asset }},
	{"order", func(o closedView) any { return o.Order }},
	{"sequence", func(o closedView) any { return o.Sequence }},
	{"amount", func(o closedView) any { return o.Amount }},
	{"paid", func(o closedView) any { return o.Paid }},
	{"outcome", func(o closedView) any { return o.Outcome }},
	{"rail", func(o closedView) any { return textOrNil(o.Rail) }},
	{"placed", func(o closedView) any { return stampTime(o.placedAt) }},
	{"closed", func(o closedView) any { return stampTime(o.closedAt) }},
	{"owner", func(o closedView) any { return o.Owner }},
	{"last_error", func(o closedView) any { return textOrNil(o.LastError) }},
}
