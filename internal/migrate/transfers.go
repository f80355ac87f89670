package migrate

import (
	"fmt"
	"slices"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// copyTransfers copies all transfers, and follows the old ledger until no hold with a timeout is
// left: a client may still resolve a hold.
func (m *migration) copyTransfers() (err error) {
	if m.newestCopied, err = readNewest(m.ctx, m.to.QueryTransfers, transferTime); err != nil {
		return err
	}
	read, found := uint64(0), m.newestCopied == 0
	for {
		err := eachPage(m.ctx, m.from.QueryTransfers, transferTime, read, m.pageSize, func(page []ledger.Transfer) error {
			for i := range page {
				found = found || page[i].Timestamp == m.newestCopied
				if err := m.copyTransfer(&page[i]); err != nil {
					return err
				}
			}
			read = page[len(page)-1].Timestamp
			m.reportProgress("transfers", m.result.Transfers)
			return nil
		})
		if err != nil {
			return err
		}
		expiry, open := m.holds.nextExpiry()
		if !open {
			break
		}
		// One nanosecond more: voidExpired voids only holds that expired before its time.
		if wait := toTime(expiry).Add(minAge + 1).Sub(m.now()); wait > 0 {
			if err := m.waitForHolds(wait); err != nil {
				return err
			}
			continue // read the rows that were written meanwhile
		}
		if err := m.voidExpired(uint64(m.now().Add(-minAge).UnixNano())); err != nil {
			return err
		}
	}
	if err := m.writeBatch(); err != nil {
		return err
	}
	if !found && m.newestCopied > m.newestWritten {
		return fmt.Errorf("%w: it has a transfer of %v that the old ledger lacks", ErrNotEmpty, toTime(m.newestCopied))
	}
	return nil
}

// transferTime returns a transfer's timestamp.
func transferTime(t *ledger.Transfer) uint64 { return t.Timestamp }

// waitForHolds waits for the timeout of a hold.
func (m *migration) waitForHolds(d time.Duration) error {
	m.reportProgress("waiting for holds", m.holds.countOpen())
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-m.ctx.Done():
		return m.ctx.Err()
	case <-timer.C:
		return nil
	}
}

// copyTransfer copies a row of the old ledger, after voiding the holds that expired before it.
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
		m.holds.addHold(t)
	case t.Flags.Has(ledger.TransferPostPending), t.Flags.Has(ledger.TransferVoidPending):
		m.holds.removeHold(t.PendingID)
	}
	m.result.Transfers++
	return m.addTransfer(row)
}

// voidExpired voids the holds that expired before a time, each at the first free time after its
// expiry. If there is no free time before, the next row tries again.
func (m *migration) voidExpired(before uint64) error {
	for {
		expiry, open := m.holds.nextExpiry()
		if !open || expiry >= before {
			return nil
		}
		moment := m.nextFreeTime(max(expiry, m.newestWritten+1))
		if moment >= before {
			return nil
		}
		m.result.Expired++
		if err := m.addTransfer(m.holds.voidNext(moment)); err != nil {
			return err
		}
	}
}

// nextFreeTime returns the first time from moment on that no account has.
func (m *migration) nextFreeTime(moment uint64) uint64 {
	for containsTime(m.accounts, moment) {
		moment++
	}
	return moment
}

// addTransfer adds a row to the batch. It writes the batch when the batch is full and ends with a
// complete chain.
func (m *migration) addTransfer(t ledger.Transfer) error {
	m.newestWritten = t.Timestamp
	if t.Timestamp <= m.newestCopied { // written by an earlier run
		m.result.AlreadyCopied++
		return nil
	}
	m.batch = append(m.batch, t)
	inChain := t.Flags.Has(ledger.TransferLinked)
	switch {
	case inChain && len(m.batch) >= m.requestMax:
		return m.makeRoom()
	case inChain || len(m.batch) < m.pageSize:
		return nil
	default:
		return m.writeBatch()
	}
}

// makeRoom writes a part of a batch that ends inside of a chain and takes no more rows: the rows
// before the chain, or the rows of the chain so far. A round of packets is a chain of up to
// [ledger.BatchMax] rows, and the new ledger may take fewer. The chain was applied in the old
// ledger, so the copy need not be a chain.
func (m *migration) makeRoom() error {
	start := len(m.batch) - 1
	for start > 0 && m.batch[start-1].Flags.Has(ledger.TransferLinked) {
		start--
	}
	if start == 0 {
		m.batch[len(m.batch)-1].Flags &^= ledger.TransferLinked
		return m.writeBatch()
	}
	chain := slices.Clone(m.batch[start:])
	m.batch = m.batch[:start]
	err := m.writeBatch()
	m.batch = append(m.batch, chain...)
	return err
}

// writeBatch writes the batch. A chain may make the batch longer than pageSize, up to requestMax.
func (m *migration) writeBatch() error {
	if len(m.batch) == 0 {
		return nil
	}
	if err := m.checkAge(m.batch[len(m.batch)-1].Timestamp); err != nil {
		return err
	}
	results, err := m.to.CreateTransfers(m.ctx, m.batch)
	if err != nil {
		return err
	}
	for i, r := range results {
		if r.Status != ledger.TransferCreated {
			return fmt.Errorf("%w: transfer %v of %v: %v", ErrRefused, m.batch[i].ID, toTime(m.batch[i].Timestamp), r.Status)
		}
	}
	m.batch = m.batch[:0]
	return nil
}
