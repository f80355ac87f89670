package accounts

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// RegisteredAsset is an asset that the ledger holds accounts of.
type RegisteredAsset struct {
	Ledger uint32
	Scale  uint8
	// Asset is the one of the Book that it is; the zero Asset if it is none of them: one
	// of another namespace, or one that was left out of the configuration.
	Asset Asset
}

// RegisteredAssets are the assets that the ledger has liquidity accounts of, of all
// namespaces, in the order of their creation. The error is that of a request.
func (b *Book) RegisteredAssets(ctx context.Context) ([]RegisteredAsset, error) {
	rows, err := b.liquidityAccounts(ctx, ledger.QueryFilter{})
	if err != nil {
		return nil, fmt.Errorf("list assets: %w", err)
	}
	registered := make([]RegisteredAsset, len(rows))
	for i, row := range rows {
		registered[i] = RegisteredAsset{Ledger: row.Ledger, Scale: uint8(row.UserData32)}
		if entry := b.assets[row.Ledger]; row.ID == entry.ids.Liquidity {
			registered[i].Asset = entry.asset
		}
	}
	return registered, nil
}

// CheckAssets compares the assets of the Book with what the ledger holds, and writes
// nothing. What is not there yet is no difference. The error is a *DriftError (ErrDrift)
// that lists all of these, or that of a request:
//
//   - an account of ours with another scale, asset code, kind or flags;
//   - an asset code that the ledger has under another ledger number: with the number
//     changed, the books of the asset would be split in two;
//   - a ledger number that another namespace uses with another scale: one ledger number is
//     one asset.
func (b *Book) CheckAssets(ctx context.Context) error {
	drifts, err := b.movedAssets(ctx)
	if err != nil {
		return fmt.Errorf("check assets: %w", err)
	}
	all := b.assetAccounts()
	ids := make([]ledger.ID, len(all))
	for i, w := range all {
		ids[i] = w.record.ID
	}
	found, err := b.lookupIDs(ctx, ids, 1)
	if err != nil {
		return fmt.Errorf("check assets: %w", err)
	}
	for _, w := range all {
		if got, there := found[w.record.ID]; there {
			drifts = append(drifts, compare(w, &got)...)
		}
	}
	for i, a := range b.Assets() {
		shared, err := b.sharedNumber(ctx, a)
		if err != nil {
			return fmt.Errorf("check assets: %w", err)
		}
		drifts = append(drifts, shared...)
		b.report("check assets", i+1, len(b.assets))
	}
	if len(drifts) > 0 {
		return &DriftError{Drifts: drifts}
	}
	return nil
}

// movedAssets finds the assets whose code is registered under a ledger number that the
// Book does not have for it.
func (b *Book) movedAssets(ctx context.Context) ([]Drift, error) {
	var drifts []Drift
	for _, a := range b.Assets() {
		entry := b.assets[a.Ledger]
		rows, err := b.liquidityAccounts(ctx, ledger.QueryFilter{UserData64: entry.tag})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if other, known := b.assets[row.Ledger]; known && other.tag == entry.tag {
				continue
			}
			drifts = append(drifts, Drift{
				Account: Account{id: entry.ids.Liquidity, ledger: a.Ledger}, Kind: "liquidity", Field: "ledger",
				Want: fmt.Sprint(a.Ledger), Got: fmt.Sprintf("%d for %s", row.Ledger, a.Code),
			})
		}
	}
	return drifts, nil
}

// sharedNumber finds other namespaces that use an asset's ledger number with another scale.
func (b *Book) sharedNumber(ctx context.Context, a Asset) ([]Drift, error) {
	rows, err := b.liquidityAccounts(ctx, ledger.QueryFilter{Ledger: a.Ledger})
	if err != nil {
		return nil, err
	}
	own := b.assets[a.Ledger].ids.Liquidity
	for _, row := range rows {
		if row.ID != own && row.UserData32 != uint32(a.Scale) {
			return []Drift{{
				Account: Account{id: own, ledger: a.Ledger}, Kind: "another namespace's liquidity", Field: "scale",
				Want: fmt.Sprint(a.Scale), Got: fmt.Sprint(row.UserData32),
			}}, nil
		}
	}
	return nil, nil
}

// liquidityAccounts are those that a filter selects, by time.
func (b *Book) liquidityAccounts(ctx context.Context, filter ledger.QueryFilter) ([]ledger.Account, error) {
	filter.Code, filter.Limit = chart.CodeLiquidity, ledger.QueryMax
	var all []ledger.Account
	for {
		page, err := b.ledger.QueryAccounts(ctx, filter)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < ledger.QueryMax {
			return all, nil
		}
		filter.TimestampMin = page[len(page)-1].Timestamp + 1
	}
}

// checkMoved refuses to provision an asset under a number that is not the ledger's for it.
func (b *Book) checkMoved(ctx context.Context) error {
	drifts, err := b.movedAssets(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("check assets: %w", err)
	case len(drifts) > 0:
		return fmt.Errorf("nothing was provisioned: %w", &DriftError{Drifts: drifts})
	default:
		return nil
	}
}
