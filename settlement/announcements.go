package settlement

import (
	"context"
	"slices"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Announcements are the open announcements of accounts, the oldest of each account first. For
// an account with none it makes no request of its own. One that is placed or ends meanwhile may
// be there or not.
//
// Errors are accounts.ErrNotProvisioned, accounts.ErrUnknownAsset, or that of a request.
// ErrEngineClosed after Close.
func (e *Engine) Announcements(ctx context.Context, list ...accounts.PeerAccount) ([]Announcement, error) {
	if !e.begin() {
		return nil, ErrEngineClosed
	}
	defer e.work.Done()
	balances, err := e.book.LookUpBalances(ctx, list...)
	if err != nil {
		return nil, err
	}
	var all []Announcement
	for i := range balances {
		open, err := e.openAnnouncements(ctx, &balances[i])
		if err != nil {
			return nil, err
		}
		all = append(all, open...)
	}
	return all, nil
}

// FindPayment is what the ledger knows of a payment under its key: that it is announced, was
// received, or has failed. It writes nothing. Errors are *BookingErrors: ErrNoAnnouncement if
// nothing is known, and those of Announce but ErrKeyReused.
func (e *Engine) FindPayment(ctx context.Context, account accounts.PeerAccount, key string) (Announcement, error) {
	in := IncomingPayment{Account: account, Key: key}
	return e.announcing(ctx, in, e.named(in), func() (Announcement, error) {
		rows, err := e.paymentRows(ctx, account, key)
		switch {
		case err != nil:
			return Announcement{}, err
		case len(rows) == 0:
			return Announcement{}, ErrNoAnnouncement
		}
		return e.stateOf(ctx, account, &rows[0])
	})
}

// FindAnnouncement is FindPayment by the id of an announcement.
func (e *Engine) FindAnnouncement(ctx context.Context, account accounts.PeerAccount, id ledger.ID) (Announcement, error) {
	return e.byID(ctx, account, id, e.stateOf)
}

// looksAtAnnouncements is how often the open announcements of an account are read by what they
// add up to, before all that it ever had are read.
const looksAtAnnouncements = 5

// openAnnouncements reads those of one account. What they add up to tells when older rows have
// no open one, so that a long life need not be read; if others come or end meanwhile, it reads
// again.
func (e *Engine) openAnnouncements(ctx context.Context, b *accounts.Balance) ([]Announcement, error) {
	for range looksAtAnnouncements {
		if b.Announced.IsZero() {
			return nil, nil
		}
		open, sum, err := e.readAnnouncements(ctx, b.Account, b.Announced)
		if err != nil {
			return nil, err
		}
		again, err := e.book.LookUpBalances(ctx, b.Account)
		if err != nil {
			return nil, err
		}
		if b = &again[0]; sum == b.Announced {
			return open, nil
		}
	}
	open, _, err := e.readAnnouncements(ctx, b.Account, ledger.AmountMax)
	return open, err
}

// readAnnouncements reads open announcements, the newest first, until they add up to an amount,
// and returns them oldest first with their sum.
func (e *Engine) readAnnouncements(ctx context.Context, a accounts.PeerAccount, until ledger.Amount) (open []Announcement, sum ledger.Amount, err error) {
	ended := make(map[ledger.ID]bool)
	filter := ledger.AccountFilter{
		AccountID: e.book.PeerIDs(a).Settlement, Code: chart.CodeAnnounced, Limit: ledger.QueryMax,
		Flags: ledger.AccountFilterDebits | ledger.AccountFilterReversed,
	}
	for sum.Less(until) {
		rows, err := e.page(ctx, &filter)
		if err != nil {
			return nil, sum, wrap("read the announcements", err)
		}
		for i := range rows {
			row := &rows[i]
			switch {
			case row.Flags.Has(ledger.TransferVoidPending):
				ended[row.PendingID] = true
			case !ended[row.ID]:
				open = append(open, e.announcement(a, row, AnnouncementOpen))
				sum, _ = sum.Add(row.Amount) // a part of what the account has pending
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
