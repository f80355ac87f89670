package settlement

import (
	"context"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/ledger"
)

// readPage reads a page of rows, and lowers the limit of the filter if the ledger's answer has room for fewer.
func (e *Engine) readPage(ctx context.Context, filter *ledger.AccountFilter) ([]ledger.Transfer, error) {
	return batch.Page(&filter.Limit, func() ([]ledger.Transfer, error) { return e.ledger.GetAccountTransfers(ctx, *filter) })
}

// readAllRows reads all rows of a filter, oldest first.
func (e *Engine) readAllRows(ctx context.Context, filter ledger.AccountFilter) (all []ledger.Transfer, err error) {
	filter.Limit = ledger.QueryMax
	for {
		rows, err := e.readPage(ctx, &filter)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if len(rows) < int(filter.Limit) {
			return all, nil
		}
		filter.TimestampMin = rows[len(rows)-1].Timestamp + 1
	}
}
