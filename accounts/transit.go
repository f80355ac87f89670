package accounts

import (
	"context"

	"github.com/peerledger/peerledger/internal/chart"
)

// EnsureTransit creates our own accounts in all assets, with the transit accounts. Existing
// accounts stay unchanged. Rounds of packets cross a transit account; books without rounds have
// none.
//
// Errors: *[DriftError] if an account has unexpected fields, or the error of a request.
func (b *Book) EnsureTransit(ctx context.Context) error {
	expected := b.assetAccounts()
	for _, a := range b.Assets() {
		entry := b.assets[a.Ledger]
		expected = append(expected, expectedAccount{
			kind: transitKind, owner: PeerAccount{id: entry.ids.Liquidity, ledger: a.Ledger},
			record: b.newRecord(entry.ids.Transit, a, chart.CodeTransit, chart.TransitFlags),
		})
	}
	_, drifts, err := b.createAccounts(ctx, expected)
	if err == nil && len(drifts) > 0 {
		err = &DriftError{Drifts: drifts}
	}
	return err
}
