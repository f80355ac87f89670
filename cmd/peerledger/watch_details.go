package main

import (
	"context"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/effects"
)

// The details of a peer in watch.
const (
	detailPeriod = time.Hour // of the curve of positions
	detailSteps  = 40        // the width of the curve
	detailHolds  = 5         // the oldest holds
)

// peerDetails are what the terminal view shows of one peer beside its row.
type peerDetails struct {
	account string // the id
	history accounts.History
	holds   accounts.OpenHolds
	err     error // why history or holds are missing
}

// readDetails reads the details of a peer.
func (w *watcher) readDetails(ctx context.Context, b accounts.Balance) peerDetails {
	d := peerDetails{account: b.Account.ID().String()}
	now := time.Now()
	from := now.Add(-detailPeriod)
	if b.Opened.After(from) {
		from = b.Opened
	}
	if d.holds, d.err = w.session.book.OpenHolds(ctx, accounts.HoldQuery{Order: accounts.HoldsByAge, Limit: detailHolds}, b.Account); d.err != nil {
		return d
	}
	d.history, d.err = w.session.book.History(ctx, b.Account, accounts.HistoryQuery{From: from, To: now, Steps: detailSteps})
	return d
}

// drawDetails draws the opened peer.
func (m live) drawDetails() string {
	row, found := m.findOpened()
	if !found {
		return drawHeading(m.current) + "The peer is not in the list any more.\n"
	}
	var text strings.Builder
	text.WriteString(drawHeading(m.current))
	fmt.Fprintf(&text, "%s in %s, %s\n\n", orDefault(row.Peer, "("+row.Account+")"), row.Asset, row.State)
	for _, fact := range []struct{ name, value string }{
		{"position", row.Position},
		{"arrears", row.Arrears},
		{"prepaid", effects.MarkUpperBound(row.Prepaid, row.PrepaidAtMost)},
		{"settle at", row.SettleAt},
		{"due", drawBar(row.Due, barWidth)},
		{"credit line", row.CreditLine},
		{"headroom", row.Headroom},
		{"used", drawBar(row.Used, barWidth)},
		{"held in", row.HeldIn},
		{"held out", row.HeldOut},
		{"settling", row.Settling},
		{"announced", row.Announced},
		{"settled out", row.SettledOut},
		{"settled in", row.SettledIn},
		{"open order", joinFact(row.Order, row.OrderAge)},
		{"opened", row.Opened},
		{"account", row.Account},
	} {
		if fact.value != "" {
			fmt.Fprintf(&text, "  %-12s %s\n", fact.name, fact.value)
		}
	}
	text.WriteString(m.details.draw(row))
	return text.String()
}

// joinFact joins an order's amount and age; "" without an order.
func joinFact(amount, age string) string {
	if amount == "" {
		return ""
	}
	return amount + ", for " + age
}

// draw draws the curve and the holds; "" while they are read.
func (d peerDetails) draw(row watchedRow) string {
	switch {
	case d.account != row.Account:
		return "\n  reading…\n"
	case d.err != nil:
		return "\n  " + alarmStyle.Render("no history: "+d.err.Error()) + "\n"
	}
	var text strings.Builder
	var positions []*big.Int
	for _, p := range d.history.Points {
		positions = append(positions, p.Position)
	}
	if len(positions) > 0 {
		least, most := findExtremes(positions)
		fmt.Fprintf(&text, "\n  position since %s, from %s to %s\n  %s\n", formatTime(d.history.Points[0].Time),
			formatSigned(d.history.Asset, least), formatSigned(d.history.Asset, most), drawCurve(positions))
	}
	for _, h := range d.holds.Holds {
		hold := newHoldRow(h)
		fmt.Fprintf(&text, "  %s: in %s, out %s, until %s\n", hold.holder(), hold.In, hold.Out, orDefault(hold.Expiry, "released"))
	}
	if d.holds.More {
		text.WriteString("  and more (peerledger holds)\n")
	}
	return text.String()
}

// findExtremes returns the least and the greatest of at least one value.
func findExtremes(values []*big.Int) (least, most *big.Int) {
	compare := func(x, y *big.Int) int { return x.Cmp(y) }
	return slices.MinFunc(values, compare), slices.MaxFunc(values, compare)
}

// curveSteps are the heights of a curve in text.
var curveSteps = []rune("▁▂▃▄▅▆▇█")

// drawCurve draws values as a line of text, the least at the bottom. Equal values are at the bottom.
func drawCurve(values []*big.Int) string {
	if len(values) == 0 {
		return ""
	}
	least, most := findExtremes(values)
	span := new(big.Int).Sub(most, least)
	curve := make([]rune, len(values))
	for i, v := range values {
		step := 0
		if span.Sign() > 0 {
			height := new(big.Int).Sub(v, least)
			height.Mul(height, big.NewInt(int64(len(curveSteps)-1)))
			step = int(height.Quo(height, span).Int64())
		}
		curve[i] = curveSteps[step]
	}
	return string(curve)
}
