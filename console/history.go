package console

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"slices"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

const (
	// chartSteps is the number of steps of a chart and of its table. Each step in which the peer moved costs a request.
	chartSteps = 96
	// pastInterval is the least time between two readings of a peer's past in a range.
	pastInterval = 10 * time.Second
)

// past is what a peer's page shows of a range of time. Each part has its own error: a part that could not be read is
// shown as unknown.
type past struct {
	at          time.Time
	from, to    time.Time
	points      []accounts.HistoryPoint
	historyErr  error
	activity    activity
	activityErr error
}

// readPast reads a peer's past. It goes on when the request of one browser ends, since others may wait for it.
func (c *Console) readPast(ctx context.Context, p *peer, when pastRange) (*past, error) {
	lasting := context.WithoutCancel(ctx)
	return c.pasts.get(ctx, pastKey{p.Account, when}, func() *past {
		v := &past{at: time.Now()}
		v.from, v.to = when.moments(p.Balance.Opened, v.at)
		err := c.readLedger(lasting, c.cfg.Timeout, func(ctx context.Context) error {
			v.points, v.historyErr = c.readHistory(ctx, p.Account, v.from, v.to)
			v.activity, v.activityErr = c.readActivity(ctx, p.Account, p.Asset, v.from, v.to)
			return nil
		})
		if err != nil { // read was not called
			v.historyErr, v.activityErr = err, err
		}
		return v
	})
}

func (c *Console) readHistory(ctx context.Context, account accounts.PeerAccount, from, to time.Time) ([]accounts.HistoryPoint, error) {
	h, err := c.cfg.Book.History(ctx, account, accounts.HistoryQuery{From: from, To: to, Steps: chartSteps})
	return h.Points, err
}

// pointView is a point of a history as text.
type pointView struct {
	Time, Position, Line, Arrears, HeldIn, HeldOut, Settling string
	at                                                       time.Time
}

func viewPoint(a accounts.Asset, p *accounts.HistoryPoint) pointView {
	return pointView{
		Time: formatTime(p.Time), Position: formatSigned(a, p.Position), Line: formatLine(a, p.CreditLine), Arrears: a.Format(p.Arrears),
		HeldIn: a.Format(p.HeldIn), HeldOut: a.Format(p.HeldOut), Settling: a.Format(p.Settling), at: p.Time,
	}
}

// historyFields are the columns of downloads, named as in "peerledger history --json".
var historyFields = []field[pointView]{
	{"time", func(p pointView) any { return stampTime(p.at) }},
	{"position", func(p pointView) any { return p.Position }},
	{"arrears", func(p pointView) any { return p.Arrears }},
	{"credit_line", func(p pointView) any { return p.Line }},
	{"held_in", func(p pointView) any { return p.HeldIn }},
	{"held_out", func(p pointView) any { return p.HeldOut }},
	{"settling", func(p pointView) any { return p.Settling }},
}

// showHistory has the points of a peer's chart for downloads; their page is the peer's.
func (c *Console) showHistory(w http.ResponseWriter, r *http.Request, f format) {
	values := r.URL.Query()
	account, asset, err := c.findAccount(values)
	when, rangeErr := parsePastRange(values)
	if err = errors.Join(err, rangeErr); err != nil {
		c.fail(w, http.StatusBadRequest, err)
		return
	}
	if f == formatHTML {
		redirect(w, "peer?"+accountQuery(account.Peer(), c.nameAsset(asset))+"&"+when.encode())
		return
	}
	streamRows(c, w, r, f, "history", historyFields, func(ctx context.Context) iter.Seq2[pointView, error] {
		return c.historyPoints(ctx, account, asset, when)
	})
}

// historyPoints yields the points of a peer's chart.
func (c *Console) historyPoints(ctx context.Context, account accounts.PeerAccount, asset accounts.Asset, when pastRange) iter.Seq2[pointView, error] {
	return func(yield func(pointView, error) bool) {
		balances, err := c.cfg.Book.LookUpBalances(ctx, account)
		var points []accounts.HistoryPoint
		if err == nil {
			from, to := when.moments(balances[0].Opened, time.Now())
			points, err = c.readHistory(ctx, account, from, to)
		}
		if err != nil {
			yield(pointView{}, err)
			return
		}
		for i := range points {
			if !yield(viewPoint(asset, &points[i]), nil) {
				return
			}
		}
	}
}

// pastView is a peer's past as text.
type pastView struct {
	Ranges         []rangeLink
	From, To       string // of a range of moments, for the form
	FromText       string // as read
	ToText         string
	At             string
	Chart          positionChart
	Points         []pointView // the newest first
	HistoryError   string
	NoHistory      bool
	Activity       []activityView // the newest first
	ActivityError  string
	ActivityMore   bool   // older rows of the range are left out
	ActivitySince  string // the begin of the part that was read; "" if it is the whole range
	Kinds          string // that are listed
	CSV, JSON      string
	StatementRange string // link to the statement of the same range
}

// rangeLink leads to a named range.
type rangeLink struct {
	Label, Link string
	Chosen      bool
}

func (c *Console) viewPast(p *peer, when pastRange, v *past) pastView {
	query := accountQuery(p.Account.Peer(), p.assetName)
	view := pastView{
		From: formInput(when.from), To: formInput(when.to), FromText: formatTime(v.from), ToText: formatTime(v.to), At: formatTime(v.at),
		CSV: "history.csv?" + query + "&" + when.encode(), JSON: "history.json?" + query + "&" + when.encode(),
		StatementRange: "statement?" + query + "&" + pastRange{from: v.from, to: when.to}.encode(),
	}
	for _, n := range namedRanges {
		view.Ranges = append(view.Ranges, rangeLink{n.label, "peer?" + query + "&range=" + n.name, n.name == when.name})
	}
	switch {
	case errors.Is(v.historyErr, accounts.ErrNoHistory):
		view.NoHistory = true
	case v.historyErr != nil:
		view.HistoryError = v.historyErr.Error()
	default:
		view.Chart = drawChart(p, v.points)
		for _, point := range slices.Backward(v.points) {
			view.Points = append(view.Points, viewPoint(p.Asset, &point))
		}
	}
	c.viewActivity(&view, p.Asset, v)
	return view
}
