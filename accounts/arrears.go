package accounts

import (
	"context"
	"time"

	"github.com/peerledger/peerledger/internal/collect"
)

// collectArrears charges a peer's account for its arrears as far as it has headroom, and
// looks at the balance again. It does nothing for a peer that owes no arrears, or cannot be
// charged.
func (b *Book) collectArrears(ctx context.Context, balance Balance) (Balance, error) {
	if !balance.Collectable() {
		return balance, nil
	}
	a, ids := balance.Account, b.PeerIDs(balance.Account)
	err := collect.Book(ctx, b.ledger, time.Now(), collect.Peer{Name: a, Peer: ids.Peer, Arrears: ids.Arrears, Ledger: a.ledger})
	if err != nil {
		return balance, err
	}
	return b.lookUpBalance(ctx, a)
}

// EnsureArrears makes sure that the ledger has the arrears accounts of peers, which a
// version before arrears did not provision. A transfer that debits an account which is not
// there burns its id, so whoever books on arrears calls it first. One request creates
// some 8,000 accounts; those that are there stay as they are.
//
// Errors: ErrUnknownAsset, *DriftError if the ledger has one with other fields, or that of a
// request.
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
