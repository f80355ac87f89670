package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/peerledger/peerledger/accounts"
)

// peerView is a peer's row as text.
type peerView struct {
	Name, Link, Asset, State          string
	Known                             bool
	Position, Line, Headroom, Prepaid string
	Arrears, ArrearsSince             string
	HeldIn, HeldOut, Settling         string
	HasArrears, HasPrepaid, HasHeld   bool
	Bar                               bar
}

func viewPeer(p *peer) peerView {
	v := peerView{Name: p.name, Asset: p.assetName, State: p.state(), Known: p.Known(), Bar: drawBar(p)}
	if p.Known() {
		v.Link = "peer?" + accountQuery(p.Account.Peer(), p.assetName)
	}
	if p.Incomplete {
		for _, text := range []*string{&v.Position, &v.Line, &v.Headroom, &v.Prepaid, &v.Arrears, &v.HeldIn, &v.HeldOut, &v.Settling} {
			*text = unknown
		}
		v.HasArrears, v.HasPrepaid, v.HasHeld = true, true, true // shown as unknown, not as nothing
		return v
	}
	b := &p.Balance
	v.Position = formatSigned(p.Asset, p.position())
	v.Line, v.Headroom, v.Prepaid = formatLine(p.Asset, b.CreditLine), formatHeadroom(b), formatPrepaid(b)
	v.Arrears, v.HasArrears, v.ArrearsSince = p.Asset.Format(b.Arrears), !b.Arrears.IsZero(), formatTime(p.arrearsSince)
	v.HeldIn, v.HeldOut, v.Settling = p.Asset.Format(b.HeldIn), p.Asset.Format(b.HeldOut), p.Asset.Format(b.Settling)
	v.HasHeld, v.HasPrepaid = !b.HeldIn.IsZero() || !b.HeldOut.IsZero(), !b.Prepaid.IsZero()
	return v
}

// nameAsset returns the name of an asset of the books, as in USD/9. If several are called so, it has the number of
// the asset's ledger, as in "USD/9 ledger 2", which is no other asset's String: that ends with the scale.
func nameAsset(assets []accounts.Asset, asset accounts.Asset) string {
	for _, a := range assets {
		if a.Ledger != asset.Ledger && a.String() == asset.String() {
			return fmt.Sprintf("%v ledger %d", asset, asset.Ledger)
		}
	}
	return asset.String()
}

func (c *Console) nameAsset(asset accounts.Asset) string {
	return nameAsset(c.cfg.Book.Assets(), asset)
}

// accountQuery is the query that names a peer in an asset of this name.
func accountQuery(peer, assetName string) string {
	return url.Values{"peer": {peer}, "asset": {assetName}}.Encode()
}

// peerFields are the columns of downloads, named as in "peerledger peers --json". Figures of an
// incomplete peer are absent.
var peerFields = []field[*peer]{
	{"peer", func(p *peer) any {
		if !p.Known() {
			return nil
		}
		return p.name
	}},
	{"asset", func(p *peer) any { return p.assetName }},
	{"state", func(p *peer) any { return p.state() }},
	{"position", known(func(p *peer) any { return formatSigned(p.Asset, p.position()) })},
	{"arrears", known(func(p *peer) any { return p.Asset.Format(p.Balance.Arrears) })},
	{"prepaid", known(func(p *peer) any { return p.Asset.Format(p.Balance.Prepaid) })},
	{"prepaid_at_most", known(func(p *peer) any { return p.Balance.PrepaidAtMost })},
	{"held_in", known(func(p *peer) any { return p.Asset.Format(p.Balance.HeldIn) })},
	{"held_out", known(func(p *peer) any { return p.Asset.Format(p.Balance.HeldOut) })},
	{"settling", known(func(p *peer) any { return p.Asset.Format(p.Balance.Settling) })},
	{"announced", known(func(p *peer) any { return p.Asset.Format(p.Balance.Announced) })},
	{"credit_line", known(func(p *peer) any { return formatLine(p.Asset, p.Balance.CreditLine) })},
	{"headroom", known(func(p *peer) any { return formatHeadroom(&p.Balance) })},
	{"line_used_percent", known(func(p *peer) any { return percentField(p.lineUsed) })},
	{"payable_cap", func(p *peer) any {
		if !p.hasCap {
			return nil
		}
		return p.Asset.Format(p.payableCap)
	}},
	{"cap_used_percent", known(func(p *peer) any { return percentField(p.capUsed) })},
	{"settled_out", known(func(p *peer) any { return p.Asset.Format(p.Balance.SettledOut) })},
	{"settled_in", known(func(p *peer) any { return p.Asset.Format(p.Balance.SettledIn) })},
	{"opened", known(func(p *peer) any { return stampTime(p.Balance.Opened) })},
	{"account", func(p *peer) any { return p.ID.String() }},
	{"waiting_in_suspense", known(func(p *peer) any {
		if p.waitingUnknown {
			return nil
		}
		return p.Asset.Format(p.waiting)
	})},
}

// known returns the value of a field, and nil for an incomplete peer.
func known(value func(*peer) any) func(*peer) any {
	return func(p *peer) any {
		if p.Incomplete {
			return nil
		}
		return value(p)
	}
}

func percentField(percent int) any {
	if percent == noPercent {
		return nil
	}
	return percent
}

// choice is an option of a form.
type choice struct {
	Value, Label string
	Chosen       bool
}

// column is the heading of a column, which sorts by it.
type column struct {
	Label, Link, Sorted string // Sorted is ascending, descending or ""
	Right               bool
}

// peersPage is the page of all peers.
type peersPage struct {
	header
	pager

	Search    string
	Sort      string
	Assets    []choice
	Shows     []choice
	Columns   []column
	Rows      []peerView
	All       int    // peers without the filter
	Filtered  bool   // a filter is set
	CSV, JSON string // links
}

func (c *Console) showPeers(w http.ResponseWriter, r *http.Request, f format) {
	q, err := parsePeersQuery(r.URL.Query())
	if err != nil {
		c.fail(w, http.StatusBadRequest, err)
		return
	}
	s, ok := c.readState(w, r, "Peers", "peers", f)
	if !ok {
		return
	}
	rows := q.selectPeers(s.look)
	if f != formatHTML {
		writeRows(w, f, "peers", slices.Values(rows), peerFields)
		return
	}
	begin, end, pager := q.cutPage("peers", len(rows))
	q.page = 1
	v := peersPage{
		header: newHeader("Peers", "peers", s), pager: pager, Search: q.search, Columns: q.newColumns(), All: len(s.look.peers),
		Filtered: q.search+q.asset+q.show != "", CSV: "peers.csv" + q.encode(), JSON: "peers.json" + q.encode(),
		Assets: []choice{{"", "all assets", q.asset == ""}}, Shows: []choice{{"", "all peers", q.show == ""}},
	}
	if q.sort != "" {
		v.Sort = map[bool]string{true: "-"}[q.desc] + q.sort
	}
	for _, a := range s.look.assets {
		name := nameAsset(s.look.assets, a)
		v.Assets = append(v.Assets, choice{name, name, q.asset == name})
	}
	for _, f := range peerFilters {
		v.Shows = append(v.Shows, choice{f.name, f.label, q.show == f.name})
	}
	for _, p := range rows[begin:end] {
		v.Rows = append(v.Rows, viewPeer(p))
	}
	c.render(w, http.StatusOK, "peers", v)
}

// newColumns returns the headings. A heading's link sorts by the column, largest amount first;
// that of the sorted column turns the order round.
func (q peersQuery) newColumns() []column {
	var list []column
	for _, h := range []struct {
		name, label string
		right       bool
	}{
		{"peer", "Peer", false},
		{"asset", "Asset", false},
		{"", "Position against line and cap", false},
		{"position", "Position", true},
		{"line", "Line", true},
		{"headroom", "Headroom", true},
		{"prepaid", "Prepaid", true},
		{"arrears", "Arrears", true},
		{"held", "Held in / out", true},
		{"state", "State", false},
	} {
		to := q
		to.sort, to.desc = h.name, h.right
		col := column{Label: h.label, Right: h.right}
		if q.sort == h.name {
			col.Sorted = map[bool]string{false: "ascending", true: "descending"}[q.desc]
			to.desc = !q.desc && h.name != ""
			if h.name == "" {
				col.Sorted = "descending"
			}
		}
		col.Link = "peers" + to.encode()
		list = append(list, col)
	}
	return list
}

// findAccount returns the account that a query names.
func (c *Console) findAccount(values url.Values) (accounts.PeerAccount, accounts.Asset, error) {
	name := strings.TrimSpace(values.Get("asset"))
	var names []string
	assets := c.cfg.Book.Assets()
	for _, a := range assets {
		names = append(names, nameAsset(assets, a))
		if names[len(names)-1] == name || name == "" && len(assets) == 1 {
			account, err := c.cfg.Book.PeerAccount(values.Get("peer"), a)
			return account, a, err
		}
	}
	reason := "must be one of " + strings.Join(names, ", ")
	return accounts.PeerAccount{}, accounts.Asset{}, &accounts.FieldError{Subject: "address", Field: "asset", Reason: reason}
}
