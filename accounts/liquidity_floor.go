package accounts

import (
	"context"
	"fmt"
	"math/big"
	"strings"

	"github.com/peerledger/peerledger/ledger"
)

// parseFloor parses the liquidity floor of an asset; nil if it has none.
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

// LiquidityReserve is our liquidity in an asset with a floor ([Config.LiquidityFloors]).
type LiquidityReserve struct {
	Asset      Asset
	AboveFloor ledger.Amount // units above the floor, held units included; 0 if the liquidity is below the floor
	BelowFloor ledger.Amount // units missing to the floor; 0 if the liquidity is above the floor
	Held       ledger.Amount // units of the liquidity held by packets
}

// FlooredAssets returns the assets with a floor ([Config.LiquidityFloors]), by ledger number.
func (b *Book) FlooredAssets() []Asset {
	var floors []Asset
	for _, a := range b.Assets() {
		if _, hasFloor := b.floors[a]; hasFloor {
			floors = append(floors, a)
		}
	}
	return floors
}

// LiquidityReserves reads our liquidity in the [Book.FlooredAssets], in their order, in one
// request and so of one moment. The error is [ErrNotProvisioned], or of the request.
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
		reserves[i] = b.LiquidityReserve(a, &account)
	}
	return reserves, nil
}

// LiquidityReserve returns our liquidity in an asset, computed from the record of its liquidity
// account ([AssetIDs]). An asset without a floor counts as one with the floor 0.
func (b *Book) LiquidityReserve(a Asset, liquidity *ledger.Account) LiquidityReserve {
	above := new(big.Int).Sub(liquidity.CreditsPosted.Big(), liquidity.DebitsPosted.Big())
	if floor, _ := parseFloor(a, b.floors); floor != nil { // Config.Validate has checked the floor
		above.Sub(above, floor)
	}
	reserve := LiquidityReserve{Asset: a, Held: liquidity.DebitsPending}
	units, err := ledger.ParseAmount(new(big.Int).Abs(above).String())
	if err != nil {
		units = ledger.AmountMax
	}
	if above.Sign() < 0 {
		reserve.BelowFloor = units
	} else {
		reserve.AboveFloor = units
	}
	return reserve
}
