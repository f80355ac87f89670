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
	// Key is the sender's name for the payment: the same in every report of the payment, and unique among the
	// payments of the account. It must not be empty or have white space around it ([accounts.CheckKey]).
	Key    string
	Amount ledger.Amount // units
}

// OutgoingPayment is a payment of ours to a peer without an order: made by hand, or by another system.
type OutgoingPayment struct {
	Account accounts.PeerAccount
	// Key names the payment, as in [IncomingPayment]. Keys of incoming and outgoing payments are separate.
	Key    string
	Amount ledger.Amount // units
	// BeyondHeadroom books the payment whatever the peer's headroom: the amount beyond it becomes arrears.
	// Default false: a payment beyond the headroom is refused.
	BeyondHeadroom bool
}

// RecordIncoming books a payment of a peer. The payment pays down the peer's debt, and the rest is prepaid.
// RecordIncoming may be called any number of times for one payment, from any process, and books it once; keys
// never expire. A payment of a peer whose account is closed is booked into suspense, and [Engine.Release] gives
// it back.
//
// If the payment was announced under the key ([Engine.Announce]), the announcement ends in the same moment. The
// Amount is the amount received, and may differ from the announced one. A payment that [Engine.Fail] ended is
// booked as well.
//
// The errors are *[BookingError]: [accounts.ErrKeyReused], [accounts.ErrKeyBurnt], [accounts.ErrNotProvisioned],
// [accounts.ErrUnknownAsset], [accounts.ErrInvalid], [accounts.ErrPeerClosed] if suspense is closed too, or the
// error of a request. After [ledger.ErrOutcomeUnknown] the payment may or may not be booked: call again.
// [ErrEngineClosed] is returned after [Engine.Close].
func (e *Engine) RecordIncoming(ctx context.Context, in IncomingPayment) (PaymentBooking, error) {
	return e.tracePayment(ctx, PaymentUnits, in.Account, in.Key, func(ctx context.Context) (PaymentBooking, error) {
		return e.recordPayment(ctx, in.Account, in.Key, in.Amount, func() (PaymentBooking, error) {
			b, err := e.book.LookUpBalances(ctx, in.Account)
			if err != nil {
				return PaymentBooking{}, err // without this look-up the ledger would refuse, and burn an id
			}
			return e.bookIncoming(ctx, in, b[0].Closed)
		})
	})
}

// bookIncoming books a payment: alone, or in one chain with the void of its announcement. In the chain the payment
// has a later attempt of the key. If the announcement has ended before, the payment is booked alone again.
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

// announcementEnded reports whether the ledger refused the void of an announcement because it was void already.
func announcementEnded(err error) bool {
	var refused *ledger.TransferError
	return errors.As(err, &refused) && refused.Status == ledger.TransferPendingTransferAlreadyVoided
}

// RecordOutgoing books a payment to a peer without an order. It books a payment once, as [Engine.RecordIncoming]
// does.
//
// RecordOutgoing waits while this Engine pays an order of the account, so that the order and the payment are
// booked in turn. It does not wait for other engines: if two pay, the peer owes the amount beyond its
// earnings. If the payment needs reserved headroom ([Engine.UseReservations]), RecordOutgoing waits for it up to 2 s.
//
// RecordOutgoing returns the errors of RecordIncoming, and unless BeyondHeadroom is set two more *[BookingError]s,
// which book nothing and leave the key free: [accounts.ErrNotCovered] if the peer's headroom is less than the
// amount, [accounts.ErrPeerClosed] if the account is closed.
func (e *Engine) RecordOutgoing(ctx context.Context, out OutgoingPayment) (PaymentBooking, error) {
	return e.recordPayment(ctx, out.Account, out.Key, out.Amount, func() (PaymentBooking, error) {
		return e.bookInTurn(ctx, out.Account, func() (PaymentBooking, error) {
			release, err := e.freeReserved(ctx, out.Account, out.Amount)
			if err != nil {
				return PaymentBooking{}, err
			}
			defer release()
			debit := ledger.Transfer{Amount: out.Amount, UserData128: e.paymentTag(out.Account, out.Key), Code: chart.CodeOutgoing}
			return e.bookDebit(ctx, e.bookingName(idempotent.KindOutgoing, out.Account, out.Key), out.Account, debit, func(ctx context.Context) error {
				return e.checkHeadroom(ctx, out)
			})
		})
	})
}

// checkHeadroom refuses a payment that the peer's headroom does not cover.
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

// recordPayment checks a payment, books it, and wraps the error.
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
		e.tracker.removeAccount(a) // bookInTurn has added it
	}
	if err != nil {
		return PaymentBooking{}, e.newBookingError(a, key, amount, err)
	}
	e.Enqueue([]accounts.PeerAccount{a})
	return booked, nil
}

// bookInTurn books in the account's turn, so that a debit of the peer does not come between the steps of an order.
// Credits need not wait, since they never make an order too large.
func (e *Engine) bookInTurn(ctx context.Context, a accounts.PeerAccount, book func() (PaymentBooking, error)) (PaymentBooking, error) {
	visit, err := e.waitForVisit(ctx, a)
	if err != nil {
		return PaymentBooking{}, err
	}
	defer func() {
		e.tracker.endVisit(visit)
		e.wakeLoop() // the loop skips an account in its turn
	}()
	return book()
}
