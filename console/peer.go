package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// peerLinks are the addresses of a peer's tables.
type peerLinks struct {
	Statement, PeerCSV, PeerJSON, HoldsCSV, HoldsJSON, Compare, Closed string
}

func newPeerLinks(query string) peerLinks {
	q := "?" + query
	return peerLinks{"statement" + q, "peer.csv" + q, "peer.json" + q, "holds.csv" + q, "holds.json" + q, "compare" + q, "orders" + q + "&state=closed"}
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

	Holds      []holdView // the first to expire
	HoldsCount int
	HoldsError string
	Orders     ordersView
	Standing   standingView
	Past       pastView
	Acts       []actLink
	Audit      string // the address of the acts on the peer
}

func (c *Console) showPeer(w http.ResponseWriter, r *http.Request, f format) {
	values := r.URL.Query()
	account, asset, err := c.findAccount(values)
	when, rangeErr := parsePastRange(values)
	if err = errors.Join(err, rangeErr); err != nil {
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
	d, err := c.readDetail(r.Context(), account, asset)
	var before *past
	if err == nil {
		before, err = c.readPast(r.Context(), p, when)
	}
	if err != nil {
		c.fail(w, http.StatusServiceUnavailable, err)
		return
	}
	v := c.viewPeerPage(s, p, d)
	v.Past = c.viewPast(p, when, before)
	c.render(w, http.StatusOK, "peer", v)
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
	v.Acts = c.listActs(place{account: p.Account, asset: p.Asset, assetName: p.assetName}, exact.state())
	v.Audit = "audit?" + url.Values{"peer": {p.Account.Peer()}}.Encode()
	if d.balanceErr != nil {
		v.Error, v.ReadAt = d.balanceErr.Error(), formatTime(s.look.at)
	}
	if b, a := &exact.Balance, p.Asset; !exact.Incomplete {
		v.Announced, v.SettledOut, v.SettledIn = a.Format(b.Announced), a.Format(b.SettledOut), a.Format(b.SettledIn)
		v.Sent, v.Earned, v.Opened = a.Format(b.Sent), a.Format(b.Earned), formatTime(b.Opened)
	}
	if d.holdsErr != nil {
		v.HoldsError = d.holdsErr.Error()
	}
	v.Holds, v.HoldsCount = viewHolds(d.holds, time.Now()), d.holdsCount
	if d.ordersErr != nil {
		v.Orders.Error = d.ordersErr.Error()
	}
	for i := range d.orders {
		v.Orders.Rows = append(v.Orders.Rows, c.viewOrder(&d.orders[i]))
	}
	v.Orders.Count = len(v.Orders.Rows)
	v.Standing = c.viewStanding(&exact, d)
	return v
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
