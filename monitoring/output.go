package monitoring

import (
	"cmp"
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/settlement"
	"github.com/peerledger/peerledger/transfers"
)

// descriptions are those of all that the watcher shows.
var descriptions []*prometheus.Desc

func describe(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc(name, help, labels, nil)
	descriptions = append(descriptions, d)
	return d
}

// ofAsset and ofPeer are described with these labels. The code alone does not tell assets
// apart: two ledger numbers may have the same.
func ofAsset(name, help string) *prometheus.Desc { return describe(name, help, "asset", "ledger") }

func ofPeer(name, help string) *prometheus.Desc {
	return describe(name, help, "peer", "asset", "ledger")
}

func assetLabels(a accounts.Asset) []string {
	return []string{a.Code, strconv.FormatUint(uint64(a.Ledger), 10)}
}

// What is shown of the recorder, the cluster, and the reads themselves.
var (
	backlog        = describe("peerledger_recorder_backlog", "Operations waiting or in flight.")
	backlogLimit   = describe("peerledger_recorder_backlog_limit", "How many operations may be waiting or in flight.")
	backlogFull    = describe("peerledger_recorder_backlog_full", "1 if the backlog was full and has not sunk to its low water mark: prepares wait.")
	inFlight       = describe("peerledger_recorder_in_flight", "Operations in the batches that are at the ledger.")
	sessions       = describe("peerledger_cluster_sessions", "Open sessions of the cluster.")
	calls          = describe("peerledger_cluster_calls", "Calls that the native client has not answered.")
	abandoned      = describe("peerledger_cluster_calls_abandoned", "Of the calls not answered, those whose callers have gone.")
	resentRequests = describe("peerledger_cluster_requests_resent_total", "Requests sent again because a session was lost.")
	scrapeDuration = describe("peerledger_scrape_duration_seconds", "How long the newest read of the ledger took.")
)

// What is shown of our own positions.
var (
	liquidity     = ofAsset("peerledger_liquidity", "Our liquidity in the asset; below 0 we are short of it.")
	liquidityHeld = ofAsset("peerledger_liquidity_held", "The part of the liquidity that packets in flight will take.")
	revenue       = ofAsset("peerledger_revenue", "Fees earned.")
	dust          = ofAsset("peerledger_dust", "What rounding left over, in our favour.")
	suspense      = ofAsset("peerledger_suspense", "Money of closed peers, and what was debited by hand less what was credited by hand and written off.")
	waitingAll    = ofAsset("peerledger_suspense_waiting", "What came in for the peers while they were closed, and waits in suspense for all of them.")
	peerWaiting   = ofPeer("peerledger_peer_suspense", "What came in for the peer while it was closed, and waits in suspense; absent if nothing does.")
	capital       = ofAsset("peerledger_capital", "Capital put in, less taken out.")
)

// What is shown of peers: of all together, of the others, and of those with series of
// their own.
var (
	peers            = ofAsset("peerledger_peers", "Peers in the asset.")
	peersSuspended   = ofAsset("peerledger_peers_suspended", "Peers that are suspended.")
	peersClosed      = ofAsset("peerledger_peers_closed", "Peers whose account is closed.")
	peersPast        = ofAsset("peerledger_peers_past_threshold", "Peers that are owed their settlement threshold or more, and have no open order.")
	peersInArrears   = ofAsset("peerledger_peers_in_arrears", "Peers with arrears.")
	arrears          = ofAsset("peerledger_arrears", "What all peers owe us that their accounts could not be charged when it was booked.")
	prepaid          = ofAsset("peerledger_prepaid", "What all peers have prepaid and not used. At most: scrapes do not read payments, so it is an upper bound for peers whose payments nobody in this process has read.")
	announced        = ofAsset("peerledger_announced", "Payments of all peers that are announced and not final yet.")
	peersNearlyUsed  = ofAsset("peerledger_peers_line_nearly_used", "Peers with a credit line that can still send less than a tenth of it.")
	otherPeers       = ofAsset("peerledger_other_peers", "Peers without series of their own.")
	otherPayable     = ofAsset("peerledger_other_peers_payable", "What we owe the peers without series of their own.")
	otherReceivable  = ofAsset("peerledger_other_peers_receivable", "What the peers without series of their own owe us.")
	peerPosition     = ofPeer("peerledger_peer_position", "What we owe the peer; below 0 it owes us.")
	peerOwed         = ofPeer("peerledger_peer_owed", "What packets earned the peer and is not paid: what its threshold is compared with. At least, where what is prepaid is at most.")
	peerPrepaid      = ofPeer("peerledger_peer_prepaid", "What the peer has prepaid and not used. At most: an upper bound until somebody in this process has read its payments.")
	peerArrears      = ofPeer("peerledger_peer_arrears", "What the peer owes us that its account could not be charged when it was booked.")
	peerDue          = ofPeer("peerledger_peer_due", "What the next order to the peer will be; 0 while one is open. At least, where what is prepaid is at most.")
	peerThreshold    = ofPeer("peerledger_peer_threshold", "What is owed when an order is placed; absent if the peer has no threshold or no rail.")
	peerSettling     = ofPeer("peerledger_peer_settling", "The open order to the peer; 0 if there is none.")
	peerAnnounced    = ofPeer("peerledger_peer_announced", "Payments of the peer that are announced and not final yet.")
	peerHeldIn       = ofPeer("peerledger_peer_held_in", "Held by packets in flight from the peer.")
	peerHeldOut      = ofPeer("peerledger_peer_held_out", "Held by packets in flight to the peer.")
	peerCreditLine   = ofPeer("peerledger_peer_credit_line", "The most that the peer may owe us.")
	peerHeadroom     = ofPeer("peerledger_peer_headroom", "What the peer can still send.")
	peerSuspended    = ofPeer("peerledger_peer_suspended", "1 if the peer is suspended.")
	ordersOpen       = ofAsset("peerledger_orders_open", "Open settlement orders, of all engines.")
	ordersOpenAmount = ofAsset("peerledger_orders_open_amount", "The amount of all open settlement orders.")
	orders           = describe("peerledger_orders", "Open settlement orders that were looked at, by rail, whose they are, and whether they are stuck, or held for approval.",
		"asset", "ledger", "rail", "owner", "state")
	oldestOrder = ofAsset("peerledger_orders_oldest_age_seconds", "Age of the oldest open order that was looked at; absent without one.")
)

// output is what a scrape or a read has to show.
type output struct{ metrics []prometheus.Metric }

func (o *output) add(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels []string) {
	o.metrics = append(o.metrics, prometheus.MustNewConstMetric(d, kind, value, labels...))
}

func (o *output) gauge(d *prometheus.Desc, value float64, labels ...string) {
	o.add(d, prometheus.GaugeValue, value, labels)
}

func (o *output) recorder(s transfers.Stats) {
	o.gauge(backlog, float64(s.Backlog))
	o.gauge(backlogLimit, float64(s.BacklogMax))
	o.gauge(backlogFull, oneIf(s.BacklogFull))
	o.gauge(inFlight, float64(s.InFlight))
}

func (o *output) cluster(s clusterStats) {
	o.gauge(sessions, float64(s.sessions))
	o.gauge(calls, float64(s.calls))
	o.gauge(abandoned, float64(s.abandoned))
	o.add(resentRequests, prometheus.CounterValue, float64(s.resent), nil)
}

func (o *output) liquidity(own []accounts.AssetPosition) {
	for _, p := range own {
		labels, scale := assetLabels(p.Asset), p.Asset.Scale
		o.gauge(liquidity, signed(p.Liquidity, scale), labels...)
		o.gauge(liquidityHeld, whole(p.Held, scale), labels...)
		o.gauge(revenue, signed(p.Revenue, scale), labels...)
		o.gauge(dust, signed(p.Dust, scale), labels...)
		o.gauge(suspense, signed(p.Suspense, scale), labels...)
		o.gauge(capital, signed(p.Capital, scale), labels...)
	}
}

func (o *output) peers(c *census, s Sources) {
	for _, a := range c.assets {
		labels := assetLabels(a.asset)
		o.gauge(peers, float64(a.peers), labels...)
		o.gauge(peersSuspended, float64(a.suspended), labels...)
		o.gauge(peersClosed, float64(a.closed), labels...)
		o.gauge(peersPast, float64(a.past), labels...)
		o.gauge(peersInArrears, float64(a.inArrears), labels...)
		o.gauge(arrears, a.arrears, labels...)
		o.gauge(prepaid, a.prepaid, labels...)
		o.gauge(announced, a.announced, labels...)
		o.gauge(peersNearlyUsed, float64(a.nearly), labels...)
		o.gauge(ordersOpen, float64(a.openOrders), labels...)
		o.gauge(ordersOpenAmount, a.ordered, labels...)
		o.gauge(otherPeers, float64(a.other), labels...)
		o.gauge(otherPayable, a.payable, labels...)
		o.gauge(otherReceivable, a.receivable, labels...)
		if c.suspense == nil {
			o.gauge(waitingAll, a.waiting, labels...)
			for _, one := range a.waits {
				o.gauge(peerWaiting, one.amount, append([]string{one.peer}, labels...)...)
			}
		}
		for _, b := range a.shown {
			o.peer(b, s)
		}
		for _, r := range a.largest {
			o.peer(r.Balance, s)
		}
	}
}

func (o *output) peer(b accounts.Balance, s Sources) {
	labels, scale := append([]string{b.Account.Peer()}, assetLabels(b.Asset)...), b.Asset.Scale
	o.gauge(peerPosition, whole(b.Payable, scale)-whole(b.Receivable, scale), labels...)
	o.gauge(peerOwed, whole(owed(b), scale), labels...)
	if s.Settlement != nil {
		o.gauge(peerDue, whole(s.Settlement.Due(b), scale), labels...)
	}
	o.gauge(peerPrepaid, whole(b.Prepaid, scale), labels...)
	o.gauge(peerArrears, whole(b.Arrears, scale), labels...)
	if threshold, has := thresholdOf(s.SettlementConfig, b); has {
		o.gauge(peerThreshold, whole(threshold, scale), labels...)
	}
	o.gauge(peerSettling, whole(b.Settling, scale), labels...)
	o.gauge(peerAnnounced, whole(b.Announced, scale), labels...)
	o.gauge(peerHeldIn, whole(b.HeldIn, scale), labels...)
	o.gauge(peerHeldOut, whole(b.HeldOut, scale), labels...)
	o.gauge(peerCreditLine, whole(b.CreditLine, scale), labels...)
	o.gauge(peerHeadroom, whole(b.Headroom, scale), labels...)
	o.gauge(peerSuspended, oneIf(b.Suspended), labels...)
}

// orderKind are the labels of an open order.
type orderKind struct {
	asset        accounts.Asset
	rail         string
	owner, state string
}

func (o *output) orders(open []settlement.OpenOrder, stuckAfter time.Duration, now time.Time) {
	counts, oldest := make(map[orderKind]int), make(map[accounts.Asset]time.Duration)
	for _, one := range open {
		age := max(0, one.Age(now))
		kind := orderKind{asset: one.Asset, rail: one.Rail, owner: "other", state: stateOf(one, age, stuckAfter)}
		if one.OwnedByThisInstance {
			kind.owner = "mine"
		}
		counts[kind]++
		oldest[one.Asset] = max(oldest[one.Asset], age)
	}
	for k, n := range counts {
		o.gauge(orders, float64(n), append(assetLabels(k.asset), k.rail, k.owner, k.state)...)
	}
	for asset, age := range oldest {
		o.gauge(oldestOrder, age.Seconds(), assetLabels(asset)...)
	}
}

// stateOf is the label of an open order: one that waits for an operator is not stuck, however old.
func stateOf(o settlement.OpenOrder, age, stuckAfter time.Duration) string {
	switch {
	case errors.Is(o.Waits, settlement.ErrAwaitsApproval):
		return "held"
	case age > stuckAfter:
		return "stuck"
	default:
		return "open"
	}
}

// stuckAfter is what the engine has by default too.
func stuckAfter(cfg settlement.Config) time.Duration { return cmp.Or(cfg.StuckAfter, 10*time.Minute) }

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
