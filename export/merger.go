package export

import (
	"context"

	"github.com/peerledger/peerledger/internal/batch"
	"github.com/peerledger/peerledger/ledger"
)

// maxMerged is the largest number of accounts whose rows are merged. Of more accounts, reading all rows
// of the ledger is faster, and their pages would need more memory.
const maxMerged = 32

// merger merges the rows of accounts by time, each row once.
type merger struct {
	ledger ledger.Ledger
	ids    []ledger.ID
	limit  int // rows of a page of one account
}

func newMerger(l ledger.Ledger, ids []ledger.ID) *merger {
	return &merger{ledger: l, ids: ids, limit: max(1, ledger.QueryMax/len(ids))}
}

// readRows reads a page of each account, and returns the merged rows up to the end of the shortest page. The time
// identifies a row: a ledger never uses a nanosecond twice.
func (m *merger) readRows(ctx context.Context, first, last uint64) ([]ledger.Transfer, error) {
	pages := make([][]ledger.Transfer, len(m.ids))
	for i, id := range m.ids {
		rows, err := batch.Page(&m.limit, func() ([]ledger.Transfer, error) {
			return m.ledger.GetAccountTransfers(ctx, ledger.AccountFilter{
				AccountID: id, TimestampMin: first, TimestampMax: last, Limit: uint32(m.limit),
				Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
			})
		})
		if err != nil {
			return nil, err
		}
		if len(rows) == m.limit { // later rows of other accounts wait for this account's next page
			last = rows[len(rows)-1].Timestamp
		}
		pages[i] = rows
	}
	var merged []ledger.Transfer
	for {
		next := -1
		for i, rows := range pages {
			if len(rows) > 0 && rows[0].Timestamp <= last && (next < 0 || rows[0].Timestamp < pages[next][0].Timestamp) {
				next = i
			}
		}
		if next < 0 {
			return merged, nil
		}
		row := pages[next][0]
		pages[next] = pages[next][1:]
		if n := len(merged); n == 0 || merged[n-1].Timestamp != row.Timestamp {
			merged = append(merged, row)
		}
	}
}
