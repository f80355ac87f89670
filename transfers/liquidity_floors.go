package transfers

import (
	"context"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// limitedAmount is what a packet is to one account whose limits this recorder enforces.
type limitedAmount struct {
	limits    *peerLimits // nil if there is no limit
	amount    ledger.Amount
	direction direction
	exempt    bool // it counts, and is not refused
}

// maxLimitedAmounts is how many a packet has at most: its two peers, and our liquidity in two assets.
const maxLimitedAmounts = 4

// limitedAmounts writes what a packet is to its peers and to our liquidity. It returns how many there
// are. The packet's legs are worked out only if there are floors.
func (g *admission) limitedAmounts(o *operation, all *[maxLimitedAmounts]limitedAmount) int {
	p := &o.packet
	all[0] = limitedAmount{limits: g.limitsOf(p.From), amount: ledger.NewAmount(p.In), direction: incoming}
	all[1] = limitedAmount{limits: g.limitsOf(p.To), amount: ledger.NewAmount(p.Out), direction: outgoing}
	n := 2
	if len(g.floors) == 0 {
		return n
	}
	var array [maxLegs]leg
	legs := o.appendLegs(array[:0])
	for i, asset := range [...]*assetInfo{o.fromAsset, o.toAsset} {
		floor := g.floors[asset.asset.Ledger]
		if floor == nil || i == 1 && o.fromAsset == o.toAsset {
			continue
		}
		s := limitedAmount{limits: floor, exempt: p.From.IsOwn()}
		in, out := sumThroughLiquidity(legs, asset.ids.Liquidity)
		if s.direction = outgoing; in > out {
			in, out, s.direction = out, in, incoming
		}
		s.amount = ledger.NewAmount(out - in)
		all[n] = s
		n++
	}
	return n
}

// sumThroughLiquidity is what legs put into our liquidity in one asset, and take out of it.
func sumThroughLiquidity(legs []leg, liquidity ledger.ID) (in, out uint64) {
	for i := range legs {
		switch liquidity {
		case legs[i].credit:
			in += legs[i].amount
		case legs[i].debit:
			out += legs[i].amount
		}
	}
	return in, out
}

// newFloorLimits are rooms for our liquidity in the assets that have a floor. What is above the
// floor is what we may come to owe, so it is counted as a PayableCap is.
func newFloorLimits(book *accounts.Book) map[uint32]*peerLimits {
	floors := make(map[uint32]*peerLimits)
	for _, a := range book.FlooredAssets() {
		own, _ := book.OwnAccount(a)
		floors[a.Ledger] = &peerLimits{account: own, asset: a, capped: true, limits: accounts.EffectiveLimits{PayableCapped: true}}
	}
	return floors
}

// readFloors looks at our liquidity in all assets that have a floor.
func (g *admission) readFloors(ctx context.Context) error {
	if len(g.floors) == 0 {
		return nil
	}
	for _, r := range g.floors {
		r.markReadStart()
	}
	reserves, err := g.book.LiquidityReserves(ctx)
	if err != nil {
		for _, r := range g.floors {
			r.endRefresh(accounts.Balance{}, err)
		}
		return err
	}
	for _, reserve := range reserves {
		g.floors[reserve.Asset.Ledger].endRefresh(accounts.Balance{Receivable: reserve.AboveFloor, HeldOut: reserve.Held}, nil)
	}
	return nil
}
