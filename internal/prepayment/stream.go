package prepayment

import (
	"context"
	"fmt"
	"slices"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// stream reads the rows of one code on the peer account, or all rows on the arrears account, a page
// at a time.
type stream struct {
	account ledger.ID
	code    uint16 // 0: all
	flags   ledger.AccountFilterFlags
	onPeer  bool

	rows  []row  // in order of time
	floor uint64 // all rows after this moment are read; 0: all rows
}

const bothSides = ledger.AccountFilterDebits | ledger.AccountFilterCredits

// selectStreams returns the streams that may have rows when the sums went from before to now. first
// is true if nothing was read yet: then rows of older versions are read too.
func selectStreams(accounts Accounts, before, now *Sums, first bool) []*stream {
	var list []*stream
	onPeer := func(when bool, flags ledger.AccountFilterFlags, codes ...uint16) {
		for _, code := range codes {
			if when {
				list = append(list, &stream{account: accounts.Peer, code: code, flags: flags, onPeer: true})
			}
		}
	}
	settledOut := now.Settlement.Credits != before.Settlement.Credits
	onPeer(settledOut, bothSides, chart.CodeOrder)
	onPeer(now.Settlement.Debits != before.Settlement.Debits, bothSides, chart.CodeIncoming, chart.CodeVoucher)
	onPeer(now.Suspense.Debits != before.Suspense.Debits, ledger.AccountFilterCredits, chart.CodeAdjust)
	onPeer(now.Line != before.Line, bothSides, chart.CodeGrant)
	if now.Arrears != before.Arrears {
		onPeer(true, bothSides, chart.CodeCollection)
		list = append(list, &stream{account: accounts.Arrears, flags: bothSides})
	}
	// Only older versions booked payments by hand, and the collection of an excess, on the peer
	// account. Their other debits count as sent, like packets.
	onPeer(first && settledOut, bothSides, chart.CodeOutgoing)
	onPeer(first && settledOut && !now.Suspense.Credits.IsZero(), ledger.AccountFilterDebits, chart.CodeCorrection)
	return list
}

// readAfter reads all rows of a stream after one moment, up to a second one (0: all).
func (r *Reader) readAfter(ctx context.Context, s *stream, after, through uint64) error {
	for {
		page, full, err := r.readFittingPage(ctx, s, ledger.AccountFilter{TimestampMin: after + 1, TimestampMax: through})
		if err != nil {
			return err
		}
		s.rows = append(s.rows, page...)
		if !full || len(page) == 0 {
			return nil
		}
		after = page[len(page)-1].Timestamp
	}
}

// readBefore reads the page of rows before the stream's floor; the first page ends at through (0:
// at the newest row).
func (r *Reader) readBefore(ctx context.Context, s *stream, through uint64) error {
	if s.floor != 0 {
		through = s.floor
	}
	page, full, err := r.readFittingPage(ctx, s, ledger.AccountFilter{TimestampMax: through, Flags: ledger.AccountFilterReversed})
	if err != nil {
		return err
	}
	slices.Reverse(page)
	s.rows = append(page, s.rows...)
	s.floor = 0
	if full && len(page) > 0 {
		s.floor = page[0].Timestamp - 1
	}
	return nil
}

// readFittingPage reads one page of a stream, with fewer rows if the ledger refuses the page as too
// large. full is true if more rows may follow. A row is left out while only its transfer, or only
// the balance after it, is visible.
func (r *Reader) readFittingPage(ctx context.Context, s *stream, filter ledger.AccountFilter) (rows []row, full bool, err error) {
	filter.AccountID, filter.Code, filter.Flags = s.account, s.code, filter.Flags|s.flags
	pageSize := r.pageSize.Load()
	filter.Limit = pageSize
	rows, err = batch.Page(&filter.Limit, func() (page []row, err error) {
		page, full, err = r.readPage(ctx, s, filter)
		return page, err
	})
	r.pageSize.CompareAndSwap(pageSize, filter.Limit)
	return rows, full, err
}

func (r *Reader) readPage(ctx context.Context, s *stream, filter ledger.AccountFilter) ([]row, bool, error) {
	transfers, err := r.ledger.GetAccountTransfers(ctx, filter)
	if err != nil {
		return nil, false, fmt.Errorf("read the rows of a peer: %w", err)
	}
	full := len(transfers) == int(filter.Limit)
	rows := make([]row, 0, len(transfers))
	if !s.onPeer || len(transfers) == 0 {
		for i := range transfers {
			rows = append(rows, row{Transfer: transfers[i], debit: transfers[i].DebitAccountID == s.account})
		}
		return rows, full, nil
	}
	// Rows newer than the page must not push its oldest rows off the page of balances.
	filter.TimestampMax = max(transfers[0].Timestamp, transfers[len(transfers)-1].Timestamp)
	balances, err := r.ledger.GetAccountBalances(ctx, filter)
	if err != nil {
		return nil, false, fmt.Errorf("read the history of a peer: %w", err)
	}
	after := make(map[uint64]Totals, len(balances))
	for _, b := range balances {
		after[b.Timestamp] = Totals{b.DebitsPosted, b.CreditsPosted}
	}
	for i := range transfers {
		t := &transfers[i]
		if totals, found := after[t.Timestamp]; found {
			rows = append(rows, row{Transfer: *t, onPeer: true, debit: t.DebitAccountID == s.account, totals: totals})
		}
	}
	return rows, full, nil
}

// readTotalsAt reads the posted totals of an account with history right after a moment.
func (r *Reader) readTotalsAt(ctx context.Context, account ledger.ID, at uint64) (Totals, error) {
	rows, err := r.ledger.GetAccountBalances(ctx, ledger.AccountFilter{
		AccountID: account, TimestampMax: at, Limit: 1, Flags: bothSides | ledger.AccountFilterReversed,
	})
	if err != nil || len(rows) == 0 {
		return Totals{}, err
	}
	return Totals{rows[0].DebitsPosted, rows[0].CreditsPosted}, nil
}
