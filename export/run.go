package export

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/retryledger"
	"github.com/peerledger/peerledger/ledger"
)

// Run exports the entries of the query to w. The Book has the assets, and l is its ledger.
//
// The export ends with the ledger's newest row in the range at the time of the call, so it is of one moment, however
// long reading takes and whatever is written meanwhile. Running balances start from 0 at the first row of
// the ledger: rows before From are read too, and written nowhere. After the last entry the sums of each account
// that is not Partial are compared with the ledger's, to the unit.
//
// Memory grows with the number of accounts, and with [SumDay] with the pairs of accounts of a day, but not
// with the number of entries. One goroutine reads ahead, and has ended when Run returns.
//
// Errors: [accounts.ErrInvalid] and [accounts.ErrUnknownAsset] for the query, [accounts.ErrNotProvisioned] for a
// peer, [ErrBooks], errors of w, or the error of a request. After an error the file is incomplete: drop it.
func Run(ctx context.Context, l ledger.Ledger, book *accounts.Book, q Query, w Writer) (*Summary, error) {
	x, err := newExporter(l, book, q)
	if err != nil {
		return nil, err
	}
	if err := x.run(ctx, w); err != nil {
		return nil, err
	}
	return &x.summary, nil
}

// exporter is one run.
type exporter struct {
	ledger   ledger.Ledger
	book     *accounts.Book
	query    Query
	assets   []accounts.Asset
	previous *state // the end of the part before; nil: from the first row
	register *register
	reader   *pageReader
	writer   Writer
	sums     *daySums // nil without sums
	// part is the number of the file, from 1. A run that is continued later has a format, and its end.
	part   int
	format *Format
	end    *state

	header      Header
	first, last uint64    // times of the entries, inclusive
	balances    []Balance // after the last entry, by Account.Index
	totals      []runningTotal
	assetIndex  map[uint32]int // by ledger number
	percent     int
	summary     Summary
	entry       Entry // of the next call of Write
}

func newExporter(l ledger.Ledger, book *accounts.Book, q Query) (*exporter, error) {
	if err := q.validate(book); err != nil {
		return nil, err
	}
	x := &exporter{ledger: retryledger.Ledger{Ledger: l}, book: book, query: q, assets: slices.Clone(q.Assets), assetIndex: map[uint32]int{}, part: 1}
	if len(x.assets) == 0 {
		x.assets = book.Assets()
	}
	slices.SortFunc(x.assets, func(a, b accounts.Asset) int { return cmp.Compare(a.Ledger, b.Ledger) })
	for i, asset := range x.assets {
		x.assetIndex[asset.Ledger] = i
	}
	x.totals = make([]runningTotal, len(x.assets))
	x.first, x.last = q.timeBounds()
	return x, nil
}

// run writes the export: rows before the range move balances only, rows of the range are entries, and rows
// after it are read as far as the ledger's balances have them.
func (x *exporter) run(ctx context.Context, w Writer) error {
	if err := x.prepare(ctx, w); err != nil {
		return err
	}
	start := x.startTime()
	if err := x.readUpTo(ctx, start, min(x.first-1, x.last), x.bookRow); err != nil {
		return err
	}
	x.header.Opening = slices.Clone(x.balances)
	if err := w.Begin(&x.header); err != nil {
		return err
	}
	if err := x.readUpTo(ctx, max(start, x.first), x.last, x.exportRow); err != nil {
		return err
	}
	if x.sums != nil {
		if err := x.writeSums(); err != nil {
			return err
		}
	}
	if x.format != nil {
		x.end = x.newState()
	}
	if err := x.checkBalances(ctx); err != nil {
		return err
	}
	x.summary = Summary{Header: &x.header, Closing: x.balances}
	for i := range x.totals {
		x.summary.Totals = append(x.summary.Totals, x.totals[i].toTotal())
	}
	return w.End(&x.summary)
}

// prepare fixes the last row, and reads the accounts.
func (x *exporter) prepare(ctx context.Context, w Writer) (err error) {
	x.writer = w
	if x.query.Sum == SumDay {
		x.sums = newDaySums()
	}
	if x.last, err = newestRow(ctx, x.ledger, x.last); err != nil {
		return fmt.Errorf("read the newest row: %w", err)
	}
	if x.register, err = loadAccounts(ctx, x.ledger, x.book, &x.query, x.assets, x.first > 1, x.previous); err != nil {
		return err
	}
	var chosen []ledger.ID
	if len(x.query.Peers) > 0 {
		chosen = x.register.coveredIDs()
	}
	x.reader = newPageReader(x.ledger, x.book, x.register, chosen)
	if err := x.keepUsedAccounts(ctx); err != nil {
		return err
	}
	x.balances = make([]Balance, len(x.register.shown))
	x.header = Header{
		Assets: x.register.assets, Accounts: x.register.shown, From: x.query.From, To: x.query.To, Sum: x.query.Sum, Part: x.part,
	}
	if x.last >= x.first {
		x.header.Last = x.last
	}
	x.header.DayComplete = x.endsWithDay()
	return x.restoreState()
}

// startTime returns the time of the first row to read.
func (x *exporter) startTime() uint64 {
	if x.previous == nil {
		return 1
	}
	return x.previous.Last + 1
}

// keepUsedAccounts leaves the accounts that entries have, if the export is of some peers: one read of the
// rows finds them. Accounts of the parts before stay, so that a later part knows that they are not new.
func (x *exporter) keepUsedAccounts(ctx context.Context) error {
	if len(x.query.Peers) == 0 {
		return nil
	}
	used := map[*Account]struct{}{}
	if x.previous != nil {
		for id := range x.previous.accounts {
			if account := x.register.byID.find(id); account != nil {
				used[account.shown] = struct{}{}
			}
		}
	}
	err := x.readUpTo(ctx, max(x.startTime(), x.first), x.last, func(row, _ *ledger.Transfer) error {
		if debit, credit := x.register.byID.find(row.DebitAccountID), x.register.byID.find(row.CreditAccountID); isEntry(row, debit, credit) {
			used[debit.shown], used[credit.shown] = struct{}{}, struct{}{}
		}
		return nil
	})
	x.register.keepAccounts(used)
	return err
}

// readUpTo calls use for each row of the assets from first to last, with the transfer that the row names if it was
// looked up.
func (x *exporter) readUpTo(ctx context.Context, first, last uint64, use func(row, named *ledger.Transfer) error) error {
	var none ledger.Transfer
	for p, err := range x.reader.readPages(ctx, first, last) {
		if err != nil {
			return fmt.Errorf("read the rows: %w", err)
		}
		for i := range p.rows {
			row, named := &p.rows[i], &none
			if _, isWanted := x.assetIndex[row.Ledger]; !isWanted {
				continue
			}
			if p.named != nil {
				if found, ok := p.named[ledger.ID(row.UserData128)]; ok {
					named = &found
				}
			}
			if err := use(row, named); err != nil {
				return err
			}
		}
		x.reportProgress(p.rows[len(p.rows)-1].Timestamp)
	}
	return nil
}

// reportProgress reports the share of the time up to a row.
func (x *exporter) reportProgress(at uint64) {
	if x.query.Progress == nil || at > x.last {
		return
	}
	start := x.startTime()
	percent := 100
	if x.last > start {
		percent = int(float64(at-start) / float64(x.last-start) * 100)
	}
	if percent > x.percent {
		x.percent = percent
		x.query.Progress(percent)
	}
}
