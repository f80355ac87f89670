package settlement

import (
	"context"

	"github.com/peerledger/peerledger/accounts"
)

// Refund asks that a peer's prepayment be paid back: the next order to the peer is for it, and
// for what packets earned, whatever the policy says. It does not wait for the order: Check
// places it at once, the loop in its next round. This Engine remembers it until a Settler is
// called for such an order, or packets have used the prepayment; after a restart it must be
// asked again.
//
// Errors are *OrderErrors: ErrNoPrepayment, accounts.ErrPeerClosed, ErrNoRail if nobody pays the
// peer, accounts.ErrNotProvisioned, accounts.ErrUnknownAsset, accounts.ErrInvalid, or the error
// of a request. ErrEngineClosed after Close.
func (e *Engine) Refund(ctx context.Context, account accounts.PeerAccount) error {
	if !e.acquireCall() {
		return ErrEngineClosed
	}
	defer e.wg.Done()
	if err := e.checkRefund(ctx, account); err != nil {
		return &OrderError{Account: account, Err: err}
	}
	e.tracker.setRefundWanted(account, true)
	e.Enqueue([]accounts.PeerAccount{account})
	return nil
}

func (e *Engine) checkRefund(ctx context.Context, a accounts.PeerAccount) error {
	if err := e.checkPeer("refund", a); err != nil {
		return err
	}
	b, err := e.book.Balance(ctx, a)
	switch {
	case err != nil:
		return err
	case b.Closed:
		return accounts.ErrPeerClosed
	case b.Prepaid.IsZero():
		return ErrNoPrepayment
	case e.railOf(a) == nil:
		return ErrNoRail
	default:
		return nil
	}
}
