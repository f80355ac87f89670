package accounts

import (
	"context"
	"time"

	"github.com/peerledger/peerledger/internal/collect"
)

// collectArrears charges a peer's account for its arrears, as far as the headroom goes, and
// returns the new balance. It does nothing without arrears, without headroom, or for a closed
// peer.
func (b *Book) collectArrears(ctx context.Context, balance Balance) (Balance, error) {
	if !balance.Collectable() {
		return balance, nil
	}
	a, ids := balance.Account, b.PeerIDs(balance.Account)
	err := collect.Book(ctx, b.ledger, time.Now(), collect.Peer{Name: a, Peer: ids.Peer, Arrears: ids.Arrears, Ledger: a.ledger})
	if err != nil {
		return balance, err
	}
	return b.LookUpBalance(ctx, a)
}

// EnsureArrears creates the arrears accounts of peers provisioned by a version before arrears.
// Existing accounts stay unchanged. Call it before booking on arrears: a transfer that debits a
// missing account burns its id. One request creates some 8,000 accounts.
//
// Errors: [ErrUnknownAsset], *[DriftError] if an arrears account has unexpected fields, or the
// error of a request.
func (b *Book) EnsureArrears(ctx context.Context, accounts ...PeerAccount) error {
	expected := make([]expectedAccount, len(accounts))
	for i, a := range accounts {
		if err := b.checkPeer(a); err != nil {
			return err
		}
		records := b.peerAccounts(PeerConfig{ID: a.peer, Asset: b.assets[a.ledger].asset}, a)
		expected[i] = records[accountsPerPeer-1]
	}
	_, drifts, err := b.createAccounts(ctx, expected)
	if err == nil && len(drifts) > 0 {
		err = &DriftError{Drifts: drifts}
	}
	return err
}
