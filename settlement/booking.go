package settlement

import (
	"context"
	"errors"
	"fmt"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
)

// PaymentBooking is a booked payment.
type PaymentBooking struct {
	accounts.Booking
	// InSuspense says that the peer's account was closed, and that the money is
	// kept in our suspense account.
	InSuspense bool
	// Announced is what Announce had told of the payment, in units; 0 if it had told nothing. The
	// Amount is what is booked.
	Announced ledger.Amount
}

// paymentTag is what all rows about a payment carry in user_data_128.
func (e *Engine) paymentTag(a accounts.PeerAccount, key string) uint128.Uint128 {
	return uint128.Uint128(e.ns.Derive("key", chart.ID(e.book.PeerIDs(a).Settlement), []byte(key)))
}

// bookingName is what a payment is known by in the ledger. Kinds of different payments do not meet.
func (e *Engine) bookingName(kind string, a accounts.PeerAccount, key string) idempotent.Name {
	return idempotent.Name{Namespace: e.ns, Kind: kind, Account: e.book.PeerIDs(a).Settlement, Key: key}
}

// bookDebit books what a payment takes from a peer: it is charged to the arrears, and the peer
// account pays at once what it can. So nothing refuses it. may refuses it before it is booked
// for the first time.
func (e *Engine) bookDebit(
	ctx context.Context, name idempotent.Name, a accounts.PeerAccount, debit ledger.Transfer, check func(context.Context) error,
) (PaymentBooking, error) {
	b, err := e.book.LookUpBalances(ctx, a) // the ledger's refusal would burn an id
	if err == nil && !b[0].HasArrearsAccount() {
		err = e.book.EnsureArrears(ctx, a)
	}
	if err != nil {
		return PaymentBooking{}, err
	}
	ids := e.book.PeerIDs(a)
	debit.DebitAccountID, debit.CreditAccountID, debit.Ledger = ids.Arrears, ids.Settlement, a.Ledger()
	request := name.Debit(debit, chart.Collect(ids.Peer, ids.Arrears, a.Ledger()))
	request.May = check
	stored, err := request.Book(ctx, e.ledger)
	if err != nil {
		return PaymentBooking{}, e.mapBookingError(stored, err)
	}
	return PaymentBooking{Booking: accounts.Booking{
		Transfer: name.ID(stored.Attempt), Amount: debit.Amount, BookedAt: timeOf(stored.Timestamp), AlreadyBooked: stored.AlreadyBooked,
	}}, nil
}

// creditRequest says under which ids something is booked that no limit refuses.
type creditRequest struct {
	idOf         func(attempt uint64) ledger.ID
	firstAttempt uint64                                  // the attempt to begin with
	linkedRow    func(booking ledger.ID) ledger.Transfer // is booked in one chain with it; may be nil
	suspenseID   ledger.ID                               // takes the credit if the account is closed; zero: nobody
	peerClosed   bool                                    // a look-up says so of the account: it is not asked first
	check        func(context.Context) error             // refuses it before it is booked for the first time; may be nil
}

// bookCredit books what a payment gives to a peer, or to suspense if the peer's account is
// closed.
func (e *Engine) bookCredit(ctx context.Context, row ledger.Transfer, c creditRequest) (PaymentBooking, error) {
	booked, stored, err := e.tryCredit(ctx, row, c)
	if err != nil {
		return PaymentBooking{}, e.mapBookingError(stored, err)
	}
	return booked, nil
}

// tryCredit is bookCredit with the error of package keyed. With idempotent.ErrConflict it returns
// what is booked.
func (e *Engine) tryCredit(ctx context.Context, row ledger.Transfer, c creditRequest) (PaymentBooking, idempotent.Booking, error) {
	request := idempotent.Request{First: c.firstAttempt, May: c.check, Build: func(attempt uint64) []ledger.Transfer {
		row.ID = c.idOf(attempt)
		if c.linkedRow == nil {
			return []ledger.Transfer{row}
		}
		return []ledger.Transfer{row, c.linkedRow(row.ID)}
	}}
	toSuspense := c.peerClosed && !c.suspenseID.IsZero()
	if toSuspense { // each refusal by the ledger burns an id
		row.CreditAccountID = c.suspenseID
	}
	stored, err := request.Book(ctx, e.ledger)
	if isCreditClosed(err) && !toSuspense && !c.suspenseID.IsZero() { // it was closed since the look-up
		row.CreditAccountID = c.suspenseID
		stored, err = request.Book(ctx, e.ledger)
	}
	if err != nil {
		return PaymentBooking{}, stored, err
	}
	row.Timestamp = stored.Timestamp
	if stored.AlreadyBooked {
		row = stored.Rows[0] // its other account may be another one than is asked for now
	}
	return PaymentBooking{
		Booking: accounts.Booking{
			Transfer: row.ID, Amount: row.Amount, BookedAt: timeOf(row.Timestamp), AlreadyBooked: stored.AlreadyBooked,
		},
		InSuspense: row.CreditAccountID == c.suspenseID && !c.suspenseID.IsZero(),
	}, stored, nil
}

// mapBookingError names what keeps a payment from being booked.
func (e *Engine) mapBookingError(stored idempotent.Booking, err error) error {
	var refused *ledger.TransferError
	switch {
	case errors.Is(err, idempotent.ErrConflict):
		return e.keyReusedError(stored.Own())
	case errors.Is(err, idempotent.ErrSpent):
		return accounts.ErrKeySpent
	case errors.As(err, &refused):
		return refusalError(refused)
	default:
		return err
	}
}

// keyReusedError says what is booked under a key.
func (e *Engine) keyReusedError(row ledger.Transfer) error {
	asset, _ := e.book.Asset(row.Ledger)
	return fmt.Errorf("%w: %s", accounts.ErrKeyReused, asset.DescribeBooking(row))
}

// isCreditClosed reports whether the ledger refused a transfer because the account that it
// credits is closed.
func isCreditClosed(err error) bool {
	var refused *ledger.TransferError
	return errors.As(err, &refused) && refused.Status == ledger.TransferCreditAccountAlreadyClosed
}

// refusalError names what the ledger's refusal of a payment means.
func refusalError(err *ledger.TransferError) error {
	switch err.Status { //nolint:exhaustive // the others have no name of their own
	case ledger.TransferDebitAccountNotFound, ledger.TransferCreditAccountNotFound:
		return fmt.Errorf("%w: %w", accounts.ErrNotProvisioned, err)
	case ledger.TransferDebitAccountAlreadyClosed, ledger.TransferCreditAccountAlreadyClosed:
		return fmt.Errorf("%w: %w", accounts.ErrPeerClosed, err)
	default:
		return err
	}
}

// checkPayment refuses what cannot be booked, before anything is sent.
func (e *Engine) checkPayment(account accounts.PeerAccount, key string, amount ledger.Amount) error {
	if err := e.checkPeer("payment", account); err != nil {
		return err
	}
	switch {
	case amount.IsZero():
		return &accounts.FieldError{Subject: "payment", Field: "Amount", Reason: "must not be 0"}
	case chart.MaxByKey.Less(amount):
		asset, _ := e.book.Asset(account.Ledger())
		return &accounts.FieldError{
			Subject: "payment", Field: "Amount",
			Reason: fmt.Sprintf("must not be beyond 2^127 units, %s", asset.Text(chart.MaxByKey)),
		}
	default:
		return accounts.CheckKey("payment", "Key", key)
	}
}

// checkPeer refuses what is no peer's handle.
func (e *Engine) checkPeer(subject string, account accounts.PeerAccount) error {
	_, known := e.book.Asset(account.Ledger())
	switch {
	case account.IsZero() || account.IsOwn():
		return &accounts.FieldError{Subject: subject, Field: "Account", Reason: "must be a peer's"}
	case !known:
		return fmt.Errorf("%w: %v", accounts.ErrUnknownAsset, account)
	default:
		return nil
	}
}
