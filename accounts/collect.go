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
