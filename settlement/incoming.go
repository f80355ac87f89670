package settlement

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
)

// IncomingPayment is a payment of a peer to us, as a settlement rail reports it.
type IncomingPayment struct {
	Account accounts.PeerAccount
	// Key is the sender's name for the payment, not empty and without white space around it
	// (accounts.CheckKey): the same in every report of it, and another for every other payment
	// of the account.
	Key    string
	Amount ledger.Amount // units
}

// OutgoingPayment is a payment of ours to a peer that no order asked for: made by hand,
// or by another system.
type OutgoingPayment struct {
	Account accounts.PeerAccount
	// Key names the payment, as in Incoming. Keys of incoming
	// payments and of outgoing ones do not meet.
	Key    string
	Amount ledger.Amount // units
	// BeyondHeadroom says that the money is gone, whatever the peer has: what its account
	// does not cover is booked as arrears. Default false: such a payment is refused.
	BeyondHeadroom bool
}

// RecordIncoming books what a peer paid: it pays down what the peer owes, and the rest
// is shown as prepaid. It may be called any number of times for one payment, from
// any process, and books it once; there is no time after which a key is
// forgotten. The money of a peer whose account is closed is booked into suspense, and Release
// gives it back.
//
// If the payment was announced under the key (Announce), the announcement ends in the same
// moment. The Amount is what came, and may be another one than was announced. A payment that
// was said to have failed is booked as well.
//
// Errors are *BookingErrors: accounts.ErrKeyReused, accounts.ErrKeySpent, accounts.ErrNotProvisioned,
// accounts.ErrUnknownAsset, accounts.ErrInvalid, accounts.ErrPeerClosed if suspense is
// closed too, or the error of a request. After ledger.ErrOutcomeUnknown it may be
// booked or not: call again. ErrEngineClosed after Close.
func (e *Engine) RecordIncoming(ctx context.Context, in IncomingPayment) (PaymentBooking, error) {
	return e.recordPayment(ctx, in.Account, in.Key, in.Amount, func() (PaymentBooking, error) {
		b, err := e.book.LookUpBalances(ctx, in.Account)
		if err != nil {
			return PaymentBooking{}, err // the ledger's refusal would burn an id
		}
		return e.bookIncoming(ctx, in, b[0].Closed)
	})
}

// bookIncoming books a payment alone, or if it was announced, in a chain that ends the announcement;
// the payment then has a later attempt of the key. An announcement that has ended before leaves
// the payment alone again.
func (e *Engine) bookIncoming(ctx context.Context, in IncomingPayment, closed bool) (PaymentBooking, error) {
	ids := e.book.PeerIDs(in.Account)
	assetIDs, _ := e.book.AssetIDs(in.Account.Ledger())
	row := ledger.Transfer{
		DebitAccountID: ids.Settlement, CreditAccountID: ids.Peer, Amount: in.Amount,
		UserData128: e.paymentTag(in.Account, in.Key), Ledger: in.Account.Ledger(), Code: chart.CodeIncoming,
	}
	request := creditRequest{idOf: e.paymentName(in.Account, in.Key).ID, suspenseID: assetIDs.Suspense, peerClosed: closed}
	booked, stored, err := e.tryCredit(ctx, row, request)
	if errors.Is(err, idempotent.ErrConflict) && e.isAnnouncementOf(in.Account, &stored.Rows[0]) {
		announced := stored.Rows[0]
		request.firstAttempt = stored.Attempt + 1
		request.linkedRow = func(id ledger.ID) ledger.Transfer { return e.receivedVoidRow(&announced, id) }
		booked, stored, err = e.tryCredit(ctx, row, request)
		if announcementEnded(err) {
			request.linkedRow = nil
			booked, stored, err = e.tryCredit(ctx, row, request)
		}
		booked.Announced = announced.Amount
	}
	if err != nil {
		return PaymentBooking{}, e.mapBookingError(stored, err)
	}
	return booked, nil
}

// announcementEnded reports whether the ledger refused to end an announcement because it has ended.
func announcementEnded(err error) bool {
	var refused *ledger.TransferError
	return errors.As(err, &refused) && refused.Status == ledger.TransferPendingTransferAlreadyVoided
}

// RecordOutgoing books what was paid to a peer without an order. It books one payment
// once, as Receive does.
//
// It waits for an order of the account that is being paid by this Engine, so that
// what one of them pays is seen by the other. Other engines are not waited for. What both pay
// together beyond what packets earned is owed by the peer.
//
// The errors are those of Receive, and two more *BookingErrors that book nothing
// and leave the key free for another call, unless BeyondHeadroom is set: accounts.ErrNotCovered if the
// peer account has less than the amount, accounts.ErrPeerClosed if it is closed.
func (e *Engine) RecordOutgoing(ctx context.Context, out OutgoingPayment) (PaymentBooking, error) {
	return e.recordPayment(ctx, out.Account, out.Key, out.Amount, func() (PaymentBooking, error) {
		return e.bookInTurn(ctx, out.Account, func() (PaymentBooking, error) {
			debit := ledger.Transfer{Amount: out.Amount, UserData128: e.paymentTag(out.Account, out.Key), Code: chart.CodeOutgoing}
			return e.bookDebit(ctx, e.bookingName("out", out.Account, out.Key), out.Account, debit, func(ctx context.Context) error {
				return e.checkHeadroom(ctx, out)
			})
		})
	})
}

// checkHeadroom refuses a payment that the peer account does not cover.
func (e *Engine) checkHeadroom(ctx context.Context, out OutgoingPayment) error {
	if out.BeyondHeadroom {
		return nil
	}
	b, err := e.book.LookUpBalances(ctx, out.Account)
	switch {
	case err != nil:
		return err
	case b[0].Closed:
		return accounts.ErrPeerClosed
	case b[0].Headroom.SubFloor(b[0].Arrears).Less(out.Amount):
		return fmt.Errorf("%w: it has %s", accounts.ErrNotCovered, b[0].Asset.Text(b[0].Headroom.SubFloor(b[0].Arrears)))
	default:
		return nil
	}
}

// recordPayment books something about a payment of a peer.
func (e *Engine) recordPayment(
	ctx context.Context, a accounts.PeerAccount, key string, amount ledger.Amount, book func() (PaymentBooking, error),
) (PaymentBooking, error) {
	if !e.acquireCall() {
		return PaymentBooking{}, ErrEngineClosed
	}
	defer e.wg.Done()
	err := e.checkPayment(a, key, amount)
	var booked PaymentBooking
	if err == nil {
		booked, err = book()
	}
	if isUnknownAccount(err) {
		e.tracker.removeAccount(a) // its turn has made it known
	}
	if err != nil {
		asset, _ := e.book.Asset(a.Ledger())
		return PaymentBooking{}, &BookingError{Account: a, Asset: asset, Key: key, Amount: amount, Err: err}
	}
	e.Enqueue([]accounts.PeerAccount{a})
	return booked, nil
}

// bookInTurn books something in its account's turn: what is taken from a peer does not come
// between the steps of an order. What comes in need not wait, since it never makes an order too
// large.
func (e *Engine) bookInTurn(ctx context.Context, a accounts.PeerAccount, book func() (PaymentBooking, error)) (PaymentBooking, error) {
	visit, err := e.waitForVisit(ctx, a)
	if err != nil {
		return PaymentBooking{}, err
	}
	defer func() {
		e.tracker.endVisit(visit)
		e.wakeLoop() // it passes over an account that somebody is at
	}()
	return book()
}
