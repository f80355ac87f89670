package settlement

import (
	"context"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/collect"
)

// collectArrears charges the arrears of all peers that allow it to their accounts, as far as these
// have headroom. Nothing is taken twice, whoever else collects at the same moment.
func (e *Engine) collectArrears(ctx context.Context, balances []accounts.Balance) error {
	var peers []collect.Peer
	for _, b := range balances {
		if b.Collectable() {
			ids := e.book.PeerIDs(b.Account)
			peers = append(peers, collect.Peer{Name: b.Account, Peer: ids.Peer, Arrears: ids.Arrears, Ledger: b.Account.Ledger()})
		}
	}
	if len(peers) == 0 {
		return nil
	}
	return collect.Book(ctx, e.ledger, e.cfg.Clock(), peers...)
}

// checkPrefundLine is an error if a policy wants to pay ahead of what packets earn, and the peer
// has no credit line for it.
func checkPrefundLine(b accounts.Balance, d PaymentRequest) error {
	if d.Prefunding.IsZero() || d.Amount.IsZero() || !b.CreditLine.IsZero() || b.Closed {
		return nil
	}
	return &PrefundError{Account: b.Account, Asset: b.Asset, Ahead: d.Prefunding}
}
