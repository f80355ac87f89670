package settlement

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/idempotent"
	"github.com/peerledger/peerledger/ledger"
)

// AnnouncementState says what became of a payment that is not final when it is seen.
type AnnouncementState string

// The states of a payment. A failed one may still be received; one that is received stays so.
const (
	AnnouncementOpen     AnnouncementState = "open"     // announced, and nobody knows more
	AnnouncementReceived AnnouncementState = "received" // booked
	AnnouncementFailed   AnnouncementState = "failed"   // it will not come, as far as anybody knows
)

// Announcement is a payment of a peer that was seen before it was final.
type Announcement struct {
	Account accounts.PeerAccount
	Asset   accounts.Asset
	// Transfer is the announcement's id in the ledger, and that of the booking if the payment
	// was received without one.
	Transfer ledger.ID
	// Amount is what was announced, in units; 0 if it was said to have failed before anybody
	// had announced it. Of a payment that was received without an announcement it is what was
	// booked.
	Amount      ledger.Amount
	AnnouncedAt time.Time // of Transfer, by the ledger's clock
	State       AnnouncementState
	// AlreadyAnnounced says that the call changed nothing, or had changed it before when the ledger's
	// first answer got lost.
	AlreadyAnnounced bool
}

// Age is how long ago the payment was announced. Clocks may differ: it can be below 0.
func (a Announcement) Age(now time.Time) time.Duration { return now.Sub(a.AnnouncedAt) }

// Announce notes a payment of a peer that is not final yet: one that a chain has seen and not
// confirmed, or a bank may still take back. It is shown (accounts.Balance.Announced) and counts
// for nothing else: it pays nothing down, and nobody can send with it. Receive with the same key
// books the payment, whatever its amount is then. Fail says that it will not come. No time ends
// an announcement: whoever announces must also say what became of it.
//
// The three may be called any number of times, in any order, from any process: the payment is
// booked once for its key, for ever. A key is announced once. After Receive or Fail, Announce
// changes nothing, and Announcement.State says what became of the payment. The peer may be
// closed.
//
// Errors are those of Receive; accounts.ErrKeyReused says that another amount is announced under the
// key: leave it, the amount of Receive counts.
func (e *Engine) Announce(ctx context.Context, in IncomingPayment) (Announcement, error) {
	check := func() error { return e.checkKeyed(in.Account, in.Key, in.Amount) }
	return e.announcing(ctx, in, check, func() (Announcement, error) { return e.announce(ctx, in) })
}

// Fail says that a payment that was announced will not come, as far as anybody knows. Receive
// books it all the same if it comes: a chain may take back what it has told. It may be called
// before Announce, which then opens nothing.
//
// Errors are *BookingErrors: ErrAlreadyReceived if the payment is booked, and those of Receive but
// accounts.ErrKeyReused.
func (e *Engine) Fail(ctx context.Context, account accounts.PeerAccount, key string) (Announcement, error) {
	in := IncomingPayment{Account: account, Key: key}
	return e.announcing(ctx, in, e.named(in), func() (Announcement, error) { return e.fail(ctx, in) })
}

// named checks the name of a payment.
func (e *Engine) named(in IncomingPayment) (check func() error) {
	return func() error {
		if err := e.checkPeer("payment", in.Account); err != nil {
			return err
		}
		return accounts.CheckKey("payment", "Key", in.Key)
	}
}

// FailAnnouncement is Fail for an operator who knows an announcement by its id
// (Announcements): the ledger does not keep keys. The error is ErrNoAnnouncement if the account
// has none with the id; the others are those of Fail.
func (e *Engine) FailAnnouncement(ctx context.Context, account accounts.PeerAccount, id ledger.ID) (Announcement, error) {
	return e.byID(ctx, account, id, e.failRow)
}

// byID does something about an announcement that is named by its id.
func (e *Engine) byID(
	ctx context.Context, account accounts.PeerAccount, id ledger.ID,
	do func(context.Context, accounts.PeerAccount, *ledger.Transfer) (Announcement, error),
) (Announcement, error) {
	check := func() error { return e.checkPeer("announcement", account) }
	return e.announcing(ctx, IncomingPayment{Account: account, Key: id.String()}, check, func() (Announcement, error) {
		rows, err := e.ledger.LookupTransfers(ctx, []ledger.ID{id})
		switch {
		case err != nil:
			return Announcement{}, wrap("look the announcement up", err)
		case len(rows) == 0 || !e.announces(account, &rows[0]):
			return Announcement{}, ErrNoAnnouncement
		}
		return do(ctx, account, &rows[0])
	})
}

// announcing does something about an announcement.
func (e *Engine) announcing(
	ctx context.Context, in IncomingPayment, check func() error, do func() (Announcement, error),
) (Announcement, error) {
	if !e.begin() {
		return Announcement{}, ErrEngineClosed
	}
	defer e.work.Done()
	err := check()
	if err == nil {
		_, err = e.book.LookUpBalances(ctx, in.Account) // the ledger's refusal would burn an id
	}
	var done Announcement
	if err == nil {
		done, err = do()
	}
	if err != nil {
		asset, _ := e.book.Asset(in.Account.Ledger())
		return Announcement{}, &BookingError{Account: in.Account, Asset: asset, Key: in.Key, Amount: in.Amount, Err: err}
	}
	return done, nil
}

// announce places the announcement where Receive would book the payment first, so the ledger
// takes only one of the two there.
//
// It holds nothing of the peer's: it is pending between accounts that nothing closes and that
// have no limit, so the ledger never refuses its end. The peer account is not touched before
// the money is booked.
func (e *Engine) announce(ctx context.Context, in IncomingPayment) (Announcement, error) {
	name := e.paymentName(in.Account, in.Key)
	booking, err := idempotent.Book(ctx, e.ledger, func(attempt uint64) []ledger.Transfer {
		return []ledger.Transfer{e.announcementRow(in, name.ID(attempt))}
	})
	switch {
	case err == nil && !booking.AlreadyBooked:
		row := e.announcementRow(in, name.ID(booking.Attempt))
		row.Timestamp = booking.Timestamp
		return e.announcement(in.Account, &row, AnnouncementOpen), nil
	case err != nil && !errors.Is(err, idempotent.ErrConflict):
		return Announcement{}, e.bookingError(booking, err)
	}
	found, err := e.stateOf(ctx, in.Account, &booking.Rows[0])
	if err == nil && found.State == AnnouncementOpen && found.Amount != in.Amount {
		return Announcement{}, fmt.Errorf("%w: %s is announced", accounts.ErrKeyReused, found.Asset.Text(found.Amount))
	}
	return found, err
}

// fail ends what was announced under a key. If nothing was, it places an announcement of
// nothing and its end, so that one that comes later finds the key taken.
func (e *Engine) fail(ctx context.Context, in IncomingPayment) (Announcement, error) {
	name := e.paymentName(in.Account, in.Key)
	booking, err := idempotent.Book(ctx, e.ledger, func(attempt uint64) []ledger.Transfer {
		row := e.announcementRow(in, name.ID(attempt))
		return []ledger.Transfer{row, e.failedRow(&row)}
	})
	switch {
	case err == nil && !booking.AlreadyBooked:
		row := e.announcementRow(in, name.ID(booking.Attempt))
		row.Timestamp = booking.Timestamp
		return e.announcement(in.Account, &row, AnnouncementFailed), nil
	case err != nil && !errors.Is(err, idempotent.ErrConflict):
		return Announcement{}, e.bookingError(booking, err)
	case !e.announces(in.Account, &booking.Rows[0]):
		return Announcement{}, ErrAlreadyReceived
	}
	return e.failRow(ctx, in.Account, &booking.Rows[0])
}

// failRow ends an announcement. Only Receive ends one in another way.
func (e *Engine) failRow(ctx context.Context, a accounts.PeerAccount, row *ledger.Transfer) (Announcement, error) {
	end := e.failedRow(row)
	results, err := e.ledger.CreateTransfers(ctx, []ledger.Transfer{end})
	if err != nil {
		return Announcement{}, err
	}
	switch status := results[0].Status; {
	case status == ledger.TransferCreated:
		return e.announcement(a, row, AnnouncementFailed), nil
	case status == ledger.TransferPendingTransferAlreadyVoided:
		return Announcement{}, ErrAlreadyReceived
	case status == ledger.TransferExists, status.Conflict(): // with other flags if it was imported; received since, perhaps
		found, err := e.stateOf(ctx, a, row)
		if err == nil && found.State == AnnouncementReceived {
			return Announcement{}, ErrAlreadyReceived
		}
		return found, err
	default:
		return Announcement{}, &ledger.TransferError{ID: end.ID, Status: status}
	}
}

// stateOf is what became of a payment that was announced, or received without that.
func (e *Engine) stateOf(ctx context.Context, a accounts.PeerAccount, row *ledger.Transfer) (Announcement, error) {
	found := e.announcement(a, row, AnnouncementReceived)
	found.AlreadyAnnounced = true
	if !e.announces(a, row) {
		return found, nil
	}
	received, err := e.ledger.GetAccountTransfers(ctx, ledger.AccountFilter{
		AccountID: row.DebitAccountID, Code: chart.CodeIncoming, UserData128: row.UserData128, Limit: 1, Flags: ledger.AccountFilterDebits,
	})
	if err != nil {
		return Announcement{}, wrap("read whether the payment was received", err)
	}
	if len(received) > 0 {
		return found, nil
	}
	failed, err := e.ledger.LookupTransfers(ctx, []ledger.ID{e.failedRow(row).ID})
	if err != nil {
		return Announcement{}, wrap("look up whether the payment has failed", err)
	}
	if found.State = AnnouncementOpen; len(failed) > 0 {
		found.State = AnnouncementFailed
	}
	return found, nil
}

// paymentName is what a payment of a peer is known by, announced or received.
func (e *Engine) paymentName(a accounts.PeerAccount, key string) idempotent.Name {
	return e.name("in", a, key)
}

func (e *Engine) announcementRow(in IncomingPayment, id ledger.ID) ledger.Transfer {
	own, _ := e.book.AssetIDs(in.Account.Ledger())
	return ledger.Transfer{
		ID: id, DebitAccountID: e.book.PeerIDs(in.Account).Settlement, CreditAccountID: own.Control, Amount: in.Amount,
		UserData128: e.keyTag(in.Account, in.Key), Ledger: in.Account.Ledger(), Code: chart.CodeAnnounced, Flags: ledger.TransferPending,
	}
}

// failedRow ends an announcement whose payment will not come.
func (e *Engine) failedRow(row *ledger.Transfer) ledger.Transfer {
	return ledger.Transfer{ID: e.ns.Derive("failed", chart.ID(row.ID)), PendingID: row.ID, Flags: ledger.TransferVoidPending}
}

// receivedRow ends an announcement in the chain that books the payment under an id.
func (e *Engine) receivedRow(row *ledger.Transfer, booking ledger.ID) ledger.Transfer {
	end := *row
	end.ID, end.PendingID, end.Flags, end.Timestamp = e.ns.Derive("received", chart.ID(booking)), row.ID, ledger.TransferVoidPending, 0
	return end
}

// announces reports whether a row announces a payment of an account.
func (e *Engine) announces(a accounts.PeerAccount, row *ledger.Transfer) bool {
	return row.Code == chart.CodeAnnounced && row.Flags.Has(ledger.TransferPending) && row.DebitAccountID == e.book.PeerIDs(a).Settlement
}

func (e *Engine) announcement(a accounts.PeerAccount, row *ledger.Transfer, state AnnouncementState) Announcement {
	asset, _ := e.book.Asset(a.Ledger())
	return Announcement{Account: a, Asset: asset, Transfer: row.ID, Amount: row.Amount, AnnouncedAt: timeOf(row.Timestamp), State: state}
}
