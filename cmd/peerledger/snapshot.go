package main

import (
	"context"
	"slices"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// snapshot is the state that watch shows at one moment.
type snapshot struct {
	At time.Time `json:"at"`
	// PacketsPerSecond is the rate of prepared and forwarded packets by the ledger's clock, since
	// the last snapshot, or over the newest rateRows rows if more were written. The ledger has no
	// packets of rounds: RoundsPerSecond is the rate of rounds, of all connectors.
	PacketsPerSecond float64      `json:"packets_per_second"`
	RoundsPerSecond  float64      `json:"rounds_per_second,omitempty"`
	Peers            []watchedRow `json:"peers"`
	OpenOrders       int          `json:"open_orders"`
	// Pauses are the paused rails, and the stop of all payments.
	Pauses []pauseRow `json:"pauses,omitempty"`
}

// watchedRow is a peer in a snapshot.
type watchedRow struct {
	peerRow
	SettleAt string `json:"settle_at,omitempty"`
	// Due is the amount owed to the peer and not being paid, in percent of the peer's threshold; -1
	// without a threshold, or for a prefunded peer.
	Due int `json:"due_percent"`
	// Used is the used part of the credit line in percent; -1 without a line.
	Used     int    `json:"line_used_percent"`
	Order    string `json:"order,omitempty"` // the amount of its open order
	OrderAge string `json:"order_age,omitempty"`

	balance accounts.Balance
}

// watcher takes snapshots.
type watcher struct {
	session *session
	engine  *settlement.Engine
	peers   []accounts.PeerAccount
	lastAt  time.Time // time of the last snapshot
}

// takeSnapshot needs three requests, one for each asset, and two for each account with an order.
// The first snapshot, and each one after a payment, also reads the payments.
func (w *watcher) takeSnapshot(ctx context.Context) (snapshot, error) {
	now := time.Now()
	s := snapshot{At: now}
	balances, err := w.session.book.Balances(ctx, w.peers...)
	if err != nil {
		return s, err
	}
	var settling []accounts.PeerAccount
	for _, b := range balances {
		if !b.Settling.IsZero() {
			settling = append(settling, b.Account)
		}
	}
	orders := map[accounts.PeerAccount]settlement.OpenOrder{}
	if len(settling) > 0 {
		list, err := w.engine.Orders(ctx, settling...)
		if err != nil {
			return s, err
		}
		for _, o := range list {
			orders[o.Account] = o
		}
	}
	s.OpenOrders = len(orders)
	for _, b := range balances {
		row, err := w.newRow(b)
		if err != nil {
			return s, err
		}
		if o, ok := orders[b.Account]; ok {
			row.Order, row.OrderAge = o.Asset.Format(o.Amount), o.Age(now).Round(time.Second).String()
		}
		s.Peers = append(s.Peers, row)
	}
	// Peers nearest to their threshold, or to the end of their line, come first.
	slices.SortStableFunc(s.Peers, func(x, y watchedRow) int { return max(y.Due, y.Used) - max(x.Due, x.Used) })
	if s.PacketsPerSecond, s.RoundsPerSecond, err = w.measureRates(ctx, now); err != nil {
		return s, err
	}
	w.lastAt = now
	pauses, err := w.engine.Pauses(ctx)
	s.Pauses = newPauseRows(pauses)
	return s, err
}

// newRow returns the row of a balance.
func (w *watcher) newRow(b accounts.Balance) (watchedRow, error) {
	row := watchedRow{peerRow: newPeerRow(b, b.Account.ID().String()), Due: -1, Used: -1, balance: b}
	if !b.CreditLine.IsZero() {
		row.Used = computePercent(b.Receivable, b.CreditLine)
	}
	entry, ok := w.session.findConfigured(b.Account)
	if !ok {
		return row, nil
	}
	policy, err := entry.parsePolicy(b.Asset)
	if err != nil {
		return row, err
	}
	switch p := policy.(type) {
	case settlement.Threshold:
		row.SettleAt = b.Asset.Format(p.SettleThreshold)
		row.Due = computePercent(w.engine.Owed(b).SubFloor(b.Settling), p.SettleThreshold)
	case settlement.Prefund: // a negative threshold has no percentage
		row.SettleAt = formatSigned(b.Asset, p.PrefundThreshold)
	}
	return row, nil
}

// computePercent returns part in percent of total, rounded down, at most 999.
func computePercent(part, total ledger.Amount) int {
	p, q := part.Big(), total.Big()
	p.Mul(p, ledger.NewAmount(100).Big())
	if p.Quo(p, q); !p.IsInt64() || p.Int64() > 999 {
		return 999
	}
	return int(p.Int64())
}

// rateRows is the largest number of rows from which the rate is computed.
const rateRows = 2000

// measureRates returns how many packets and rounds a second were written since the last snapshot.
func (w *watcher) measureRates(ctx context.Context, now time.Time) (packetRate, roundRate float64, err error) {
	since := w.lastAt
	if since.IsZero() {
		since = now.Add(-time.Second)
	}
	rows, err := w.session.ledger.QueryTransfers(ctx, ledger.QueryFilter{
		TimestampMin: uint64(since.UnixNano()), Limit: rateRows, Flags: ledger.QueryFilterReversed,
	})
	if err != nil || len(rows) == 0 {
		return 0, 0, err
	}
	span := now.Sub(since)
	if len(rows) == rateRows { // more rows were written; these cover a shorter time
		span = time.Duration(rows[0].Timestamp - rows[len(rows)-1].Timestamp)
	}
	packets, rounds := countWritten(rows)
	seconds := max(span.Seconds(), 1e-3)
	return float64(packets) / seconds, float64(rounds) / seconds, nil
}

// countWritten counts the packets and the rounds in rows. A round's parts have the numbers of its
// journal and of the round in place of a packet's id, also its fees and dust.
func countWritten(rows []ledger.Transfer) (packets, rounds int) {
	packetIDs := map[uint128.Uint128]struct{}{}
	type round struct {
		journal uint64
		number  uint32
	}
	found := map[round]struct{}{}
	for i := range rows {
		t := &rows[i]
		switch {
		case t.Flags.Has(ledger.TransferPostPending) || t.Flags.Has(ledger.TransferVoidPending):
		case t.Code == chart.CodeRound:
			found[round{t.UserData64, t.UserData32}] = struct{}{}
		case t.Code >= chart.CodePacket && t.Code <= chart.CodeDustLeg && !t.UserData128.IsZero():
			packetIDs[t.UserData128] = struct{}{}
		}
	}
	return len(packetIDs), len(found)
}
