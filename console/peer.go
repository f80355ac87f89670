package console

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// holdView is a hold of a packet, or a reservation of a recorder in rounds, as text.
type holdView struct {
	What, ID, Condition string
	In, Out             string
	Since, Expiry, Age  string
	Overdue             bool // the expiry has passed
	since, expiry       time.Time
}

// peerLinks are the addresses of a peer's tables.
type peerLinks struct {
	Statement, PeerCSV, PeerJSON, HoldsCSV, HoldsJSON string
}

func newPeerLinks(query string) peerLinks {
	q := "?" + query
	return peerLinks{"statement" + q, "peer.csv" + q, "peer.json" + q, "holds.csv" + q, "holds.json" + q}
}

// peerPage is the page of a peer in an asset.
type peerPage struct {
	header

	Peer       peerView
	ReadAt     string
	Announced  string
	SettledOut string
	SettledIn  string
	Sent       string
	Earned     string
	Opened     string
	Account    string
	Error      string // why the balance is unknown
	Links      peerLinks

	Holds      []holdView
	HoldsCount int
	HoldsError string
	Orders     ordersView
}

// maxHolds is the number of holds on the page; downloads have all.
const maxHolds = 100

func (c *Console) showPeer(w http.ResponseWriter, r *http.Request, f format) {
	values := r.URL.Query()
	account, asset, err := c.findAccount(values)
	if err != nil {
		c.fail(w, http.StatusBadRequest, err)
		return
	}
	s, ok := c.readState(w, r, account.Peer(), "peers", f)
	if !ok {
		return
	}
	p, found := s.look.findPeer(account)
	if !found {
		c.fail(w, http.StatusNotFound, errors.New(account.Peer()+" has no account in "+c.nameAsset(asset)+", or the console was not given the name (Config.Peers)"))
		return
	}
	if f != formatHTML {
		writeRows(w, f, "peer", slices.Values([]*peer{p}), peerFields)
		return
	}
	d, err := c.readDetail(r.Context(), account)
	if err != nil {
		c.fail(w, http.StatusServiceUnavailable, err)
		return
	}
	c.render(w, http.StatusOK, "peer", c.viewPeerPage(s, p, d))
}

func (c *Console) viewPeerPage(s state, p *peer, d *detail) peerPage {
	exact := *p
	if d.balanceErr == nil { // younger, and with the exact prepayment; an incomplete peer has no such balance
		exact.Balance, exact.Incomplete = d.balance, false
		exact.derive()
	}
	v := peerPage{
		header: newHeader(p.name, "peers", s), Peer: viewPeer(&exact), ReadAt: formatTime(d.at), Account: p.ID.String(),
		Links: newPeerLinks(accountQuery(p.Account.Peer(), p.assetName)), Announced: unknown, SettledOut: unknown, SettledIn: unknown, Sent: unknown, Earned: unknown, Opened: unknown,
	}
	if d.balanceErr != nil {
		v.Error, v.ReadAt = d.balanceErr.Error(), formatTime(s.look.at)
	}
	if b, a := &exact.Balance, p.Asset; !exact.Incomplete {
		v.Announced, v.SettledOut, v.SettledIn = a.Format(b.Announced), a.Format(b.SettledOut), a.Format(b.SettledIn)
		v.Sent, v.Earned, v.Opened = a.Format(b.Sent), a.Format(b.Earned), formatTime(b.Opened)
	}
	holds, err := viewHolds(p.Asset, d, time.Now())
	if err != nil {
		v.HoldsError = err.Error()
	}
	v.Holds, v.HoldsCount = holds[:min(len(holds), maxHolds)], len(holds)
	if d.ordersErr != nil {
		v.Orders.Error = d.ordersErr.Error()
	}
	for i := range d.orders {
		v.Orders.Rows = append(v.Orders.Rows, c.viewOrder(&d.orders[i]))
	}
	v.Orders.Count = len(v.Orders.Rows)
	return v
}

// viewHolds returns the holds and reservations of a peer, the first to expire first.
func viewHolds(a accounts.Asset, d *detail, now time.Time) ([]holdView, error) {
	if err := errors.Join(d.holdsErr, d.reservationsErr); err != nil {
		return nil, err
	}
	var list []holdView
	add := func(h holdView) {
		h.Since, h.Expiry, h.Age = formatTime(h.since), formatTime(h.expiry), formatAge(now.Sub(h.since))
		h.Overdue = !h.expiry.IsZero() && h.expiry.Before(now)
		list = append(list, h)
	}
	for _, h := range d.holds {
		add(holdView{What: "packet", ID: h.Packet.String(), Condition: formatTag(h.ConditionTag), In: a.Format(h.In), Out: a.Format(h.Out), since: h.Since, expiry: h.Expiry})
	}
	for _, r := range d.reservations {
		add(holdView{What: "reservation for rounds", ID: r.ID.String(), In: a.Format(r.Amount), since: r.Since, expiry: r.Expiry})
	}
	slices.SortStableFunc(list, func(x, y holdView) int {
		switch {
		case x.expiry.IsZero() != y.expiry.IsZero(): // without an expiry: last
			if x.expiry.IsZero() {
				return 1
			}
			return -1
		default:
			return x.expiry.Compare(y.expiry)
		}
	})
	return list, nil
}

var holdFields = []field[holdView]{
	{"what", func(h holdView) any { return h.What }},
	{"id", func(h holdView) any { return h.ID }},
	{"in", func(h holdView) any { return h.In }},
	{"out", func(h holdView) any { return h.Out }},
	{"since", func(h holdView) any { return stampTime(h.since) }},
	{"expiry", func(h holdView) any { return stampTime(h.expiry) }},
	{"condition", func(h holdView) any { return h.Condition }},
}

// showHolds has the holds of a peer for downloads; their page is the peer's.
func (c *Console) showHolds(w http.ResponseWriter, r *http.Request, f format) {
	account, asset, err := c.findAccount(r.URL.Query())
	switch {
	case err != nil:
		c.fail(w, http.StatusBadRequest, err)
		return
	case f == formatHTML:
		redirect(w, "peer?"+accountQuery(account.Peer(), c.nameAsset(asset)))
		return
	}
	d, err := c.readDetail(r.Context(), account)
	var holds []holdView
	if err == nil {
		holds, err = viewHolds(asset, d, time.Now())
	}
	if err != nil {
		c.fail(w, statusOf(err), err)
		return
	}
	writeRows(w, f, "holds", slices.Values(holds), holdFields)
}

// statusOf returns the status of an error of a read.
func statusOf(err error) int {
	switch {
	case errors.Is(err, accounts.ErrNotProvisioned):
		return http.StatusNotFound
	case errors.Is(err, accounts.ErrInvalid), errors.Is(err, accounts.ErrUnknownAsset):
		return http.StatusBadRequest
	default:
		return http.StatusServiceUnavailable
	}
}
