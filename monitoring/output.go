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

// descriptions has every metric of the watcher.
var descriptions []*prometheus.Desc

func describeMetric(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc(name, help, labels, nil)
	descriptions = append(descriptions, d)
	return d
}

// describeOfAsset describes a metric of an asset. The label ledger is needed because two ledger
// numbers may have assets of the same code.
func describeOfAsset(name, help string) *prometheus.Desc {
	return describeMetric(name, help, "asset", "ledger")
}

func describeOfPeer(name, help string) *prometheus.Desc {
	return describeMetric(name, help, "peer", "asset", "ledger")
}

func assetLabels(a accounts.Asset) []string {
	return []string{a.Code, strconv.FormatUint(uint64(a.Ledger), 10)}
}

// Metrics of the recorder and of the reads.
var (
	backlog        = describeMetric("peerledger_recorder_backlog", "Operations waiting or in flight.")
	backlogLimit   = describeMetric("peerledger_recorder_backlog_limit", "How many operations may be waiting or in flight.")
	backlogFull    = describeMetric("peerledger_recorder_backlog_full", "1 if the backlog was full and has not sunk to its low water mark: prepares wait.")
	inFlight       = describeMetric("peerledger_recorder_in_flight", "Operations in the batches that are at the ledger.")
	scrapeDuration = describeMetric("peerledger_scrape_duration_seconds", "How long the newest read of the ledger took.")
)

// Metrics of our own positions.
var (
	liquidity     = describeOfAsset("peerledger_liquidity", "Our liquidity in the asset; below 0 we are short of it.")
	liquidityHeld = describeOfAsset("peerledger_liquidity_held", "The part of the liquidity that packets in flight will take.")
	revenue       = describeOfAsset("peerledger_revenue", "Fees earned.")
	dust          = describeOfAsset("peerledger_dust", "What rounding left over, in our favour.")
	suspense      = describeOfAsset("peerledger_suspense", "Money of closed peers, and what was debited by hand less what was credited by hand and written off.")
	waitingAll    = describeOfAsset("peerledger_suspense_waiting", "What came in for the peers while they were closed, and waits in suspense for all of them.")
	peerWaiting   = describeOfPeer("peerledger_peer_suspense", "What came in for the peer while it was closed, and waits in suspense; absent if nothing does.")
	capital       = describeOfAsset("peerledger_capital", "Capital put in, less taken out.")
)

// Metrics of all peers, of the peers without series of their own, and of single peers.
var (
	peers            = describeOfAsset("peerledger_peers", "Peers in the asset.")
	peersSuspended   = describeOfAsset("peerledger_peers_suspended", "Peers that are suspended.")
	peersClosed      = describeOfAsset("peerledger_peers_closed", "Peers whose account is closed.")
	peersPast        = describeOfAsset("peerledger_peers_past_threshold", "Peers that are owed their settlement threshold or more, and have no open order.")
	peersInArrears   = describeOfAsset("peerledger_peers_in_arrears", "Peers with arrears.")
	arrears          = describeOfAsset("peerledger_arrears", "What all peers owe us that their accounts could not be charged when it was booked.")
	prepaid          = describeOfAsset("peerledger_prepaid", "What all peers have prepaid and not used. At most: scrapes do not read payments, so it is an upper bound for peers whose payments nobody in this process has read.")
	announced        = describeOfAsset("peerledger_announced", "Payments of all peers that are announced and not final yet.")
	peersNearlyUsed  = describeOfAsset("peerledger_peers_line_nearly_used", "Peers with a credit line that can still send less than a tenth of it.")
	otherPeers       = describeOfAsset("peerledger_other_peers", "Peers without series of their own.")
	otherPayable     = describeOfAsset("peerledger_other_peers_payable", "What we owe the peers without series of their own.")
	otherReceivable  = describeOfAsset("peerledger_other_peers_receivable", "What the peers without series of their own owe us.")
	peerPosition     = describeOfPeer("peerledger_peer_position", "What we owe the peer; below 0 it owes us.")
	peerOwed         = describeOfPeer("peerledger_peer_owed", "What packets earned the peer and is not paid: what its threshold is compared with. At least, where what is prepaid is at most.")
	peerPrepaid      = describeOfPeer("peerledger_peer_prepaid", "What the peer has prepaid and not used. At most: an upper bound until somebody in this process has read its payments.")
	peerArrears      = describeOfPeer("peerledger_peer_arrears", "What the peer owes us that its account could not be charged when it was booked.")
	peerDue          = describeOfPeer("peerledger_peer_due", "What the next order to the peer will be; 0 while one is open. At least, where what is prepaid is at most.")
	peerThreshold    = describeOfPeer("peerledger_peer_threshold", "What is owed when an order is placed; absent if the peer has no threshold or no rail.")
	peerSettling     = describeOfPeer("peerledger_peer_settling", "The open order to the peer; 0 if there is none.")
	peerAnnounced    = describeOfPeer("peerledger_peer_announced", "Payments of the peer that are announced and not final yet.")
	peerHeldIn       = describeOfPeer("peerledger_peer_held_in", "Held by packets in flight from the peer.")
	peerHeldOut      = describeOfPeer("peerledger_peer_held_out", "Held by packets in flight to the peer.")
	peerCreditLine   = describeOfPeer("peerledger_peer_credit_line", "The most that the peer may owe us.")
	peerHeadroom     = describeOfPeer("peerledger_peer_headroom", "What the peer can still send.")
	peerSuspended    = describeOfPeer("peerledger_peer_suspended", "1 if the peer is suspended.")
	ordersOpen       = describeOfAsset("peerledger_orders_open", "Open settlement orders, of all engines.")
	ordersOpenAmount = describeOfAsset("peerledger_orders_open_amount", "The amount of all open settlement orders.")
	orders           = describeMetric("peerledger_orders", "Open settlement orders that were looked at, by rail, whose they are, and whether they are stuck, or held for approval.",
		"asset", "ledger", "rail", "owner", "state")
	oldestOrder = describeOfAsset("peerledger_orders_oldest_age_seconds", "Age of the oldest open order that was looked at; absent without one.")
)

// output collects the metrics of a scrape or of a read.
type output struct{ metrics []prometheus.Metric }

func (o *output) addMetric(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels []string) {
	o.metrics = append(o.metrics, prometheus.MustNewConstMetric(d, kind, value, labels...))
}

func (o *output) addGauge(d *prometheus.Desc, value float64, labels ...string) {
	o.addMetric(d, prometheus.GaugeValue, value, labels)
}

func (o *output) addRecorder(s transfers.Stats) {
	o.addGauge(backlog, float64(s.Backlog))
	o.addGauge(backlogLimit, float64(s.BacklogMax))
	o.addGauge(backlogFull, boolValue(s.BacklogFull))
	o.addGauge(inFlight, float64(s.InFlight))
}

func (o *output) addLiquidity(own []accounts.AssetPosition) {
	for _, p := range own {
		labels, scale := assetLabels(p.Asset), p.Asset.Scale
		o.addGauge(liquidity, signedUnits(p.Liquidity, scale), labels...)
		o.addGauge(liquidityHeld, wholeUnits(p.Held, scale), labels...)
		o.addGauge(revenue, signedUnits(p.Revenue, scale), labels...)
		o.addGauge(dust, signedUnits(p.Dust, scale), labels...)
		o.addGauge(suspense, signedUnits(p.Suspense, scale), labels...)
		o.addGauge(capital, signedUnits(p.Capital, scale), labels...)
	}
}

func (o *output) addPeers(c *peerSummary, s Sources) {
	for _, a := range c.assets {
		labels := assetLabels(a.asset)
		o.addGauge(peers, float64(a.peers), labels...)
		o.addGauge(peersSuspended, float64(a.suspended), labels...)
		o.addGauge(peersClosed, float64(a.closed), labels...)
		o.addGauge(peersPast, float64(a.overThreshold), labels...)
		o.addGauge(peersInArrears, float64(a.inArrears), labels...)
		o.addGauge(arrears, a.arrears, labels...)
		o.addGauge(prepaid, a.prepaid, labels...)
		o.addGauge(announced, a.announced, labels...)
		o.addGauge(peersNearlyUsed, float64(a.nearLimit), labels...)
		o.addGauge(ordersOpen, float64(a.openOrders), labels...)
		o.addGauge(ordersOpenAmount, a.ordered, labels...)
		o.addGauge(otherPeers, float64(a.unnamed), labels...)
		o.addGauge(otherPayable, a.payable, labels...)
		o.addGauge(otherReceivable, a.receivable, labels...)
		if c.suspenseErr == nil {
			o.addGauge(waitingAll, a.waiting, labels...)
			for _, one := range a.waitingPeers {
				o.addGauge(peerWaiting, one.amount, append([]string{one.peer}, labels...)...)
			}
		}
		for _, b := range a.namedPeers {
			o.addPeer(b, s)
		}
		for _, r := range a.largest {
			o.addPeer(r.Balance, s)
		}
	}
}

func (o *output) addPeer(b accounts.Balance, s Sources) {
	labels, scale := append([]string{b.Account.Peer()}, assetLabels(b.Asset)...), b.Asset.Scale
	o.addGauge(peerPosition, wholeUnits(b.Payable, scale)-wholeUnits(b.Receivable, scale), labels...)
	o.addGauge(peerOwed, wholeUnits(amountOwed(b), scale), labels...)
	if s.Settlement != nil {
		o.addGauge(peerDue, wholeUnits(s.Settlement.Due(b), scale), labels...)
	}
	o.addGauge(peerPrepaid, wholeUnits(b.Prepaid, scale), labels...)
	o.addGauge(peerArrears, wholeUnits(b.Arrears, scale), labels...)
	if threshold, has := thresholdOf(s.SettlementConfig, b); has {
		o.addGauge(peerThreshold, wholeUnits(threshold, scale), labels...)
	}
	o.addGauge(peerSettling, wholeUnits(b.Settling, scale), labels...)
	o.addGauge(peerAnnounced, wholeUnits(b.Announced, scale), labels...)
	o.addGauge(peerHeldIn, wholeUnits(b.HeldIn, scale), labels...)
	o.addGauge(peerHeldOut, wholeUnits(b.HeldOut, scale), labels...)
	o.addGauge(peerCreditLine, wholeUnits(b.CreditLine, scale), labels...)
	o.addGauge(peerHeadroom, wholeUnits(b.Headroom, scale), labels...)
	o.addGauge(peerSuspended, boolValue(b.Suspended), labels...)
}

// orderKind has the labels of an open order.
type orderKind struct {
	asset        accounts.Asset
	rail         string
	owner, state string
}

func (o *output) addOrders(open []settlement.OpenOrder, stuckAfter time.Duration, now time.Time) {
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
		o.addGauge(orders, float64(n), append(assetLabels(k.asset), k.rail, k.owner, k.state)...)
	}
	for asset, age := range oldest {
		o.addGauge(oldestOrder, age.Seconds(), assetLabels(asset)...)
	}
}

// stateOf returns the state label of an open order. An order that waits for an operator's approval
// is held, however old, and never stuck.
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

// stuckAfter returns the age of a stuck order, with the engine's default.
func stuckAfter(cfg settlement.Config) time.Duration { return cmp.Or(cfg.StuckAfter, 10*time.Minute) }

func boolValue(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
