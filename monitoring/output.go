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
	backlogLimit   = describeMetric("peerledger_recorder_backlog_limit", "The most operations that may wait or be in flight; absent without such a bound.")
	backlogFull    = describeMetric("peerledger_recorder_backlog_full", "1 from the moment the backlog is full until it has drained to its low water mark: prepares wait.")
	inFlight       = describeMetric("peerledger_recorder_in_flight", "Operations of the backlog in a request under way.")
	scrapeDuration = describeMetric("peerledger_scrape_duration_seconds", "How long the newest read of the ledger took.")
)

// Metrics of our own positions.
var (
	liquidity     = describeOfAsset("peerledger_liquidity", "Our liquidity in the asset; below 0 we are short.")
	liquidityHeld = describeOfAsset("peerledger_liquidity_held", "The part of the liquidity held by packets in flight.")
	revenue       = describeOfAsset("peerledger_revenue", "Fees earned.")
	dust          = describeOfAsset("peerledger_dust", "Remainders of rounding, in our favour.")
	suspense      = describeOfAsset("peerledger_suspense", "Money of closed peers, and debits by hand less credits by hand and write-offs.")
	waitingAll    = describeOfAsset("peerledger_suspense_waiting", "The part of suspense that waits for peers, received while their accounts were closed.")
	peerWaiting   = describeOfPeer("peerledger_peer_suspense", "The money in suspense for the peer, received while its account was closed; absent without any.")
	capital       = describeOfAsset("peerledger_capital", "Capital put in, less capital taken out.")
)

// Metrics of all peers, of the peers without series of their own, and of single peers.
var (
	peers            = describeOfAsset("peerledger_peers", "Peers in the asset.")
	peersSuspended   = describeOfAsset("peerledger_peers_suspended", "Suspended peers.")
	peersClosed      = describeOfAsset("peerledger_peers_closed", "Peers whose account is closed.")
	peersPast        = describeOfAsset("peerledger_peers_past_threshold", "Peers owed their settlement threshold or more, without an open order.")
	peersInArrears   = describeOfAsset("peerledger_peers_in_arrears", "Peers in arrears.")
	arrears          = describeOfAsset("peerledger_arrears", "Arrears of all peers: booked debits that the peer accounts could not cover.")
	prepaid          = describeOfAsset("peerledger_prepaid", "Unused prepayments of all peers. An upper bound: scrapes read no payments, so a prepayment is exact only for peers whose payments this process has read.")
	announced        = describeOfAsset("peerledger_announced", "Announced payments of all peers that are not final yet.")
	peersNearlyUsed  = describeOfAsset("peerledger_peers_line_nearly_used", "Peers with a credit line that can still send less than a tenth of the line.")
	otherPeers       = describeOfAsset("peerledger_other_peers", "Peers without series of their own.")
	otherPayable     = describeOfAsset("peerledger_other_peers_payable", "How much we owe the peers without series of their own, in all.")
	otherReceivable  = describeOfAsset("peerledger_other_peers_receivable", "How much the peers without series of their own owe us, in all.")
	peerPosition     = describeOfPeer("peerledger_peer_position", "How much we owe the peer; below 0 the peer owes us.")
	peerOwed         = describeOfPeer("peerledger_peer_owed", "The unpaid part of the peer's earnings from packets, which the threshold is compared with. A lower bound where the prepayment is an upper bound.")
	peerPrepaid      = describeOfPeer("peerledger_peer_prepaid", "The peer's unused prepayment. An upper bound until this process has read the peer's payments.")
	peerArrears      = describeOfPeer("peerledger_peer_arrears", "The peer's arrears: booked debits that the peer account could not cover.")
	peerDue          = describeOfPeer("peerledger_peer_due", "The amount of the peer's next order; 0 while an order is open. A lower bound where the prepayment is an upper bound.")
	peerThreshold    = describeOfPeer("peerledger_peer_threshold", "The amount owed at which an order is placed; absent if the peer has no threshold or no rail.")
	peerSettling     = describeOfPeer("peerledger_peer_settling", "The amount of the peer's open order; 0 without an order.")
	peerAnnounced    = describeOfPeer("peerledger_peer_announced", "Announced payments of the peer that are not final yet.")
	peerHeldIn       = describeOfPeer("peerledger_peer_held_in", "The amount held by packets in flight from the peer.")
	peerHeldOut      = describeOfPeer("peerledger_peer_held_out", "The amount held by packets in flight to the peer.")
	peerCreditLine   = describeOfPeer("peerledger_peer_credit_line", "The most that the peer may owe us.")
	peerHeadroom     = describeOfPeer("peerledger_peer_headroom", "How much the peer can still send.")
	peerSuspended    = describeOfPeer("peerledger_peer_suspended", "1 if the peer is suspended.")
	ordersOpen       = describeOfAsset("peerledger_orders_open", "Open settlement orders, of all engines.")
	ordersOpenAmount = describeOfAsset("peerledger_orders_open_amount", "The amount of all open settlement orders, of all engines.")
	orders           = describeMetric("peerledger_orders", "Open settlement orders that were read, by rail, owner and state: open, stuck, or held for approval.",
		"asset", "ledger", "rail", "owner", "state")
	oldestOrder = describeOfAsset("peerledger_orders_oldest_age_seconds", "Age of the oldest open order that was read; absent without an order.")
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
	if s.BacklogMax > 0 {
		o.addGauge(backlogLimit, float64(s.BacklogMax))
	}
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
