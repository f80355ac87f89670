package accounts

import (
	"context"
	"fmt"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// RegisteredAsset is an asset with accounts in the ledger.
type RegisteredAsset struct {
	Ledger uint32
	Scale  uint8
	// Asset is the asset of the Book. It is zero for an asset of a foreign namespace, and for an
	// asset left out of the configuration.
	Asset Asset
}

// RegisteredAssets returns the assets with liquidity accounts in the ledger, of all namespaces,
// in the order of their creation. The error is of a request.
func (b *Book) RegisteredAssets(ctx context.Context) ([]RegisteredAsset, error) {
	rows, err := b.liquidityAccounts(ctx)
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

// CheckAssets compares the assets of the Book with the ledger, and writes nothing. A missing
// account is no difference. The error is of a request, or a *[DriftError] ([ErrDrift]) that lists
// all of these:
//
//   - an account of ours with a different scale, asset code, kind or flags;
//   - an asset code registered under a different ledger number: with the number changed, the books
//     of the asset would be split in two;
//   - a ledger number used by a foreign namespace with a different scale: one ledger number is one
//     asset.
func (b *Book) CheckAssets(ctx context.Context) error {
	rows, err := b.liquidityAccounts(ctx)
	if err != nil {
		return fmt.Errorf("check assets: %w", err)
	}
	own, err := b.findDrift(ctx, b.assetAccounts())
	if err != nil {
		return fmt.Errorf("check assets: %w", err)
	}
	drifts := append(b.findMovedAssets(rows), own...)
	for i, a := range b.Assets() {
		drifts = append(drifts, b.findSharedNumber(rows, a)...)
		b.reportProgress("check assets", i+1, len(b.assets))
	}
	if len(drifts) > 0 {
		return &DriftError{Drifts: drifts}
	}
	return nil
}

// findMovedAssets finds, among all liquidity accounts, our asset codes under ledger numbers that
// the Book does not have for the code.
func (b *Book) findMovedAssets(rows []ledger.Account) (drifts []Drift) {
	for _, a := range b.Assets() {
		entry := b.assets[a.Ledger]
		for _, row := range rows {
			if row.UserData64 != entry.tag {
				continue
			}
			if other, known := b.assets[row.Ledger]; known && other.tag == entry.tag {
				continue
			}
			drifts = append(drifts, Drift{
				Account: PeerAccount{id: entry.ids.Liquidity, ledger: a.Ledger}, AccountKind: "liquidity", Field: "ledger",
				Want: fmt.Sprint(a.Ledger), Got: fmt.Sprintf("%d for %s", row.Ledger, a.Code),
			})
		}
	}
	return drifts
}

// findSharedNumber finds, among all liquidity accounts, a foreign namespace that uses an asset's
// ledger number with a different scale.
func (b *Book) findSharedNumber(rows []ledger.Account, a Asset) []Drift {
	own := b.assets[a.Ledger].ids.Liquidity
	for _, row := range rows {
		if row.Ledger == a.Ledger && row.ID != own && row.UserData32 != uint32(a.Scale) {
			return []Drift{{
				Account: PeerAccount{id: own, ledger: a.Ledger}, AccountKind: "another namespace's liquidity", Field: "scale",
				Want: fmt.Sprint(a.Scale), Got: fmt.Sprint(row.UserData32),
			}}
		}
	}
	return nil
}

// hasOtherAssets reports whether one of our liquidity accounts, among all in the ledger, differs
// from the Book's asset, or has a ledger number unknown to the Book.
func (b *Book) hasOtherAssets(rows []ledger.Account) bool {
	for _, row := range rows {
		entry := b.assets[row.Ledger]
		if row.ID == entry.ids.Liquidity && (row.UserData64 != entry.tag || row.UserData32 != uint32(entry.asset.Scale)) {
			return true
		}
	}
	return len(b.findMovedAssets(rows)) > 0
}

// liquidityAccounts reads the liquidity accounts of all assets and namespaces, by time.
func (b *Book) liquidityAccounts(ctx context.Context) ([]ledger.Account, error) {
	filter := ledger.QueryFilter{Code: chart.CodeLiquidity, Limit: ledger.QueryMax}
	var rows []ledger.Account
	for {
		page, err := b.ledger.QueryAccounts(ctx, filter)
		if err != nil {
			return nil, err
		}
		rows = append(rows, page...)
		if len(page) < ledger.QueryMax {
			return rows, nil
		}
		filter.TimestampMin = page[len(page)-1].Timestamp + 1
	}
}
