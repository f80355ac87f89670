package console

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/peerledger/peerledger/internal/bookcheck"
	"github.com/peerledger/peerledger/ledger"
)

// alert is a fault in the books that "peerledger check" reports too.
type alert struct {
	bookcheck.Finding

	asset string // as of nameAsset; "" without one
	peer  *peer  // nil without one
}

// criticalLine is the used part of a credit line in percent from which an alert is critical.
const criticalLine = 95

// newThresholds returns the thresholds of alerts. An order that is stuck for long is critical.
func newThresholds(cfg Config) bookcheck.Thresholds {
	return bookcheck.Thresholds{Line: [2]int{nearTrouble, criticalLine}, Stuck: [2]time.Duration{cfg.StuckAfter, max(cfg.StuckAfter, time.Hour)}}
}

// noteSuspense notes for whom money waits in suspense, in at most a quarter of a look's time. Otherwise the names are
// unknown: the figures do not depend on them.
func (l *looker) noteSuspense(ctx context.Context, k *look) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Timeout/4)
	defer cancel()
	for _, p := range k.peers {
		if p.Incomplete {
			continue
		}
		if k.suspenseErr == nil {
			var amounts []ledger.Amount
			if amounts, k.suspenseErr = l.cfg.Book.WaitingInSuspense(ctx, p.Balance); k.suspenseErr == nil {
				p.waiting = amounts[0]
			}
		}
		p.waitingUnknown = k.suspenseErr != nil
	}
}

// findAlerts judges the figures of a look. It comes last.
func (l *looker) findAlerts(k *look) {
	t := newThresholds(l.cfg)
	add := func(asset string, p *peer, f bookcheck.Finding) {
		if f.Status != bookcheck.OK {
			k.alerts = append(k.alerts, alert{f, asset, p})
		}
	}
	for _, p := range k.peers {
		if p.Incomplete {
			continue
		}
		add(p.assetName, p, bookcheck.CheckLine(p.Asset, p.name, &p.Balance, t))
		add(p.assetName, p, bookcheck.CheckArrears(p.Asset, p.name, &p.Balance))
		add(p.assetName, p, bookcheck.CheckSuspense(p.Asset, p.name, p.waiting))
	}
	for i := range k.orders {
		o := &k.orders[i]
		p, _ := k.findPeer(o.Account)
		add(nameAsset(k.assets, o.Asset), p, bookcheck.CheckOrder(o, k.at, t))
	}
	for i := range k.own {
		add(nameAsset(k.assets, k.own[i].Asset), nil, bookcheck.CheckLiquidity(&k.own[i], nil, nil))
	}
	addUnknown := func(isUnknown bool, check, format string, values ...any) {
		if isUnknown {
			add("", nil, bookcheck.Finding{Status: bookcheck.Unknown, Check: check, Text: fmt.Sprintf(format, values...)})
		}
	}
	addUnknown(k.ordersErr != nil, bookcheck.Orders, "the open orders are unknown: %v", k.ordersErr)
	addUnknown(k.ordersErr == nil && k.ordersUnder > 0, bookcheck.Orders, "the open orders of %d peers were not read", k.ordersUnder)
	addUnknown(k.suspenseErr != nil, bookcheck.Suspense, "the peers of the money in suspense are unknown: %v", k.suspenseErr)
	sortAlerts(k.alerts)
}

// sortAlerts sorts the gravest alerts first.
func sortAlerts(list []alert) {
	slices.SortStableFunc(list, func(a, b alert) int { return b.Status.Rank() - a.Status.Rank() })
}

// listAlerts returns the alerts of a state: of its look, and of its trial balances, which follow a look.
func listAlerts(s state) []alert {
	list := slices.Clone(s.look.alerts)
	for i := range s.trials {
		t := &s.trials[i]
		finding, err := bookcheck.CheckTrial(t.err)
		if err != nil {
			finding = bookcheck.Finding{Status: bookcheck.Unknown, Check: bookcheck.TrialBalance, Text: fmt.Sprintf("the trial balance is unknown: %v", err)}
		}
		if finding.Status != bookcheck.OK {
			list = append(list, alert{finding, t.name, nil})
		}
	}
	sortAlerts(list)
	return list
}

// alertView is an alert as text.
type alertView struct {
	Status, Check, Text, Asset string
	Peer, Link                 string // "" without a peer
}

func viewAlert(a *alert) alertView {
	v := alertView{Status: strings.ToLower(a.Status.String()), Check: a.Check, Text: a.Text, Asset: a.asset}
	if a.peer != nil {
		v.Peer = a.peer.name
		if a.peer.Known() {
			v.Link = "peer?" + accountQuery(a.peer.Account.Peer(), a.peer.assetName)
		}
	}
	return v
}

// alertsView has the first alerts of a state.
type alertsView struct {
	Rows                       []alertView
	Count                      int // all
	Critical, Warning, Unknown int
}

func viewAlerts(list []alert, most int) alertsView {
	v := alertsView{Count: len(list)}
	for i := range list {
		switch list[i].Status {
		case bookcheck.Critical:
			v.Critical++
		case bookcheck.Warning:
			v.Warning++
		case bookcheck.Unknown:
			v.Unknown++
		case bookcheck.OK:
		}
		if i < most {
			v.Rows = append(v.Rows, viewAlert(&list[i]))
		}
	}
	return v
}

var alertFields = []field[alertView]{
	{"status", func(a alertView) any { return a.Status }},
	{"check", func(a alertView) any { return a.Check }},
	{"text", func(a alertView) any { return a.Text }},
	{"asset", func(a alertView) any { return textOrNil(a.Asset) }},
	{"peer", func(a alertView) any { return textOrNil(a.Peer) }},
}

// alertsPage is the page of all alerts.
type alertsPage struct {
	header

	Alerts     alertsView
	StuckAfter string
	LongStuck  string
	CSV, JSON  string
}

// maxAlertRows is the number of alerts on the page; downloads have all.
const maxAlertRows = 300

func (c *Console) showAlerts(w http.ResponseWriter, r *http.Request, f format) {
	s, ok := c.readTrials(w, r, "Alerts", "alerts", f)
	if !ok {
		return
	}
	list := listAlerts(s)
	if f != formatHTML {
		writeRows(w, f, "alerts", mapRows(list, viewAlert), alertFields)
		return
	}
	t := newThresholds(c.cfg)
	c.render(w, http.StatusOK, "alerts", alertsPage{
		header: newHeader("Alerts", "alerts", s), Alerts: viewAlerts(list, maxAlertRows), StuckAfter: formatAge(t.Stuck[0]), LongStuck: formatAge(t.Stuck[1]),
		CSV: "alerts.csv", JSON: "alerts.json",
	})
}

// waitingView is money that waits in suspense for a peer, as text.
type waitingView struct{ Name, Link, Asset, Amount string }

// viewWaiting returns the first peers for whom money waits in suspense, and how many there are.
func viewWaiting(k *look, most int) (views []waitingView, count int) {
	for _, p := range k.peers {
		if p.waiting.IsZero() {
			continue
		}
		if count++; count <= most {
			v := viewPeer(p)
			views = append(views, waitingView{v.Name, v.Link, v.Asset, p.Asset.Format(p.waiting)})
		}
	}
	return views, count
}
