package aggregate

import (
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// newFloors returns the limits of our liquidity in each asset with a floor. The liquidity above the
// floor may be paid out, so the floor is enforced as a PayableCap of 0 on a peer that owes us the
// liquidity above the floor, or to whom we owe what is missing.
func newFloors(book *accounts.Book) map[uint32]*limits {
	floors := make(map[uint32]*limits)
	for _, a := range book.FlooredAssets() {
		own, _ := book.OwnAccount(a)
		floors[a.Ledger] = &limits{account: own, asset: a, effective: accounts.EffectiveLimits{PayableCapped: true}}
	}
	return floors
}

// addFloors adds the amounts that a packet pays into our liquidity, or takes out of it, in assets
// with a floor.
func (r *limiter) addFloors(amounts *limitedAmounts, p *transfers.Packet) {
	from, to := r.floors[p.From.Ledger()], r.floors[p.To.Ledger()]
	exempt := p.From.IsOwn()
	flows := flowsOfAmounts(heldAmounts{p.In, p.Out, p.Dust}, exempt, p.To.IsOwn(), p.From.Ledger() == p.To.Ledger())
	amounts.add(from, flows.takeFirst, outgoing, exempt)
	amounts.add(from, flows.toLiquidity, incoming, exempt)
	amounts.add(to, flows.takeSecond, outgoing, exempt)
}

// liquidityIDs returns the accounts that a look-up needs for the floors, in the order of the
// book's FlooredAssets.
func (r *limiter) liquidityIDs() (ids []ledger.ID) {
	for _, a := range r.book.FlooredAssets() {
		own, _ := r.book.AssetIDs(a.Ledger)
		ids = append(ids, own.Liquidity)
	}
	return ids
}

// readFloors takes our liquidity from the accounts that a look-up found. A missing account has
// had no transfer.
func (r *limiter) readFloors(found map[ledger.ID]*ledger.Account) {
	for number, floor := range r.floors {
		own, _ := r.book.AssetIDs(number)
		account := found[own.Liquidity]
		if account == nil {
			account = new(ledger.Account)
		}
		reserve := r.book.LiquidityReserve(floor.asset, account)
		floor.readAccounts(&reading{credits: reserve.BelowFloor, debits: reserve.AboveFloor, held: sums{outgoing: reserve.Held}})
	}
}
