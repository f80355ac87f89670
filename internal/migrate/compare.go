package migrate

import (
	"fmt"

	"github.com/peerledger/peerledger/ledger"
)

// compareLedgers compares all accounts of the two ledgers, and the times of their newest transfers.
func (m *migration) compareLedgers() error {
	done := 0
	after := uint64(0)
	err := eachPage(m.ctx, m.from.QueryAccounts, func(a *ledger.Account) uint64 { return a.Timestamp }, 0, m.pageSize, func(page []ledger.Account) error {
		copies, err := m.to.QueryAccounts(m.ctx, ledger.QueryFilter{TimestampMin: after + 1, Limit: uint32(len(page))})
		if err != nil {
			return err
		}
		if len(copies) != len(page) {
			return fmt.Errorf("%w: there are %d accounts after %v instead of %d", ErrDifferent, len(copies), toTime(after), len(page))
		}
		for i := range page {
			want, got := page[i], copies[i]
			got.Flags &^= ledger.AccountImported
			want.Flags &^= ledger.AccountImported | ledger.AccountLinked
			got.Flags &^= ledger.AccountLinked
			if want != got {
				return fmt.Errorf("%w: account %v is %+v, and must be %+v", ErrDifferent, want.ID, got, want)
			}
		}
		after = page[len(page)-1].Timestamp
		done += len(page)
		m.reportProgress("comparing", done)
		return nil
	})
	if err != nil {
		return err
	}
	extra, err := m.to.QueryAccounts(m.ctx, ledger.QueryFilter{TimestampMin: after + 1, Limit: 1})
	if err == nil && len(extra) > 0 {
		return fmt.Errorf("%w: account %v is not in the old ledger", ErrNotEmpty, extra[0].ID)
	}
	if err != nil {
		return err
	}
	now, err := readNewest(m.ctx, m.from.QueryTransfers, transferTime)
	if err == nil && now > m.newestWritten {
		return fmt.Errorf("%w: it has a transfer of %v", ErrTooYoung, toTime(now))
	}
	return err
}
