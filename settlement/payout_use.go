package settlement

import (
	"context"
	"maps"
	"slices"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// PayoutUse is a configured [PayoutLimit] with the payments that count against its MaxPerDay.
type PayoutUse struct {
	PayoutLimit

	Scope   PayoutLimitScope
	Asset   accounts.Asset
	Account accounts.PeerAccount // of a [PeerLimit]
	Rail    string               // the name, of a [RailLimit]
	// Counts is the sum in units of the payments of the last 24 hours and of the open orders, and Remaining is
	// what MaxPerDay leaves. Without MaxPerDay nothing is added up: Counts is 0, and Remaining is
	// [ledger.AmountMax].
	Counts, Remaining ledger.Amount
}

// PayoutUses reports the limits of these peers that the engine's configuration has, and before them the limits of
// the peers' assets and of the rails in these assets. The sums are computed from the ledger, with the payments of
// all engines; sums of different assets are not of one moment.
//
// The errors are [accounts.ErrUnknownAsset] and the errors of requests.
func (e *Engine) PayoutUses(ctx context.Context, list ...accounts.PeerAccount) ([]PayoutUse, error) {
	var assets []accounts.Asset
	for _, a := range list {
		asset, known := e.book.Asset(a.Ledger())
		if !known {
			return nil, accounts.ErrUnknownAsset
		}
		if !slices.Contains(assets, asset) {
			assets = append(assets, asset)
		}
	}
	var uses []PayoutUse
	add := func(use PayoutUse, a accounts.PeerAccount, rail uint32) (err error) {
		if use.PayoutLimit != (PayoutLimit{}) {
			use.Remaining, use.Counts, err = e.readRemaining(ctx, a, rail, scopedLimit{use.PayoutLimit, use.Scope}, nil)
			uses = append(uses, use)
		}
		return err
	}
	for _, asset := range assets {
		own, err := e.book.OwnAccount(asset) // the limits of assets and rails need the ledger number alone
		if err != nil {
			return nil, err
		}
		if err := add(PayoutUse{PayoutLimit: e.cfg.AssetPayoutLimits[asset], Scope: AssetLimit, Asset: asset}, own, 0); err != nil {
			return nil, err
		}
		for _, tag := range slices.Sorted(maps.Keys(e.rails)) {
			rail := e.rails[tag]
			if err := add(PayoutUse{PayoutLimit: rail.PayoutLimits[asset], Scope: RailLimit, Asset: asset, Rail: rail.Name}, own, tag); err != nil {
				return nil, err
			}
		}
	}
	for _, a := range list {
		asset, _ := e.book.Asset(a.Ledger())
		if err := add(PayoutUse{PayoutLimit: e.cfg.PeerPayoutLimits.For(a.Peer(), asset), Scope: PeerLimit, Asset: asset, Account: a}, a, 0); err != nil {
			return nil, err
		}
	}
	return uses, nil
}
