package transfers

import (
	"context"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// limitedAmount is the amount of a packet that counts against the limits of one account: of
// a peer, or of our liquidity.
type limitedAmount struct {
	limits    *peerLimits // nil without limits
	amount    ledger.Amount
	direction direction
	exempt    bool // counted, and never refused
}

// maxLimitedAmounts is the most that a packet has: two peers, and our liquidity in two assets.
const maxLimitedAmounts = 4

// limitedAmounts writes the amounts of an operation's packet to dst, and returns their
// number. It computes the packet's legs only if there are liquidity floors.
func (a *admission) limitedAmounts(o *operation, dst *[maxLimitedAmounts]limitedAmount) int {
	p := &o.packet
	dst[0] = limitedAmount{limits: a.limitsOf(p.From), amount: ledger.NewAmount(p.In), direction: incoming}
	dst[1] = limitedAmount{limits: a.limitsOf(p.To), amount: ledger.NewAmount(p.Out), direction: outgoing}
	n := 2
	if len(a.floors) == 0 {
		return n
	}
	var array [maxLegs]leg
	legs := o.appendLegs(array[:0])
	for i, asset := range [...]*assetInfo{o.fromAsset, o.toAsset} {
		floor := a.floors[asset.asset.Ledger]
		if floor == nil || i == 1 && o.fromAsset == o.toAsset {
			continue
		}
		a := limitedAmount{limits: floor, exempt: p.From.IsOwn()}
		in, out := sumThroughLiquidity(legs, asset.ids.Liquidity)
		switch a.direction = outgoing; {
		case in == out:
			continue // the packet does not cross our liquidity
		case in > out:
			in, out, a.direction = out, in, incoming
		}
		a.amount = ledger.NewAmount(out - in)
		dst[n] = a
		n++
	}
	return n
}

// sumThroughLiquidity sums up the amounts that legs credit to our liquidity account in one
// asset, and the amounts that they debit.
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

// newFloorLimits returns the limits of our liquidity in each asset with a floor, by ledger
// number. The liquidity above the floor may be paid out, so the floor is enforced as a
// PayableCap of 0 on a peer that owes us the liquidity above the floor, or to whom we owe what
// is missing.
func newFloorLimits(book *accounts.Book) map[uint32]*peerLimits {
	floors := make(map[uint32]*peerLimits)
	for _, a := range book.FlooredAssets() {
		own, _ := book.OwnAccount(a)
		floors[a.Ledger] = &peerLimits{account: own, asset: a, capped: true, limits: accounts.EffectiveLimits{PayableCapped: true}}
	}
	return floors
}

// readFloors reads our liquidity in all assets with a floor.
func (a *admission) readFloors(ctx context.Context) error {
	if len(a.floors) == 0 {
		return nil
	}
	for _, floor := range a.floors {
		floor.markReadStart()
	}
	reserves, err := a.book.LiquidityReserves(ctx)
	if err != nil {
		for _, floor := range a.floors {
			floor.endRead(accounts.Balance{}, err)
		}
		return err
	}
	for _, reserve := range reserves {
		a.floors[reserve.Asset.Ledger].endRead(accounts.Balance{Payable: reserve.BelowFloor, Receivable: reserve.AboveFloor, HeldOut: reserve.Held}, nil)
	}
	return nil
}
