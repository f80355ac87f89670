package accounts

import (
	"context"
	"fmt"
	"math/big"
	"strings"

	"github.com/peerledger/peerledger/ledger"
)

// parseFloor reads the LiquidityFloor of an asset, nil if it has none.
func parseFloor(asset Asset, floors map[Asset]Decimal) (*big.Int, error) {
	text, hasFloor := floors[asset]
	if !hasFloor {
		return nil, nil
	}
	digits, negative := strings.CutPrefix(string(text), "-")
	n, err := asset.Parse(digits)
	floor := n.Big()
	if negative {
		floor.Neg(floor)
	}
	return floor, err
}

// LiquidityReserve is our liquidity in an asset with a LiquidityFloor.
type LiquidityReserve struct {
	Asset      Asset
	AboveFloor ledger.Amount // units above the floor, what packets hold included; 0 if it is below
	Held       ledger.Amount // units of it that packets hold
}

// FlooredAssets are the assets that have a LiquidityFloor, by ledger number.
func (b *Book) FlooredAssets() []Asset {
	var floors []Asset
	for _, a := range b.Assets() {
		if _, hasFloor := b.floors[a]; hasFloor {
			floors = append(floors, a)
		}
	}
	return floors
}

// LiquidityReserves are our liquidity in the assets of Floors, in the same order, read in one request
// and so of one moment. The error is ErrNotProvisioned, or that of the request.
func (b *Book) LiquidityReserves(ctx context.Context) ([]LiquidityReserve, error) {
	floors := b.FlooredAssets()
	ids := make([]ledger.ID, len(floors))
	for i, a := range floors {
		ids[i] = b.assets[a.Ledger].ids.Liquidity
	}
	byID, err := b.lookupIDs(ctx, ids, 1)
	if err != nil {
		return nil, fmt.Errorf("look up our liquidity: %w", err)
	}
	reserves := make([]LiquidityReserve, len(floors))
	for i, a := range floors {
		account, found := byID[ids[i]]
		if !found {
			return nil, fmt.Errorf("%w: %v", ErrNotProvisioned, a)
		}
		floor, _ := parseFloor(a, b.floors) // validate has read it
		above := new(big.Int).Sub(account.CreditsPosted.Big(), account.DebitsPosted.Big())
		above.Sub(above, floor)
		reserves[i] = LiquidityReserve{Asset: a, Held: account.DebitsPending}
		if above.Sign() <= 0 {
			continue
		}
		if reserves[i].AboveFloor, err = ledger.ParseAmount(above.String()); err != nil {
			reserves[i].AboveFloor = ledger.AmountMax
		}
	}
	return reserves, nil
}
