package settlement

import (
	"context"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/collect"
)

// collectArrears charges the arrears of peers to their accounts, as far as each account has headroom.
// No amount is collected twice, even if other processes collect at the same moment.
func (e *Engine) collectArrears(ctx context.Context, balances []accounts.Balance) error {
	var peers []collect.Peer
	for i := range balances {
		if b := &balances[i]; b.Collectable() {
			ids := e.book.PeerIDs(b.Account)
			peers = append(peers, collect.Peer{Name: b.Account, Peer: ids.Peer, Arrears: ids.Arrears, Ledger: b.Account.Ledger()})
		}
	}
	if len(peers) == 0 {
		return nil
	}
	return collect.Book(ctx, e.ledger, e.cfg.Clock(), peers...)
}

// checkPrefundLine returns a [*PrefundError] if a policy wants to pay ahead of earnings, and the peer
// has no credit line for that.
func checkPrefundLine(b accounts.Balance, request PaymentRequest) error {
	if request.Prefunding.IsZero() || request.Amount.IsZero() || !b.CreditLine.IsZero() || b.Closed {
		return nil
	}
	return &PrefundError{Account: b.Account, Asset: b.Asset, Prefunding: request.Prefunding}
}
