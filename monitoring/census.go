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

// census is what one look at all peers has found. It keeps few of the balances, however
// many peers there are.
type census struct {
	assets   map[uint32]*assetCensus // by ledger number
	settling []accounts.PeerAccount  // with an open order
	suspense error                   // why it is not known what waits there
}

// assetCensus is that of one asset. Sums are floats, as they are shown.
type assetCensus struct {
	asset accounts.Asset
	top   int // how many may be in largest

	peers, suspended, closed int
	past, nearly             int // past their threshold without an order; with less than nearlyUsed of their line left
	inArrears                int
	arrears, prepaid         float64
	announced                float64
	openOrders               int
	ordered                  float64
	waiting                  float64   // in suspense
	waits                    []waiting // for some of these peers, not in order

	shown               []accounts.Balance // of Config.Peers
	largest             []ranked           // the largest position first
	other               int                // those that are in neither
	payable, receivable float64
}

type ranked struct {
	size float64
	accounts.Balance
}

// waiting is what waits in suspense for a peer.
type waiting struct {
	peer   string
	amount float64
	named  bool
}

// nearlyUsed is the part of its line that a peer can still send when the line counts as
// nearly used.
const nearlyUsed = 0.1

// peersPerLook is how many peers' balances are kept at a time: those that a request reads.
const peersPerLook = 2000

// census looks at the balances of all peers. It reads no payments, which would take some ten
// requests for each peer that has made any: what is prepaid is an upper bound for those
// whose payments the Book has not read yet.
func (w *watcher) census(ctx context.Context, s Sources) (*census, error) {
	c := &census{assets: make(map[uint32]*assetCensus)}
	for _, asset := range s.Book.Assets() {
		c.assets[asset.Ledger] = &assetCensus{asset: asset, top: w.cfg.Top}
	}
	for list := range slices.Chunk(distinct(s.Accounts()), peersPerLook) {
		balances, err := s.Book.LookUpBalances(ctx, list...)
		if err != nil {
			return nil, err
		}
		w.waiting(ctx, s, c, balances)
		for _, b := range balances {
			_, named := w.named[b.Account.Peer()]
			c.assets[b.Asset.Ledger].add(b, named, s)
			if !b.Settling.IsZero() {
				c.settling = append(c.settling, b.Account)
			}
		}
	}
	return c, nil
}

// waiting counts what waits in suspense for the peers of balances, until a read fails.
func (w *watcher) waiting(ctx context.Context, s Sources, c *census, balances []accounts.Balance) {
	if c.suspense != nil {
		return
	}
	amounts, err := s.Book.WaitingInSuspense(ctx, balances...)
	if err != nil {
		c.suspense = err
		return
	}
	for i, b := range balances {
		if !amounts[i].IsZero() {
			_, named := w.named[b.Account.Peer()]
			c.assets[b.Asset.Ledger].addWaiting(waiting{b.Account.Peer(), whole(amounts[i], b.Asset.Scale), named})
		}
	}
}

// distinct has each account once: Prometheus refuses a scrape with a series that is there
// twice.
func distinct(list []accounts.PeerAccount) []accounts.PeerAccount {
	seen, once := make(map[accounts.PeerAccount]struct{}, len(list)), make([]accounts.PeerAccount, 0, len(list))
	for _, a := range list {
		if _, twice := seen[a]; !twice {
			seen[a] = struct{}{}
			once = append(once, a)
		}
	}
	return once
}

func (c *assetCensus) add(b accounts.Balance, named bool, s Sources) {
	c.peers++
	if b.Suspended {
		c.suspended++
	}
	if b.Closed {
		c.closed++
	}
	if !b.Settling.IsZero() {
		c.openOrders++
		c.ordered += whole(b.Settling, c.asset.Scale)
	}
	if !b.Arrears.IsZero() {
		c.inArrears++
		c.arrears += whole(b.Arrears, c.asset.Scale)
	}
	c.prepaid += whole(b.Prepaid, c.asset.Scale)
	c.announced += whole(b.Announced, c.asset.Scale)
	if threshold, has := thresholdOf(s.SettlementConfig, b); has && b.Settling.IsZero() && !b.Closed && !owed(b).Less(threshold) {
		c.past++
	}
	if line := whole(b.CreditLine, 0); line > 0 && whole(b.Headroom, 0) < nearlyUsed*line {
		c.nearly++
	}
	if named {
		c.shown = append(c.shown, b)
		return
	}
	c.rank(ranked{max(whole(b.Payable, 0), whole(b.Receivable, 0)), b})
}

// addWaiting counts what waits for a peer, and keeps it if the peer is named, or among the
// top others for which the most waits.
func (c *assetCensus) addWaiting(one waiting) {
	c.waiting += one.amount
	if c.waits = append(c.waits, one); len(c.waits) <= c.top {
		return
	}
	others, least := 0, -1
	for i, w := range c.waits {
		if w.named {
			continue
		}
		if others++; least < 0 || w.amount < c.waits[least].amount {
			least = i
		}
	}
	if others > c.top {
		c.waits = slices.Delete(c.waits, least, least+1)
	}
}

// rank puts a balance among the largest, and sums up the one that is not among them then.
func (c *assetCensus) rank(r ranked) {
	at, _ := slices.BinarySearchFunc(c.largest, r, func(a, b ranked) int { return cmp.Compare(b.size, a.size) })
	if at < c.top {
		c.largest = slices.Insert(c.largest, at, r)
		if len(c.largest) <= c.top {
			return
		}
		r = c.largest[c.top]
		c.largest = c.largest[:c.top]
	}
	c.other++
	c.payable += whole(r.Payable, c.asset.Scale)
	c.receivable += whole(r.Receivable, c.asset.Scale)
}

// owed is what a threshold is compared with: the net position above 0.
func owed(b accounts.Balance) ledger.Amount { return settlement.PolicyInput{Balance: b}.Owed() }

// thresholdOf is the lowest threshold of an account's policy, if it has one and somebody
// would pay.
func thresholdOf(cfg settlement.Config, b accounts.Balance) (ledger.Amount, bool) {
	peer := b.Account.Peer()
	if cfg.Rails.For(peer, b.Asset) == nil {
		return ledger.Amount{}, false
	}
	return lowest(cfg.Policies.For(peer, b.Asset))
}

func lowest(p settlement.Policy) (at ledger.Amount, has bool) {
	switch p := p.(type) {
	case settlement.Threshold:
		return p.SettleThreshold, true
	case settlement.AtLeast:
		return lowest(p.Of)
	case settlement.FirstOf:
		for _, member := range p {
			if one, is := lowest(member); is && (!has || one.Less(at)) {
				at, has = one, true
			}
		}
	}
	return at, has
}

// whole is an amount in whole units of an asset of a scale, to some 15 digits.
func whole(a ledger.Amount, scale uint8) float64 {
	return (float64(a.Hi)*0x1p64 + float64(a.Lo)) / math.Pow10(int(scale))
}

// signed is one that may be below 0.
func signed(a *big.Int, scale uint8) float64 {
	f, _ := a.Float64()
	return f / math.Pow10(int(scale))
}
