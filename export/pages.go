package export

import (
	"context"
	"iter"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// page is a page of rows, in order.
type page struct {
	rows []ledger.Transfer
	// named are the transfers that rows name in user_data_128, where the row's kind depends on it.
	named map[ledger.ID]ledger.Transfer
	err   error
}

// readRows reads the next rows from a moment on, up to another one. Fewer rows than there are may come, and
// none only at the end.
type readRows func(ctx context.Context, first, last uint64) ([]ledger.Transfer, error)

// pageReader reads pages.
type pageReader struct {
	ledger   ledger.Ledger
	read     readRows
	suspense map[ledger.ID]struct{} // the accounts of all assets
}

// pagesAhead is the number of pages that are read while one is in use.
const pagesAhead = 2

// readPages reads the rows from first to last. One goroutine reads the next pages meanwhile; it has ended when
// the iteration ends. An error ends the pages.
func (r *pageReader) readPages(ctx context.Context, first, last uint64) iter.Seq2[page, error] {
	return func(yield func(page, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		pages, ended := make(chan page, pagesAhead), make(chan struct{})
		defer func() {
			cancel()
			<-ended
		}()
		go func() {
			defer close(ended)
			defer close(pages)
			r.sendPages(ctx, first, last, pages)
		}()
		for p := range pages {
			if !yield(p, p.err) || p.err != nil {
				return
			}
		}
	}
}

// sendPages sends pages until the end, an error or the end of the context.
func (r *pageReader) sendPages(ctx context.Context, first, last uint64, pages chan<- page) {
	for first <= last {
		p := page{}
		p.rows, p.err = r.read(ctx, first, last)
		if p.err == nil {
			p.named, p.err = r.lookUpNamed(ctx, p.rows)
		}
		if p.err == nil && len(p.rows) == 0 {
			return
		}
		select {
		case pages <- p:
		case <-ctx.Done():
			return
		}
		if p.err != nil {
			return
		}
		first = p.rows[len(p.rows)-1].Timestamp + 1
	}
}

// lookUpNamed looks up the transfers named by rows of suspense: a release to a peer names the row that
// put the money there, and a booking by hand looks the same but names a key.
func (r *pageReader) lookUpNamed(ctx context.Context, rows []ledger.Transfer) (map[ledger.ID]ledger.Transfer, error) {
	var ids []ledger.ID
	for i := range rows {
		if row := &rows[i]; (row.Code == chart.CodeAdjust || row.Code == chart.CodeCorrection) && !row.UserData128.IsZero() && r.crossesSuspense(row) {
			ids = append(ids, ledger.ID(row.UserData128))
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	found, err := batch.Each(ctx, ids, 1, r.ledger.LookupTransfers)
	named := make(map[ledger.ID]ledger.Transfer, len(found))
	for i := range found {
		named[found[i].ID] = found[i]
	}
	return named, err
}

func (r *pageReader) crossesSuspense(row *ledger.Transfer) bool {
	_, debits := r.suspense[row.DebitAccountID]
	_, credits := r.suspense[row.CreditAccountID]
	return debits || credits
}

// newPageReader returns a reader of all rows, or of the rows of few accounts.
func newPageReader(l ledger.Ledger, book *accounts.Book, r *register, chosen []ledger.ID) *pageReader {
	reader := &pageReader{ledger: l, suspense: map[ledger.ID]struct{}{}}
	for _, asset := range r.assets {
		ids, _ := book.AssetIDs(asset.Ledger)
		reader.suspense[ids.Suspense] = struct{}{}
	}
	if len(chosen) > 0 && len(chosen) <= maxMerged {
		reader.read = newMerger(l, chosen).readRows
	} else {
		reader.read = scanRows(l)
	}
	return reader
}

// scanRows reads the rows of all accounts. A filter by ledger number would save rows of other
// assets, but the embedded ledger would build an index of all rows for it.
func scanRows(l ledger.Ledger) readRows {
	limit := uint32(ledger.QueryMax)
	return func(ctx context.Context, first, last uint64) ([]ledger.Transfer, error) {
		return batch.Page(&limit, func() ([]ledger.Transfer, error) {
			return l.QueryTransfers(ctx, ledger.QueryFilter{TimestampMin: first, TimestampMax: last, Limit: limit})
		})
	}
}

// newestRow returns the time of the newest row of the ledger up to a moment, 0 if there is none. The
// ledger never inserts a row before a visible one, so the rows up to this time are final.
func newestRow(ctx context.Context, l ledger.Ledger, last uint64) (uint64, error) {
	if last == 0 { // TimestampMax 0 would be open
		return 0, nil
	}
	rows, err := l.QueryTransfers(ctx, ledger.QueryFilter{TimestampMax: last, Limit: 1, Flags: ledger.QueryFilterReversed})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	return rows[0].Timestamp, nil
}
