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
	// InSuspense is true if the peer's account was closed: the money is in our suspense account.
	InSuspense bool
	// Announced is the amount of the payment's announcement, in units; 0 without one. Amount is the booked
	// amount.
	Announced ledger.Amount
}

// paymentTag is the user_data_128 of all rows about a payment.
func (e *Engine) paymentTag(a accounts.PeerAccount, key string) uint128.Uint128 {
	return uint128.Uint128(e.paymentTagOf(e.book.PeerIDs(a).Settlement, key))
}

func (e *Engine) paymentTagOf(settlementAccount ledger.ID, key string) ledger.ID {
	return e.ns.Derive("key", chart.ID(settlementAccount), []byte(key))
}

// bookingName is the name of a payment in the ledger. Names of different kinds never collide.
func (e *Engine) bookingName(kind string, a accounts.PeerAccount, key string) idempotent.Name {
	return idempotent.Name{Namespace: e.ns, Kind: kind, Account: e.book.PeerIDs(a).Settlement, Key: key}
}

// bookDebit charges a payment to the peer's arrears, and the peer account pays the arrears at once as far as it
// can. So the ledger refuses no debit for its amount. check may refuse it before the first booking.
func (e *Engine) bookDebit(
	ctx context.Context, name idempotent.Name, a accounts.PeerAccount, debit ledger.Transfer, check func(context.Context) error,
) (PaymentBooking, error) {
	b, err := e.book.LookUpBalances(ctx, a) // without this look-up the ledger would refuse, and burn an id
	if err == nil && !b[0].HasArrearsAccount() {
		err = e.book.EnsureArrears(ctx, a)
	}
	if err != nil {
		return PaymentBooking{}, err
	}
	ids := e.book.PeerIDs(a)
	debit.DebitAccountID, debit.CreditAccountID, debit.Ledger = ids.Arrears, ids.Settlement, a.Ledger()
	request := name.Debit(debit, chart.Collect(ids.Peer, ids.Arrears, a.Ledger()))
	request.Precheck = check
	stored, err := request.Book(ctx, e.ledger)
	if err != nil {
		return PaymentBooking{}, e.mapBookingError(stored, err)
	}
	return PaymentBooking{Booking: accounts.Booking{
		Transfer: name.ID(stored.Attempt), Amount: debit.Amount, BookedAt: timeOf(stored.Timestamp), AlreadyBooked: stored.AlreadyBooked,
	}}, nil
}

// creditRequest is the request for a credit that no limit refuses.
type creditRequest struct {
	idOf         func(attempt uint64) ledger.ID
	firstAttempt uint64                                  // the first attempt of the key to use
	linkedRow    func(booking ledger.ID) ledger.Transfer // booked in one chain with the credit; may be nil
	suspenseID   ledger.ID                               // gets the credit if the peer account is closed; zero: the credit is refused
	peerClosed   bool                                    // known from a look-up: the first request goes to suspense
	check        func(context.Context) error             // may refuse before the first booking; may be nil
}

// bookCredit books a credit of a peer, or of suspense if the peer's account is closed.
func (e *Engine) bookCredit(ctx context.Context, row ledger.Transfer, c creditRequest) (PaymentBooking, error) {
	booked, stored, err := e.tryCredit(ctx, row, c)
	if err != nil {
		return PaymentBooking{}, e.mapBookingError(stored, err)
	}
	return booked, nil
}

// tryCredit is bookCredit with the errors of package idempotent. With [idempotent.ErrConflict] it returns the stored
// booking.
func (e *Engine) tryCredit(ctx context.Context, row ledger.Transfer, c creditRequest) (PaymentBooking, idempotent.Booking, error) {
	request := idempotent.Request{First: c.firstAttempt, Precheck: c.check, Build: func(attempt uint64) []ledger.Transfer {
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
	if isCreditClosed(err) && !toSuspense && !c.suspenseID.IsZero() { // closed since the look-up
		row.CreditAccountID = c.suspenseID
		stored, err = request.Book(ctx, e.ledger)
	}
	if err != nil {
		return PaymentBooking{}, stored, err
	}
	row.Timestamp = stored.Timestamp
	if stored.AlreadyBooked {
		row = stored.Rows[0] // an earlier call may have used the other account
	}
	return PaymentBooking{
		Booking: accounts.Booking{
			Transfer: row.ID, Amount: row.Amount, BookedAt: timeOf(row.Timestamp), AlreadyBooked: stored.AlreadyBooked,
		},
		InSuspense: row.CreditAccountID == c.suspenseID && !c.suspenseID.IsZero(),
	}, stored, nil
}

func (e *Engine) newBookingError(a accounts.PeerAccount, key string, amount ledger.Amount, cause error) error {
	asset, _ := e.book.Asset(a.Ledger())
	return &BookingError{Account: a, Asset: asset, Key: key, Amount: amount, Err: cause}
}

// mapBookingError turns the errors of package idempotent and the ledger's refusals into the errors of accounts.
func (e *Engine) mapBookingError(stored idempotent.Booking, err error) error {
	var refused *ledger.TransferError
	switch {
	case errors.Is(err, idempotent.ErrConflict):
		return e.keyReusedError(stored.OwnRow())
	case errors.Is(err, idempotent.ErrAllBurnt):
		return accounts.ErrKeyBurnt
	case errors.As(err, &refused):
		return refusalError(refused)
	default:
		return err
	}
}

// keyReusedError describes the row that is booked under a key.
func (e *Engine) keyReusedError(row ledger.Transfer) error {
	asset, _ := e.book.Asset(row.Ledger)
	return fmt.Errorf("%w: %s", accounts.ErrKeyReused, asset.DescribeBooking(row))
}

// isCreditClosed reports whether the ledger refused a transfer because the credited account is closed.
func isCreditClosed(err error) bool {
	var refused *ledger.TransferError
	return errors.As(err, &refused) && refused.Status == ledger.TransferCreditAccountAlreadyClosed
}

// refusalError turns the ledger's refusal of a payment into an error of accounts.
func refusalError(err *ledger.TransferError) error {
	switch err.Status { //nolint:exhaustive // the other statuses have no error in accounts
	case ledger.TransferDebitAccountNotFound, ledger.TransferCreditAccountNotFound:
		return fmt.Errorf("%w: %w", accounts.ErrNotProvisioned, err)
	case ledger.TransferDebitAccountAlreadyClosed, ledger.TransferCreditAccountAlreadyClosed:
		return fmt.Errorf("%w: %w", accounts.ErrPeerClosed, err)
	default:
		return err
	}
}

// checkPayment refuses an impossible payment before a request is sent.
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
			Reason: fmt.Sprintf("must be at most 2^127 units, %s", asset.Text(chart.MaxByKey)),
		}
	default:
		return accounts.CheckKey("payment", "Key", key)
	}
}

// checkPeer refuses an account that is not a peer's.
func (e *Engine) checkPeer(subject string, account accounts.PeerAccount) error {
	_, known := e.book.Asset(account.Ledger())
	switch {
	case account.IsZero() || account.IsOwn():
		return &accounts.FieldError{Subject: subject, Field: "Account", Reason: "must be a peer account"}
	case !known:
		return fmt.Errorf("%w: %v", accounts.ErrUnknownAsset, account)
	default:
		return nil
	}
}
