package console

import (
	"errors"
	"math/big"
	"net/http"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

var errLoading = errors.New("the ledger has not answered yet: try again")

// maxTroubles is the number of peers in arrears, and of stuck orders, on the overview.
const maxTroubles = 20

// overview is the first page.
type overview struct {
	header

	Totals   []totalView
	Trials   []trialView
	Arrears  []peerView
	InArrear int // all peers in arrears
	Near     []peerView
	NearAll  int
	Orders   ordersView
	Pauses   []string
	Alerts   alertsView

	Waiting       []waitingView // peers for whom money waits in suspense
	WaitingAll    int
	SuspenseError string // why Waiting is unknown
}

func (c *Console) showOverview(w http.ResponseWriter, r *http.Request) {
	s, ok := c.readState(w, r, "Overview", "overview", formatHTML)
	if !ok {
		return
	}
	k := s.look
	v := overview{header: newHeader("Overview", "overview", s), Trials: viewTrials(s), Orders: c.viewOrders(k, maxTroubles)}
	for i := range k.totals {
		sums := viewTotal(&k.totals[i], &k.own[i])
		sums.Acts = c.listActs(place{asset: k.totals[i].asset, assetName: k.totals[i].name}, "")
		v.Totals = append(v.Totals, sums)
		v.InArrear += k.totals[i].inArrears
		v.NearAll += k.totals[i].near
	}
	for _, p := range k.peers {
		switch {
		case !p.Balance.Arrears.IsZero() && len(v.Arrears) < maxTroubles:
			v.Arrears = append(v.Arrears, viewPeer(p))
		case p.Balance.Arrears.IsZero() && p.isNear() && len(v.Near) < maxTroubles:
			v.Near = append(v.Near, viewPeer(p))
		}
	}
	v.Alerts = viewAlerts(listAlerts(s), maxTroubles)
	if v.Waiting, v.WaitingAll = viewWaiting(k, maxTroubles); k.suspenseErr != nil {
		v.SuspenseError = k.suspenseErr.Error()
	}
	for _, pause := range k.pauses {
		v.Pauses = append(v.Pauses, pause.String())
	}
	c.render(w, http.StatusOK, "overview", v)
}

// totalView has the sums of an asset as text.
type totalView struct {
	Asset, Code                                                                 string
	Peers, Suspended, Closed, Incomplete, InArrears, Unlimited                  int
	Owed, Owing, Arrears, Prepaid, HeldIn, HeldOut, Settling, Announced         string
	Lines, Headrooms, Liquidity, Free, Held, Revenue, Dust, Suspense, Capital   string
	HasArrears, HasSuspense, HasAnnounced, PrepaidAtMost, LiquidityBelow, Empty bool
	Sent, Rate, RateOver                                                        string // Rate is "" if it is unknown

	Acts []actLink // forms about our capital
}

func viewTotal(t *total, own *accounts.AssetPosition) totalView {
	text := func(units *big.Int) string { return formatSigned(t.asset, units) }
	return totalView{
		Asset: t.name, Code: t.asset.Code,
		Peers: t.peers, Suspended: t.suspended, Closed: t.closed, Incomplete: t.incomplete, InArrears: t.inArrears, Unlimited: t.unlimited,
		Owed: text(&t.payable), Owing: text(&t.receivable), Arrears: text(&t.arrears), Prepaid: text(&t.prepaid),
		HeldIn: text(&t.heldIn), HeldOut: text(&t.heldOut), Settling: text(&t.settling), Announced: text(&t.announced),
		Lines: text(&t.lines), Headrooms: text(&t.headrooms),
		Liquidity: text(own.Liquidity), Free: t.asset.Format(own.Free), Held: t.asset.Format(own.Held),
		Revenue: text(own.Revenue), Dust: text(own.Dust), Suspense: text(own.Suspense), Capital: text(own.Capital),
		HasArrears: t.arrears.Sign() > 0, HasSuspense: own.Suspense.Sign() != 0, HasAnnounced: t.announced.Sign() > 0,
		Sent: text(&t.sent), Rate: t.formatRate(), RateOver: max(t.rate.over, time.Millisecond).Round(time.Millisecond).String(),
		PrepaidAtMost: t.prepaidAtMost && t.prepaid.Sign() > 0, LiquidityBelow: own.Liquidity.Sign() < 0, Empty: t.peers == 0,
	}
}

var totalFields = []field[totalView]{
	{"asset", func(t totalView) any { return t.Asset }},
	{"peers", func(t totalView) any { return t.Peers }},
	{"payable", func(t totalView) any { return t.Owed }},
	{"receivable", func(t totalView) any { return t.Owing }},
	{"arrears", func(t totalView) any { return t.Arrears }},
	{"peers_in_arrears", func(t totalView) any { return t.InArrears }},
	{"prepaid", func(t totalView) any { return t.Prepaid }},
	{"prepaid_at_most", func(t totalView) any { return t.PrepaidAtMost }},
	{"held_in", func(t totalView) any { return t.HeldIn }},
	{"held_out", func(t totalView) any { return t.HeldOut }},
	{"settling", func(t totalView) any { return t.Settling }},
	{"announced", func(t totalView) any { return t.Announced }},
	{"credit_lines", func(t totalView) any { return t.Lines }},
	{"headroom", func(t totalView) any { return t.Headrooms }},
	{"unlimited_lines", func(t totalView) any { return t.Unlimited }},
	{"liquidity", func(t totalView) any { return t.Liquidity }},
	{"free", func(t totalView) any { return t.Free }},
	{"held", func(t totalView) any { return t.Held }},
	{"revenue", func(t totalView) any { return t.Revenue }},
	{"dust", func(t totalView) any { return t.Dust }},
	{"suspense", func(t totalView) any { return t.Suspense }},
	{"capital", func(t totalView) any { return t.Capital }},
	{"sent", func(t totalView) any { return t.Sent }},
	{"sent_per_second", func(t totalView) any { return textOrNil(t.Rate) }},
}

// showTotals has the table of the overview for downloads; its page is the overview.
func (c *Console) showTotals(w http.ResponseWriter, r *http.Request, f format) {
	if f == formatHTML {
		redirect(w, "./")
		return
	}
	s, ok := c.readState(w, r, "Totals", "overview", f)
	if !ok {
		return
	}
	var rows []totalView
	for i := range s.look.totals {
		rows = append(rows, viewTotal(&s.look.totals[i], &s.look.own[i]))
	}
	writeRows(w, f, "totals", slices.Values(rows), totalFields)
}

// trialView is the trial balance of an asset as text.
type trialView struct {
	Asset, At, Age string
	Right          bool
	Error          string // why the books are wrong, or why the sums are unknown
	Unknown        bool
	Reserved       string // by recorders in rounds; "" without rounds
	Lines          []trialLine
}

// trialLine is the sum of the accounts of a kind.
type trialLine struct {
	Asset, Kind                                                string
	Accounts                                                   int
	DebitsPosted, CreditsPosted, DebitsPending, CreditsPending string
}

func viewTrials(s state) []trialView {
	var views []trialView
	for i := range s.trials {
		t := &s.trials[i]
		v := trialView{Asset: t.name, At: formatTime(t.at), Age: formatAge(time.Since(t.at)), Right: t.err == nil, Unknown: !t.isKnown()}
		if t.err != nil {
			v.Error = t.err.Error()
		}
		if !v.Unknown {
			for j := range t.balance.Lines {
				line := &t.balance.Lines[j]
				v.Lines = append(v.Lines, viewTrialLine(t, line.AccountKind, &line.Sums))
				if line.AccountKind == "transit" {
					v.Reserved = formatSigned(t.asset, &line.CreditsPending)
				}
			}
			v.Lines = append(v.Lines, viewTrialLine(t, "total", &t.balance.Total))
		}
		views = append(views, v)
	}
	return views
}

func viewTrialLine(t *trial, kind string, s *accounts.Sums) trialLine {
	a := t.asset
	return trialLine{
		Asset: t.name, Kind: kind, Accounts: s.Accounts,
		DebitsPosted: formatSigned(a, &s.DebitsPosted), CreditsPosted: formatSigned(a, &s.CreditsPosted),
		DebitsPending: formatSigned(a, &s.DebitsPending), CreditsPending: formatSigned(a, &s.CreditsPending),
	}
}

// trialFields are the columns of "peerledger trial-balance --json".
var trialFields = []field[trialLine]{
	{"asset", func(l trialLine) any { return l.Asset }},
	{"kind", func(l trialLine) any { return l.Kind }},
	{"accounts", func(l trialLine) any { return l.Accounts }},
	{"debits_posted", func(l trialLine) any { return l.DebitsPosted }},
	{"credits_posted", func(l trialLine) any { return l.CreditsPosted }},
	{"debits_pending", func(l trialLine) any { return l.DebitsPending }},
	{"credits_pending", func(l trialLine) any { return l.CreditsPending }},
}

// trialPage is the page of the trial balances.
type trialPage struct {
	header

	Trials []trialView
}

func (c *Console) showTrial(w http.ResponseWriter, r *http.Request, f format) {
	s, ok := c.readTrials(w, r, "Trial balance", "trial", f)
	if !ok {
		return
	}
	views := viewTrials(s)
	if f == formatHTML {
		c.render(w, http.StatusOK, "trial", trialPage{header: newHeader("Trial balance", "trial", s), Trials: views})
		return
	}
	var rows []trialLine
	for i := range s.trials {
		if !s.trials[i].isKnown() {
			c.fail(w, http.StatusServiceUnavailable, s.trials[i].err)
			return
		}
		rows = append(rows, views[i].Lines...)
	}
	if len(rows) == 0 {
		c.fail(w, http.StatusServiceUnavailable, errLoading)
		return
	}
	writeRows(w, f, "trial", slices.Values(rows), trialFields)
}
