package monitoring

import (
	"cmp"
	"context"
	"math"
	"math/big"
	"slices"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/settlement"
)

// peerSummary sums up the balances of all peers. It keeps few balances, whatever the number of
// peers.
type peerSummary struct {
	assets      map[uint32]*assetSummary // by ledger number
	settling    []accounts.PeerAccount   // peers with an open order
	suspenseErr error                    // the failed read of the amounts in suspense
}

// assetSummary sums up one asset. Sums are floats, as Prometheus shows them.
type assetSummary struct {
	asset accounts.Asset
	top   int // maximum length of largest

	peers, suspended, closed int
	overThreshold, nearLimit int // past their threshold without an order; with less than nearLimitShare of their line left
	inArrears                int
	arrears, prepaid         float64
	announced                float64
	openOrders               int
	ordered                  float64
	waiting                  float64       // in suspense
	waitingPeers             []waitingPeer // for some of these peers, not in order

	namedPeers          []accounts.Balance // of Config.Peers
	largest             []rankedPeer       // the largest position first
	unnamed             int                // the number of all other peers
	payable, receivable float64
}

type rankedPeer struct {
	size float64
	accounts.Balance
}

// waitingPeer has the amount that waits in suspense for a peer.
type waitingPeer struct {
	peer   string
	amount float64
	named  bool
}

// nearLimitShare bounds a nearly used line: the peer can send less than this part of the line.
const nearLimitShare = 0.1

// peersPerRead is the number of balances kept at a time: the balances of one request.
const peersPerRead = 2000

// summarizePeers reads the balances of all peers. It reads no payments, which would take some ten
// requests for each peer with payments: Prepaid is an upper bound for peers whose payments the
// Book has not read yet.
func (w *watcher) summarizePeers(ctx context.Context, s Sources) (*peerSummary, error) {
	c := &peerSummary{assets: make(map[uint32]*assetSummary)}
	for _, asset := range s.Book.Assets() {
		c.assets[asset.Ledger] = &assetSummary{asset: asset, top: w.cfg.Top}
	}
	for list := range slices.Chunk(dropDuplicates(s.Accounts()), peersPerRead) {
		balances, err := s.Book.LookUpBalances(ctx, list...)
		if err != nil {
			return nil, err
		}
		w.addWaitingAmounts(ctx, s, c, balances)
		for _, b := range balances {
			_, named := w.namedPeers[b.Account.Peer()]
			c.assets[b.Asset.Ledger].countPeer(b, named, s)
			if !b.Settling.IsZero() {
				c.settling = append(c.settling, b.Account)
			}
		}
	}
	return c, nil
}

// addWaitingAmounts adds the amounts in suspense of the peers of balances. After a failed read it
// adds nothing more.
func (w *watcher) addWaitingAmounts(ctx context.Context, s Sources, c *peerSummary, balances []accounts.Balance) {
	if c.suspenseErr != nil {
		return
	}
	amounts, err := s.Book.WaitingInSuspense(ctx, balances...)
	if err != nil {
		c.suspenseErr = err
		return
	}
	for i, b := range balances {
		if !amounts[i].IsZero() {
			_, named := w.namedPeers[b.Account.Peer()]
			c.assets[b.Asset.Ledger].countWaiting(waitingPeer{b.Account.Peer(), wholeUnits(amounts[i], b.Asset.Scale), named})
		}
	}
}

// dropDuplicates keeps each account once: Prometheus refuses a scrape with a repeated series.
func dropDuplicates(list []accounts.PeerAccount) []accounts.PeerAccount {
	seen, once := make(map[accounts.PeerAccount]struct{}, len(list)), make([]accounts.PeerAccount, 0, len(list))
	for _, a := range list {
		if _, twice := seen[a]; !twice {
			seen[a] = struct{}{}
			once = append(once, a)
		}
	}
	return once
}

func (c *assetSummary) countPeer(b accounts.Balance, named bool, s Sources) {
	c.peers++
	if b.Suspended {
		c.suspended++
	}
	if b.Closed {
		c.closed++
	}
	if !b.Settling.IsZero() {
		c.openOrders++
		c.ordered += wholeUnits(b.Settling, c.asset.Scale)
	}
	if !b.Arrears.IsZero() {
		c.inArrears++
		c.arrears += wholeUnits(b.Arrears, c.asset.Scale)
	}
	c.prepaid += wholeUnits(b.Prepaid, c.asset.Scale)
	c.announced += wholeUnits(b.Announced, c.asset.Scale)
	if threshold, has := thresholdOf(s.SettlementConfig, b); has && b.Settling.IsZero() && !b.Closed && !amountOwed(b).Less(threshold) {
		c.overThreshold++
	}
	if line := wholeUnits(b.CreditLine, 0); line > 0 && wholeUnits(b.Headroom, 0) < nearLimitShare*line {
		c.nearLimit++
	}
	if named {
		c.namedPeers = append(c.namedPeers, b)
		return
	}
	c.rankPeer(rankedPeer{max(wholeUnits(b.Payable, 0), wholeUnits(b.Receivable, 0)), b})
}

// countWaiting adds an amount in suspense, and keeps the peer if Config.Peers names the peer or if
// the amount is among the largest of the unnamed peers.
func (c *assetSummary) countWaiting(one waitingPeer) {
	c.waiting += one.amount
	if c.waitingPeers = append(c.waitingPeers, one); len(c.waitingPeers) <= c.top {
		return
	}
	others, least := 0, -1
	for i, w := range c.waitingPeers {
		if w.named {
			continue
		}
		if others++; least < 0 || w.amount < c.waitingPeers[least].amount {
			least = i
		}
	}
	if others > c.top {
		c.waitingPeers = slices.Delete(c.waitingPeers, least, least+1)
	}
}

// rankPeer inserts a balance among the largest and sums up the balance that drops out.
func (c *assetSummary) rankPeer(r rankedPeer) {
	at, _ := slices.BinarySearchFunc(c.largest, r, func(a, b rankedPeer) int { return cmp.Compare(b.size, a.size) })
	if at < c.top {
		c.largest = slices.Insert(c.largest, at, r)
		if len(c.largest) <= c.top {
			return
		}
		r = c.largest[c.top]
		c.largest = c.largest[:c.top]
	}
	c.unnamed++
	c.payable += wholeUnits(r.Payable, c.asset.Scale)
	c.receivable += wholeUnits(r.Receivable, c.asset.Scale)
}

// amountOwed returns the amount that a threshold is compared with: the net position above 0.
func amountOwed(b accounts.Balance) ledger.Amount { return settlement.PolicyInput{Balance: b}.Owed() }

// thresholdOf returns the lowest threshold of an account's policy. It finds none without a rail.
func thresholdOf(cfg settlement.Config, b accounts.Balance) (ledger.Amount, bool) {
	peer := b.Account.Peer()
	if cfg.Rails.For(peer, b.Asset) == nil {
		return ledger.Amount{}, false
	}
	return lowestThreshold(cfg.Policies.For(peer, b.Asset))
}

func lowestThreshold(p settlement.Policy) (at ledger.Amount, has bool) {
	switch p := p.(type) {
	case settlement.Threshold:
		return p.SettleThreshold, true
	case settlement.AtLeast:
		return lowestThreshold(p.Of)
	case settlement.FirstOf:
		for _, member := range p {
			if one, is := lowestThreshold(member); is && (!has || one.Less(at)) {
				at, has = one, true
			}
		}
	}
	return at, has
}

// wholeUnits returns an amount in whole units of an asset with this scale, to some 15 digits.
func wholeUnits(a ledger.Amount, scale uint8) float64 {
	return (float64(a.Hi)*0x1p64 + float64(a.Lo)) / math.Pow10(int(scale))
}

// signedUnits is wholeUnits for amounts that may be below 0.
func signedUnits(a *big.Int, scale uint8) float64 {
	f, _ := a.Float64()
	return f / math.Pow10(int(scale))
}
