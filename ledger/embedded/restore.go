package embedded

import (
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// ErrIncompatible is matched by the error of a folder that this version of the package would not
// have written: a repeated request has another answer than before, or a record has an unknown kind
// or length. Open the folder with the version that wrote it.
var ErrIncompatible = errors.New("embedded: the folder was written by other rules")

// recordFormat is the format of the records in a folder, of requests and of checkpoints.
const recordFormat = 1

// restoreRecord restores a record of the folder: first the records of the checkpoint, which are the
// books at its time, then the records of the log, whose requests are repeated.
func (b *books) restoreRecord(record wal.Record) error {
	r := &recordReader{unread: record.Data}
	err := b.restoreKind(record.Kind, r)
	if err == nil && !r.isComplete() {
		return fmt.Errorf("%w: a record of kind %d has %d bytes", ErrIncompatible, record.Kind, len(record.Data))
	}
	return err
}

func (b *books) restoreKind(kind uint8, r *recordReader) error {
	switch kind {
	case kindAccounts:
		return b.rerunAccounts(r)
	case kindTransfers:
		return b.rerunTransfers(r)
	case kindPulse:
		return b.rerunPulse(r)
	case kindStoredAccounts:
		return restoreRows(r, rowBytes, (*recordReader).readAccount, b.restoreAccount)
	case kindStoredTransfers:
		return restoreRows(r, rowBytes, (*recordReader).readTransfer, b.restoreTransfer)
	case kindExpired:
		return restoreRows(r, expiredBytes, (*recordReader).readExpired, b.restoreExpired)
	case kindFailed:
		return restoreRows(r, idBytes, (*recordReader).readID, b.restoreFailed)
	case kindClock:
		return b.restoreClock(r)
	default:
		return fmt.Errorf("%w: a record of kind %d", ErrIncompatible, kind)
	}
}

func (b *books) rerunAccounts(r *recordReader) error {
	last, answers := r.readUint64(), r.readUint32()
	results := b.createAccounts(readRows(r, rowBytes, (*recordReader).readAccount), last)
	b.clock.newestTimestamp = last
	return checkAnswers(last, answers, appendResults(nil, results, splitAccountResult))
}

func (b *books) rerunTransfers(r *recordReader) error {
	last, answers := r.readUint64(), r.readUint32()
	results := b.createTransfers(readRows(r, rowBytes, (*recordReader).readTransfer), last)
	b.clock.newestTimestamp = last
	return checkAnswers(last, answers, appendResults(nil, results, splitTransferResult))
}

func checkAnswers(last uint64, want uint32, answers []byte) error {
	if checksumOf(answers) != want {
		return fmt.Errorf("%w: the request of timestamp %d has other answers now", ErrIncompatible, last)
	}
	return nil
}

func (b *books) rerunPulse(r *recordReader) error {
	timestamp, maxHolds, released := r.readUint64(), int(r.readUint32()), int(r.readUint32())
	now := b.releaseExpired(timestamp, maxHolds)
	b.clock.newestTimestamp = timestamp
	if now != released {
		return fmt.Errorf("%w: %d holds expired at timestamp %d, now %d", ErrIncompatible, released, timestamp, now)
	}
	return nil
}

func restoreRows[T any](r *recordReader, bytes int, read func(*recordReader) T, restore func(T) error) error {
	for _, row := range readRows(r, bytes, read) {
		if err := restore(row); err != nil {
			return err
		}
	}
	return nil
}

func (b *books) restoreAccount(a ledger.Account) error {
	if _, known := b.accountPosition(a.ID); known {
		return fmt.Errorf("%w: account %v twice", ErrIncompatible, a.ID)
	}
	b.addAccount(&a, a.Timestamp)
	return nil
}

// restoreTransfer restores a transfer, and the state of the hold that it starts or ends.
func (b *books) restoreTransfer(t ledger.Transfer) error {
	debitPos, debitFound := b.accountPosition(t.DebitAccountID)
	creditPos, creditFound := b.accountPosition(t.CreditAccountID)
	if _, known := b.transferPosition(t.ID); known || !debitFound || !creditFound {
		return fmt.Errorf("%w: transfer %v is there twice, or without its accounts", ErrIncompatible, t.ID)
	}
	stored := b.addTransfer(&t, debitPos, creditPos, t.Timestamp)
	switch {
	case t.Flags.Has(ledger.TransferPending):
		stored.holdState = holdPending
	case t.Flags.Any(ledger.TransferPostPending | ledger.TransferVoidPending):
		hold := b.findTransfer(t.PendingID)
		if hold == nil || hold.holdState != holdPending {
			return fmt.Errorf("%w: transfer %v ends no hold", ErrIncompatible, t.ID)
		}
		hold.holdState = resolvedState(&t)
	}
	return nil
}

func (b *books) restoreExpired(e expiredHold) error {
	if e.hold >= b.transfers.count || b.transfers.rowAt(e.hold).holdState != holdPending {
		return fmt.Errorf("%w: the transfer expired at %d is no pending hold", ErrIncompatible, e.timestamp)
	}
	b.transfers.rowAt(e.hold).holdState = holdExpired
	*b.expired.appendRow() = e
	return nil
}

func (b *books) restoreFailed(id ledger.ID) error {
	b.burntIDs.addID(id)
	return nil
}

// restoreClock ends a checkpoint. All ended holds are known by now, so the pending holds with a
// timeout are put into the schedule.
func (b *books) restoreClock(r *recordReader) error {
	b.clock.newestTimestamp = r.readUint64()
	for pos := range b.transfers.count {
		if t := b.transfers.rowAt(pos); t.holdState == holdPending && t.Timeout != 0 {
			b.expiries.addEntry(expiryOf(&t.Transfer), pos)
		}
	}
	return nil
}
