package settlement

import (
	"context"
	"slices"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Announcements reads the open announcements of accounts, the oldest of each account first. An account without
// announcements costs no extra request. An announcement that is placed or ends during the read may be missing or
// present.
//
// The errors are [accounts.ErrNotProvisioned], [accounts.ErrUnknownAsset], [ErrEngineClosed] after
// [Engine.Close], and the errors of requests.
func (e *Engine) Announcements(ctx context.Context, list ...accounts.PeerAccount) ([]Announcement, error) {
	if !e.acquireCall() {
		return nil, ErrEngineClosed
	}
	defer e.wg.Done()
	balances, err := e.book.LookUpBalances(ctx, list...)
	if err != nil {
		return nil, err
	}
	var all []Announcement
	for i := range balances {
		open, err := e.readOpenAnnouncements(ctx, &balances[i])
		if err != nil {
			return nil, err
		}
		all = append(all, open...)
	}
	return all, nil
}

// FindPayment reads the state of a payment under its key from the ledger: announced, received or failed. It writes
// nothing. The errors are *[BookingError]: [ErrNoAnnouncement] if the ledger has nothing under the key, and the
// errors of [Engine.Announce] except [accounts.ErrKeyReused].
func (e *Engine) FindPayment(ctx context.Context, account accounts.PeerAccount, key string) (Announcement, error) {
	in := IncomingPayment{Account: account, Key: key}
	return e.handleAnnouncement(ctx, in, e.newNameCheck(in), func() (Announcement, error) {
		rows, err := e.readPaymentRows(ctx, account, key)
		switch {
		case err != nil:
			return Announcement{}, err
		case len(rows) == 0:
			return Announcement{}, ErrNoAnnouncement
		}
		return e.readAnnouncementState(ctx, account, &rows[0])
	})
}

// FindAnnouncement is [Engine.FindPayment] by the id of an announcement.
func (e *Engine) FindAnnouncement(ctx context.Context, account accounts.PeerAccount, id ledger.ID) (Announcement, error) {
	return e.handleAnnouncementByID(ctx, account, id, e.readAnnouncementState)
}

// maxAnnouncementReads bounds how often the newest announcements of an account are read until their sum agrees
// with the balance. After that, all rows of the account are read.
const maxAnnouncementReads = 5

// readOpenAnnouncements reads the open announcements of one account. Their sum is in the balance, so reading
// stops, newest first, where the sum is reached, and a long history is not read. If the balance changes during
// the read, it reads again.
func (e *Engine) readOpenAnnouncements(ctx context.Context, b *accounts.Balance) ([]Announcement, error) {
	for range maxAnnouncementReads {
		if b.Announced.IsZero() {
			return nil, nil
		}
		open, sum, err := e.readNewestAnnouncements(ctx, b.Account, b.Announced)
		if err != nil {
			return nil, err
		}
		current, err := e.book.LookUpBalances(ctx, b.Account)
		if err != nil {
			return nil, err
		}
		if b = &current[0]; sum == b.Announced {
			return open, nil
		}
	}
	open, _, err := e.readNewestAnnouncements(ctx, b.Account, ledger.AmountMax)
	return open, err
}

// readNewestAnnouncements reads open announcements, newest first, until the sum reaches an amount. The
// result is oldest first, with the sum.
func (e *Engine) readNewestAnnouncements(ctx context.Context, a accounts.PeerAccount, until ledger.Amount) (open []Announcement, sum ledger.Amount, err error) {
	ended := make(map[ledger.ID]bool)
	filter := ledger.AccountFilter{
		AccountID: e.book.PeerIDs(a).Settlement, Code: chart.CodeAnnounced, Limit: ledger.QueryMax,
		Flags: ledger.AccountFilterDebits | ledger.AccountFilterReversed,
	}
	for sum.Less(until) {
		rows, err := e.readPage(ctx, &filter)
		if err != nil {
			return nil, sum, wrap("read the announcements", err)
		}
		for i := range rows {
			row := &rows[i]
			switch {
			case row.Flags.Has(ledger.TransferVoidPending):
				ended[row.PendingID] = true
			case !ended[row.ID]:
				open = append(open, e.newAnnouncement(a, row, AnnouncementOpen))
				sum, _ = sum.Add(row.Amount) // no overflow: a part of the account's pending debits
			}
		}
		if len(rows) < int(filter.Limit) {
			break
		}
		filter.TimestampMax = rows[len(rows)-1].Timestamp - 1
	}
	slices.Reverse(open)
	return open, sum, nil
}
