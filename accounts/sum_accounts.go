package accounts

import (
	"context"

	"github.com/peerledger/peerledger/ledger"
)

// SumAccounts adds up all accounts of a ledger, whichever program made them, by ledger number, with one
// request for every 8189. While other clients write, the sums belong to no single moment. progress is
// called with the number of accounts done, and may be nil. An error is a request's.
func SumAccounts(ctx context.Context, l ledger.Ledger, progress func(accounts int)) (map[uint32]*Sums, error) {
	sums, done := map[uint32]*Sums{}, 0
	for filter := (ledger.QueryFilter{Limit: ledger.QueryMax}); ; {
		rows, err := l.QueryAccounts(ctx, filter)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			a := &rows[i]
			if sums[a.Ledger] == nil {
				sums[a.Ledger] = &Sums{}
			}
			sums[a.Ledger].addAccount(a)
		}
		if done += len(rows); progress != nil {
			progress(done)
		}
		if len(rows) == 0 {
			return sums, nil
		}
		filter.TimestampMin = rows[len(rows)-1].Timestamp + 1
	}
}
