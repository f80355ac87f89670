package console

import (
	"cmp"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/peerledger/peerledger/ledger"
)

// peersQuery is the query of the page of peers: all of the page's state is in its address.
type peersQuery struct {
	search string
	asset  string // a name as of nameAsset; "" is all
	show   string // a filter of peerFilters; "" is all
	sort   string // an order of peerOrders; "" is by trouble
	desc   bool
	page   int // from 1
}

// pageSize is the number of rows of a page.
const pageSize = 100

// filter is a choice of rows.
type filter struct {
	name, label string
	keep        func(*peer) bool
}

var peerFilters = []filter{
	{"arrears", "in arrears", func(p *peer) bool { return !p.Balance.Arrears.IsZero() }},
	{"near", "near line or cap", func(p *peer) bool { return p.isNear() }},
	{"owing", "owing us", func(p *peer) bool { return !p.Balance.Receivable.IsZero() }},
	{"owed", "owed by us", func(p *peer) bool { return !p.Balance.Payable.IsZero() }},
	{"held", "with money held", func(p *peer) bool { return !p.Balance.HeldIn.IsZero() || !p.Balance.HeldOut.IsZero() }},
	{"settling", "with an open order", func(p *peer) bool { return !p.Balance.Settling.IsZero() }},
	{"suspense", "with money in suspense", func(p *peer) bool { return !p.waiting.IsZero() }},
	{"suspended", "suspended", func(p *peer) bool { return p.state() == "suspended" }},
	{"closed", "closed", func(p *peer) bool { return p.state() == "closed" }},
	{"incomplete", "incomplete", func(p *peer) bool { return p.Incomplete }},
	{"unnamed", "without a known name", func(p *peer) bool { return !p.Known() }},
}

// peerOrders are the orders of the columns. Amounts of two assets are not compared: rows are
// ordered by asset first.
var peerOrders = map[string]func(a, b *peer) int{
	"peer":     func(a, b *peer) int { return cmp.Or(strings.Compare(a.search, b.search), compareAssets(a, b)) },
	"asset":    compareAssets,
	"state":    func(a, b *peer) int { return strings.Compare(a.state(), b.state()) },
	"position": byUnits(func(p *peer) *big.Int { return p.position() }),
	"line":     byAmount(func(p *peer) ledger.Amount { return p.Balance.CreditLine }),
	"headroom": byAmount(func(p *peer) ledger.Amount { return p.Balance.Headroom }),
	"prepaid":  byAmount(func(p *peer) ledger.Amount { return p.Balance.Prepaid }),
	"arrears":  byAmount(func(p *peer) ledger.Amount { return p.Balance.Arrears }),
	"held":     byAmount(func(p *peer) ledger.Amount { return p.Balance.HeldIn }),
}

func compareAssets(a, b *peer) int {
	if a.Asset == b.Asset { // writing assets takes long
		return 0
	}
	return cmp.Or(strings.Compare(a.Asset.String(), b.Asset.String()), cmp.Compare(a.Asset.Ledger, b.Asset.Ledger))
}

func byAmount(of func(*peer) ledger.Amount) func(a, b *peer) int {
	return func(a, b *peer) int { return cmp.Or(compareAssets(a, b), of(a).Compare(of(b))) }
}

func byUnits(of func(*peer) *big.Int) func(a, b *peer) int {
	return func(a, b *peer) int { return cmp.Or(compareAssets(a, b), of(a).Cmp(of(b))) }
}

// position is Balance.Position; 0 for an incomplete peer, which has no figures.
func (p *peer) position() *big.Int {
	if p.Incomplete {
		return new(big.Int)
	}
	return p.Balance.Position()
}

// parsePeersQuery reads the query of an address. An error names the wrong field: a filter that was
// ignored would show too much without a word.
func parsePeersQuery(values url.Values) (peersQuery, error) {
	q := peersQuery{search: strings.TrimSpace(values.Get("q")), asset: values.Get("asset"), show: values.Get("show"), page: 1}
	if q.show != "" && !slices.ContainsFunc(peerFilters, func(f filter) bool { return f.name == q.show }) {
		return q, fmt.Errorf("there is no filter show=%.40q", q.show)
	}
	q.sort, q.desc = strings.CutPrefix(values.Get("sort"), "-")
	if _, exists := peerOrders[q.sort]; !exists && (q.sort != "" || q.desc) {
		return q, fmt.Errorf("there is no order sort=%.40q", values.Get("sort"))
	}
	if text := values.Get("page"); text != "" {
		page, err := strconv.Atoi(text)
		if err != nil || page < 1 {
			return q, fmt.Errorf("page=%.40q is not the number of a page", text)
		}
		q.page = page
	}
	return q, nil
}

// encode returns the query as text, without defaults. The page is left out for downloads and for
// links that change the rows.
func (q peersQuery) encode() string {
	values := url.Values{}
	set := func(name, value string) {
		if value != "" {
			values.Set(name, value)
		}
	}
	set("q", q.search)
	set("asset", q.asset)
	set("show", q.show)
	if q.desc {
		set("sort", "-"+q.sort)
	} else {
		set("sort", q.sort)
	}
	if q.page > 1 {
		set("page", strconv.Itoa(q.page))
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// selectPeers returns the rows of a query, in its order. It never changes the look.
func (q peersQuery) selectPeers(k *look) []*peer {
	keep := func(*peer) bool { return true }
	for _, f := range peerFilters {
		if f.name == q.show {
			keep = f.keep
		}
	}
	search := strings.ToLower(q.search)
	var rows []*peer
	for _, p := range k.peers {
		if (q.asset == "" || p.assetName == q.asset) && strings.Contains(p.search, search) && keep(p) {
			rows = append(rows, p)
		}
	}
	if compare := peerOrders[q.sort]; compare != nil {
		slices.SortStableFunc(rows, func(a, b *peer) int {
			if q.desc {
				return compare(b, a)
			}
			return compare(a, b)
		})
	}
	return rows
}

// pager has the rows of a page, and where the page is.
type pager struct {
	First, Last, Count, Page, Pages int
	Previous, Next                  string // links; "" without such a page
}

// cutPage returns the bounds of a page of count rows; a page beyond the last is the last.
func (q peersQuery) cutPage(path string, count int) (begin, end int, p pager) {
	pages := max(1, (count+pageSize-1)/pageSize)
	q.page = min(q.page, pages)
	begin, end = (q.page-1)*pageSize, min(q.page*pageSize, count)
	p = pager{First: begin + 1, Last: end, Count: count, Page: q.page, Pages: pages}
	if count == 0 {
		p.First = 0
	}
	link := func(page int) string {
		q.page = page
		return path + q.encode()
	}
	if p.Page > 1 {
		p.Previous = link(p.Page - 1)
	}
	if p.Page < pages {
		p.Next = link(p.Page + 1)
	}
	return begin, end, p
}
