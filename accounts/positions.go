package accounts

import (
	"context"
	"fmt"
	"math/big"

	"github.com/peerledger/peerledger/ledger"
)

// AssetPosition is our own position in one asset, read in one request and so of one moment. All
// amounts are in units of 10^-Asset.Scale; amounts that may be below 0 are big.Ints.
type AssetPosition struct {
	Asset Asset
	// Liquidity is our capital plus the net income of packets between assets. Below 0 we are
	// short of the asset.
	Liquidity *big.Int
	// Held is the part of Liquidity held by packets in flight, and Free is the part left to
	// withdraw; 0 if there is none.
	Held, Free ledger.Amount
	Revenue    *big.Int // fees earned
	Dust       *big.Int // the remainders of rounding, in our favour
	// Suspense is the money waiting for closed peers plus all debits by hand, less all credits by
	// hand and write-offs. Below 0, credits and write-offs prevail.
	Suspense *big.Int
	Capital  *big.Int // put in, less taken out
}

// OwnPositions reads our own positions, one for each asset of the Book, by ledger number. The error
// is [ErrNotProvisioned], or of the request.
func (b *Book) OwnPositions(ctx context.Context) ([]AssetPosition, error) {
	assets := b.Assets()
	var ids []ledger.ID
	for _, a := range assets {
		own := b.assets[a.Ledger].ids
		ids = append(ids, own.Liquidity, own.Revenue, own.Dust, own.Suspense, own.Outside)
	}
	const accountsPerAsset = 5
	byID, err := b.lookupIDs(ctx, ids, accountsPerAsset)
	if err != nil {
		return nil, fmt.Errorf("look up our positions: %w", err)
	}
	positions := make([]AssetPosition, len(assets))
	for i, a := range assets {
		var net [accountsPerAsset]*big.Int
		for j, id := range ids[i*accountsPerAsset : (i+1)*accountsPerAsset] {
			account, found := byID[id]
			if !found {
				return nil, fmt.Errorf("%w: %v", ErrNotProvisioned, a)
			}
			net[j] = new(big.Int).Sub(account.CreditsPosted.Big(), account.DebitsPosted.Big())
		}
		liquidity := byID[ids[i*accountsPerAsset]]
		positions[i] = AssetPosition{
			Asset: a, Liquidity: net[0], Revenue: net[1], Dust: net[2], Suspense: net[3],
			Capital: net[4].Neg(net[4]),
			Held:    liquidity.DebitsPending,
			Free:    liquidity.CreditsPosted.SubFloor(liquidity.DebitsPosted).SubFloor(liquidity.DebitsPending),
		}
	}
	return positions, nil
}
