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

// AnnouncementState is the state of an announced payment.
type AnnouncementState string

// The states of a payment. A failed payment may still be received; a received payment stays received.
const (
	AnnouncementOpen     AnnouncementState = "open"     // announced, and neither received nor failed
	AnnouncementReceived AnnouncementState = "received" // booked
	AnnouncementFailed   AnnouncementState = "failed"   // not expected any more
)

// Announcement is a payment of a peer that was seen before it was final.
type Announcement struct {
	Account accounts.PeerAccount
	Asset   accounts.Asset
	// Transfer is the id of the announcement in the ledger, or of the booking if the payment was received
	// without an announcement.
	Transfer ledger.ID
	// Amount is the announced amount in units, or the booked amount if the payment was received without an
	// announcement. 0 if Fail came before any announcement.
	Amount      ledger.Amount
	AnnouncedAt time.Time // by the ledger's clock: the time of Transfer
	State       AnnouncementState
	// AlreadyAnnounced is true if the call changed nothing: an earlier call had, perhaps one whose answer was lost.
	AlreadyAnnounced bool
}

// Age is the time since the announcement. It can be negative: now and the ledger's clock may differ.
func (a Announcement) Age(now time.Time) time.Duration { return now.Sub(a.AnnouncedAt) }

// Announce notes a payment of a peer that is not final yet: a chain has not confirmed it, or a bank may take it
// back. The amount is shown as [accounts.Balance.Announced] and counts for nothing else: it pays nothing down,
// and the peer cannot send with it. [Engine.RecordIncoming] with the same key books the payment, whatever its
// final amount. [Engine.Fail] ends the announcement without a payment. Announcements do not expire: every
// announced payment needs RecordIncoming or Fail in the end.
//
// All three may be called any number of times, in any order, from any process: the payment is booked once for
// its key, for ever. A key is announced once. After RecordIncoming or Fail, Announce changes nothing, and
// [Announcement.State] has the result. The peer may be closed.
//
// Announce returns the errors of RecordIncoming. [accounts.ErrKeyReused] is returned when another amount is
// announced under the key: leave the announcement, since only the amount of RecordIncoming counts.
func (e *Engine) Announce(ctx context.Context, in IncomingPayment) (Announcement, error) {
	check := func() error { return e.checkPayment(in.Account, in.Key, in.Amount) }
	return e.handleAnnouncement(ctx, in, check, func() (Announcement, error) { return e.placeAnnouncement(ctx, in) })
}

// Fail marks an announced payment as not expected any more. [Engine.RecordIncoming] still books the payment if
// it does arrive, for example after a chain reorganization. Fail before [Engine.Announce] takes the key, so that
// a later Announce opens nothing.
//
// The errors are *[BookingError]: [ErrAlreadyReceived] if the payment is booked, and the errors of RecordIncoming
// except [accounts.ErrKeyReused].
func (e *Engine) Fail(ctx context.Context, account accounts.PeerAccount, key string) (Announcement, error) {
	in := IncomingPayment{Account: account, Key: key}
	return e.handleAnnouncement(ctx, in, e.newNameCheck(in), func() (Announcement, error) { return e.failByKey(ctx, in) })
}

// newNameCheck returns the check of a payment's account and key.
func (e *Engine) newNameCheck(in IncomingPayment) (check func() error) {
	return func() error {
		if err := e.checkPeer("payment", in.Account); err != nil {
			return err
		}
		return accounts.CheckKey("payment", "Key", in.Key)
	}
}

// FailAnnouncement is [Engine.Fail] for an operator who knows only the id of an announcement (see
// [Engine.Announcements]): the ledger does not keep keys. It returns [ErrNoAnnouncement] if the account has no
// announcement with the id. Otherwise FailAnnouncement returns the errors of Fail.
func (e *Engine) FailAnnouncement(ctx context.Context, account accounts.PeerAccount, id ledger.ID) (Announcement, error) {
	return e.handleAnnouncementByID(ctx, account, id, e.voidAnnouncement)
}

// handleAnnouncementByID is handleAnnouncement for an announcement that is named by its id.
func (e *Engine) handleAnnouncementByID(
	ctx context.Context, account accounts.PeerAccount, id ledger.ID,
	apply func(context.Context, accounts.PeerAccount, *ledger.Transfer) (Announcement, error),
) (Announcement, error) {
	check := func() error { return e.checkPeer("announcement", account) }
	return e.handleAnnouncement(ctx, IncomingPayment{Account: account, Key: id.String()}, check, func() (Announcement, error) {
		rows, err := e.ledger.LookupTransfers(ctx, []ledger.ID{id})
		switch {
		case err != nil:
			return Announcement{}, wrap("look the announcement up", err)
		case len(rows) == 0 || !e.isAnnouncementOf(account, &rows[0]):
			return Announcement{}, ErrNoAnnouncement
		}
		return apply(ctx, account, &rows[0])
	})
}

// handleAnnouncement checks a call, applies the change, and wraps the error.
func (e *Engine) handleAnnouncement(
	ctx context.Context, in IncomingPayment, check func() error, apply func() (Announcement, error),
) (Announcement, error) {
	if !e.acquireCall() {
		return Announcement{}, ErrEngineClosed
	}
	defer e.wg.Done()
	err := check()
	if err == nil {
		_, err = e.book.LookUpBalances(ctx, in.Account) // without this look-up the ledger would refuse, and burn an id
	}
	var result Announcement
	if err == nil {
		result, err = apply()
	}
	if err != nil {
		return Announcement{}, e.newBookingError(in.Account, in.Key, in.Amount, err)
	}
	return result, nil
}

// placeAnnouncement takes the id under which RecordIncoming would book the payment first, so the ledger accepts
// only one of the two.
//
// The announcement is pending between accounts without limits that are never closed, so the ledger never refuses
// its void. The peer account is untouched until the money is booked.
func (e *Engine) placeAnnouncement(ctx context.Context, in IncomingPayment) (Announcement, error) {
	name := e.paymentName(in.Account, in.Key)
	stored, err := idempotent.Book(ctx, e.ledger, func(attempt uint64) []ledger.Transfer {
		return []ledger.Transfer{e.announcementRow(in, name.ID(attempt))}
	})
	switch {
	case err == nil && !stored.AlreadyBooked:
		row := e.announcementRow(in, name.ID(stored.Attempt))
		row.Timestamp = stored.Timestamp
		return e.newAnnouncement(in.Account, &row, AnnouncementOpen), nil
	case err != nil && !errors.Is(err, idempotent.ErrConflict):
		return Announcement{}, e.mapBookingError(stored, err)
	}
	found, err := e.readAnnouncementState(ctx, in.Account, &stored.Rows[0])
	if err == nil && found.State == AnnouncementOpen && found.Amount != in.Amount {
		return Announcement{}, fmt.Errorf("%w: %s is announced", accounts.ErrKeyReused, found.Asset.Text(found.Amount))
	}
	return found, err
}

// failByKey voids the announcement of a key. Without one it places an announcement of amount 0 together with its
// void, so that a later Announce finds the key taken.
func (e *Engine) failByKey(ctx context.Context, in IncomingPayment) (Announcement, error) {
	name := e.paymentName(in.Account, in.Key)
	stored, err := idempotent.Book(ctx, e.ledger, func(attempt uint64) []ledger.Transfer {
		row := e.announcementRow(in, name.ID(attempt))
		return []ledger.Transfer{row, e.failedVoidRow(&row)}
	})
	switch {
	case err == nil && !stored.AlreadyBooked:
		row := e.announcementRow(in, name.ID(stored.Attempt))
		row.Timestamp = stored.Timestamp
		return e.newAnnouncement(in.Account, &row, AnnouncementFailed), nil
	case err != nil && !errors.Is(err, idempotent.ErrConflict):
		return Announcement{}, e.mapBookingError(stored, err)
	case !e.isAnnouncementOf(in.Account, &stored.Rows[0]):
		return Announcement{}, ErrAlreadyReceived
	}
	return e.voidAnnouncement(ctx, in.Account, &stored.Rows[0])
}

// voidAnnouncement ends an announcement as failed. Only RecordIncoming ends one in another way.
func (e *Engine) voidAnnouncement(ctx context.Context, a accounts.PeerAccount, row *ledger.Transfer) (Announcement, error) {
	end := e.failedVoidRow(row)
	results, err := e.ledger.CreateTransfers(ctx, []ledger.Transfer{end})
	if err != nil {
		return Announcement{}, err
	}
	switch status := results[0].Status; {
	case status == ledger.TransferCreated:
		return e.newAnnouncement(a, row, AnnouncementFailed), nil
	case status == ledger.TransferPendingTransferAlreadyVoided:
		return Announcement{}, ErrAlreadyReceived
	case status == ledger.TransferExists, status.Conflict(): // an imported row has other flags; the payment may be received since
		found, err := e.readAnnouncementState(ctx, a, row)
		if err == nil && found.State == AnnouncementReceived {
			return Announcement{}, ErrAlreadyReceived
		}
		return found, err
	default:
		return Announcement{}, &ledger.TransferError{ID: end.ID, Status: status}
	}
}

// readAnnouncementState reads the state of a payment from the row that has its key.
func (e *Engine) readAnnouncementState(ctx context.Context, a accounts.PeerAccount, row *ledger.Transfer) (Announcement, error) {
	found := e.newAnnouncement(a, row, AnnouncementReceived)
	found.AlreadyAnnounced = true
	if !e.isAnnouncementOf(a, row) {
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
	failed, err := e.ledger.LookupTransfers(ctx, []ledger.ID{e.failedVoidRow(row).ID})
	if err != nil {
		return Announcement{}, wrap("look up whether the payment has failed", err)
	}
	if found.State = AnnouncementOpen; len(failed) > 0 {
		found.State = AnnouncementFailed
	}
	return found, nil
}

// paymentName is the name of an incoming payment in the ledger, announced or received.
func (e *Engine) paymentName(a accounts.PeerAccount, key string) idempotent.Name {
	return e.bookingName(idempotent.KindIncoming, a, key)
}

func (e *Engine) announcementRow(in IncomingPayment, id ledger.ID) ledger.Transfer {
	assetIDs, _ := e.book.AssetIDs(in.Account.Ledger())
	return ledger.Transfer{
		ID: id, DebitAccountID: e.book.PeerIDs(in.Account).Settlement, CreditAccountID: assetIDs.Control, Amount: in.Amount,
		UserData128: e.paymentTag(in.Account, in.Key), Ledger: in.Account.Ledger(), Code: chart.CodeAnnounced, Flags: ledger.TransferPending,
	}
}

// failedVoidRow voids an announcement whose payment failed.
func (e *Engine) failedVoidRow(row *ledger.Transfer) ledger.Transfer {
	return ledger.Transfer{ID: e.ns.Derive("failed", chart.ID(row.ID)), PendingID: row.ID, Flags: ledger.TransferVoidPending}
}

// receivedVoidRow voids an announcement in the chain that books its payment under the id booking.
func (e *Engine) receivedVoidRow(row *ledger.Transfer, booking ledger.ID) ledger.Transfer {
	end := *row
	end.ID, end.PendingID, end.Flags, end.Timestamp = e.ns.Derive("received", chart.ID(booking)), row.ID, ledger.TransferVoidPending, 0
	return end
}

// isAnnouncementOf reports whether a row announces a payment of an account.
func (e *Engine) isAnnouncementOf(a accounts.PeerAccount, row *ledger.Transfer) bool {
	return row.Code == chart.CodeAnnounced && row.Flags.Has(ledger.TransferPending) && row.DebitAccountID == e.book.PeerIDs(a).Settlement
}

func (e *Engine) newAnnouncement(a accounts.PeerAccount, row *ledger.Transfer, state AnnouncementState) Announcement {
	asset, _ := e.book.Asset(a.Ledger())
	return Announcement{Account: a, Asset: asset, Transfer: row.ID, Amount: row.Amount, AnnouncedAt: timeOf(row.Timestamp), State: state}
}
