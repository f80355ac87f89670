package transfers

import (
	"context"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// stake is what a packet is to one account whose limits this recorder enforces.
type stake struct {
	room   *room // nil if there is no limit
	amount ledger.Amount
	side   side
	free   bool // it counts, and is not refused
}

// maxStakes is how many a packet has at most: its two peers, and our liquidity in two assets.
const maxStakes = 4

// stakes writes what a packet is to its peers and to our liquidity. It returns how many there
// are. The packet's legs are worked out only if there are floors.
func (g *gate) stakes(o *operation, all *[maxStakes]stake) int {
	p := &o.packet
	all[0] = stake{room: g.room(p.From), amount: ledger.NewAmount(p.In), side: incoming}
	all[1] = stake{room: g.room(p.To), amount: ledger.NewAmount(p.Out), side: outgoing}
	n := 2
	if len(g.floors) == 0 {
		return n
	}
	var array [maxLegs]leg
	legs := o.appendLegs(array[:0])
	for i, asset := range [...]*assetOf{o.from, o.to} {
		floor := g.floors[asset.asset.Ledger]
		if floor == nil || i == 1 && o.from == o.to {
			continue
		}
		s := stake{room: floor, free: p.From.IsOwn()}
		in, out := throughLiquidity(legs, asset.ids.Liquidity)
		if s.side = outgoing; in > out {
			in, out, s.side = out, in, incoming
		}
		s.amount = ledger.NewAmount(out - in)
		all[n] = s
		n++
	}
	return n
}

// throughLiquidity is what legs put into our liquidity in one asset, and take out of it.
func throughLiquidity(legs []leg, liquidity ledger.ID) (in, out uint64) {
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

// newFloors are rooms for our liquidity in the assets that have a floor. What is above the
// floor is what we may come to owe, so it is counted as a PayableCap is.
func newFloors(book *accounts.Book) map[uint32]*room {
	floors := make(map[uint32]*room)
	for _, a := range book.FlooredAssets() {
		own, _ := book.OwnAccount(a)
		floors[a.Ledger] = &room{account: own, asset: a, capped: true, allowed: accounts.EffectiveLimits{PayableCapped: true}}
	}
	return floors
}

// readFloors looks at our liquidity in all assets that have a floor.
func (g *gate) readFloors(ctx context.Context) error {
	if len(g.floors) == 0 {
		return nil
	}
	for _, r := range g.floors {
		r.mark()
	}
	reserves, err := g.book.LiquidityReserves(ctx)
	if err != nil {
		for _, r := range g.floors {
			r.end(accounts.Balance{}, err)
		}
		return err
	}
	for _, reserve := range reserves {
		g.floors[reserve.Asset.Ledger].end(accounts.Balance{Receivable: reserve.AboveFloor, HeldOut: reserve.Held}, nil)
	}
	return nil
}
