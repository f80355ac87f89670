package migrate

import (
	"fmt"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// copyTransfers copies all transfers, and follows the old ledger until no hold with a timeout
// is left: somebody may still fulfill one.
func (m *migration) copyTransfers() (err error) {
	if m.have, err = newest(m.ctx, m.to.QueryTransfers, timeOf); err != nil {
		return err
	}
	read, found := uint64(0), m.have == 0
	for {
		err := pages(m.ctx, m.from.QueryTransfers, timeOf, read, m.most, func(page []ledger.Transfer) error {
			for i := range page {
				found = found || page[i].Timestamp == m.have
				if err := m.copyTransfer(&page[i]); err != nil {
					return err
				}
			}
			read = page[len(page)-1].Timestamp
			m.tell("transfers", m.result.Transfers)
			return nil
		})
		if err != nil {
			return err
		}
		expiry, open := m.holds.first()
		if !open {
			break
		}
		// One nanosecond more, since only what had expired before that moment is voided.
		if wait := at(expiry).Add(settled + 1).Sub(m.now()); wait > 0 {
			if err := m.wait(wait); err != nil {
				return err
			}
			continue // and see what became of it meanwhile
		}
		if err := m.voidExpired(uint64(m.now().Add(-settled).UnixNano())); err != nil {
			return err
		}
	}
	if err := m.flush(); err != nil {
		return err
	}
	if !found && m.have > m.last {
		return fmt.Errorf("%w: it has a transfer of %v that the old one has not", ErrNotEmpty, at(m.have))
	}
	return nil
}

func timeOf(t *ledger.Transfer) uint64 { return t.Timestamp }

// wait waits for a hold to end.
func (m *migration) wait(d time.Duration) error {
	m.tell("waiting for holds", m.holds.open())
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-m.ctx.Done():
		return m.ctx.Err()
	case <-timer.C:
		return nil
	}
}

// copyTransfer copies a row of the old ledger, and before it what had expired until then.
func (m *migration) copyTransfer(t *ledger.Transfer) error {
	inChain := len(m.batch) > 0 && m.batch[len(m.batch)-1].Flags.Has(ledger.TransferLinked)
	if !inChain {
		if err := m.voidExpired(t.Timestamp); err != nil {
			return err
		}
	}
	row := *t
	row.Flags |= ledger.TransferImported
	row.Timeout = 0
	switch {
	case t.Flags.Has(ledger.TransferPending) && t.Timeout > 0:
		m.holds.add(t)
	case t.Flags.Has(ledger.TransferPostPending), t.Flags.Has(ledger.TransferVoidPending):
		m.holds.remove(t.PendingID)
	}
	m.result.Transfers++
	return m.add(row)
}

// voidExpired voids the holds that had expired before a time, each at the first free moment
// after its expiry. If none is free before that time, it is tried again with the next row.
func (m *migration) voidExpired(before uint64) error {
	for {
		expiry, open := m.holds.first()
		if !open || expiry >= before {
			return nil
		}
		moment := m.free(max(expiry, m.last+1))
		if moment >= before {
			return nil
		}
		m.result.Expired++
		if err := m.add(m.holds.void(moment)); err != nil {
			return err
		}
	}
}

// free is the first moment from a moment on that no account has.
func (m *migration) free(moment uint64) uint64 {
	for contains(m.accounts, moment) {
		moment++
	}
	return moment
}

// add adds a row to the batch, and writes it when it is full and no chain is cut.
func (m *migration) add(t ledger.Transfer) error {
	m.last = t.Timestamp
	if t.Timestamp <= m.have { // an earlier run has written it
		m.result.Already++
		return nil
	}
	m.batch = append(m.batch, t)
	if len(m.batch) < m.most || t.Flags.Has(ledger.TransferLinked) {
		return nil
	}
	return m.flush()
}

// flush writes the batch. A chain may make it longer than most; chains are short.
func (m *migration) flush() error {
	if len(m.batch) == 0 {
		return nil
	}
	if err := m.check(m.batch[len(m.batch)-1].Timestamp); err != nil {
		return err
	}
	results, err := m.to.CreateTransfers(m.ctx, m.batch)
	if err != nil {
		return err
	}
	for i, r := range results {
		if r.Status != ledger.TransferCreated {
			return fmt.Errorf("%w: transfer %v of %v: %v", ErrRefused, m.batch[i].ID, at(m.batch[i].Timestamp), r.Status)
		}
	}
	m.batch = m.batch[:0]
	return nil
}
