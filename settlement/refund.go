package settlement

import (
	"context"

	"github.com/peerledger/peerledger/accounts"
)

// Refund asks for a peer's prepayment to be paid back: the next order to the peer is for the prepayment and
// the unpaid earnings, whatever the policy decides. Refund does not wait for the order: [Engine.Settle] places the
// order at once, the loop at its next look-up of balances. This Engine remembers the request until a [Settler] is called for the order, or
// packets have used the prepayment. After a restart Refund must be called again.
//
// The errors are *[OrderError]: [ErrNoPrepayment], [accounts.ErrPeerClosed], [ErrNoRail] if the peer has no rail,
// [accounts.ErrNotProvisioned], [accounts.ErrUnknownAsset], [accounts.ErrInvalid], or the error of a request.
// [ErrEngineClosed] is returned after [Engine.Close].
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
