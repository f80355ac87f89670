package embedded

import (
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// ErrIncompatible says that a folder holds what this version of the package would not
// have written: a request, run again, is answered otherwise than it was, or a record
// is of a kind or length that is not known. Open it with the version that wrote it.
var ErrIncompatible = errors.New("embedded: the folder was written by other rules")

// recordFormat is that of the records of a folder: of requests and of checkpoints.
const recordFormat = 1

// restore puts a record of the folder back into the books: first those of the
// checkpoint, which are the books as they were, then those of the log, whose
// requests are run again.
func (b *books) restore(record wal.Record) error {
	r := &reader{rest: record.Data}
	err := b.restoreKind(record.Kind, r)
	if err == nil && !r.done() {
		return fmt.Errorf("%w: a record of kind %d has %d bytes", ErrIncompatible, record.Kind, len(record.Data))
	}
	return err
}

func (b *books) restoreKind(kind uint8, r *reader) error {
	switch kind {
	case kindAccounts:
		return b.rerunAccounts(r)
	case kindTransfers:
		return b.rerunTransfers(r)
	case kindPulse:
		return b.rerunPulse(r)
	case kindStoredAccounts:
		return restoreRows(r, rowBytes, (*reader).account, b.restoreAccount)
	case kindStoredTransfers:
		return restoreRows(r, rowBytes, (*reader).transfer, b.restoreTransfer)
	case kindExpired:
		return restoreRows(r, expiredBytes, (*reader).expired, b.restoreExpired)
	case kindFailed:
		return restoreRows(r, idBytes, (*reader).id, b.restoreFailed)
	case kindClock:
		return b.restoreClock(r)
	default:
		return fmt.Errorf("%w: a record of kind %d", ErrIncompatible, kind)
	}
}

func (b *books) rerunAccounts(r *reader) error {
	last, answers := r.uint64(), r.uint32()
	results := b.createAccounts(readRows(r, rowBytes, (*reader).account), last)
	b.clock.last = last
	return checkAnswers(last, answers, appendResults(nil, results, accountResult))
}

func (b *books) rerunTransfers(r *reader) error {
	last, answers := r.uint64(), r.uint32()
	results := b.createTransfers(readRows(r, rowBytes, (*reader).transfer), last)
	b.clock.last = last
	return checkAnswers(last, answers, appendResults(nil, results, transferResult))
}

func checkAnswers(last uint64, want uint32, answers []byte) error {
	if checksum(answers) != want {
		return fmt.Errorf("%w: the request of timestamp %d has other answers now", ErrIncompatible, last)
	}
	return nil
}

func (b *books) rerunPulse(r *reader) error {
	timestamp, most, released := r.uint64(), int(r.uint32()), int(r.uint32())
	now := b.pulse(timestamp, most)
	b.clock.last = timestamp
	if now != released {
		return fmt.Errorf("%w: %d holds expired at timestamp %d, now %d", ErrIncompatible, released, timestamp, now)
	}
	return nil
}

func restoreRows[T any](r *reader, bytes int, read func(*reader) T, restore func(T) error) error {
	for _, row := range readRows(r, bytes, read) {
		if err := restore(row); err != nil {
			return err
		}
	}
	return nil
}

func (b *books) restoreAccount(a ledger.Account) error {
	if _, known := b.accountAt(a.ID); known {
		return fmt.Errorf("%w: account %v twice", ErrIncompatible, a.ID)
	}
	b.addAccount(&a, a.Timestamp)
	return nil
}

// restoreTransfer also gives the holds that it makes or ends their states.
func (b *books) restoreTransfer(t ledger.Transfer) error {
	debitAt, debitFound := b.accountAt(t.DebitAccountID)
	creditAt, creditFound := b.accountAt(t.CreditAccountID)
	if _, known := b.transferAt(t.ID); known || !debitFound || !creditFound {
		return fmt.Errorf("%w: transfer %v is there twice, or without its accounts", ErrIncompatible, t.ID)
	}
	stored := b.addTransfer(&t, debitAt, creditAt, t.Timestamp)
	switch {
	case t.Flags.Has(ledger.TransferPending):
		stored.hold = held
	case t.Flags.Any(ledger.TransferPostPending | ledger.TransferVoidPending):
		hold := b.findTransfer(t.PendingID)
		if hold == nil || hold.hold != held {
			return fmt.Errorf("%w: transfer %v ends no hold", ErrIncompatible, t.ID)
		}
		hold.hold = outcomeOf(&t)
	}
	return nil
}

func (b *books) restoreExpired(e expired) error {
	if e.hold >= b.transfers.len || b.transfers.at(e.hold).hold != held {
		return fmt.Errorf("%w: what expired at %d was no hold", ErrIncompatible, e.timestamp)
	}
	b.transfers.at(e.hold).hold = lapsed
	*b.expired.add() = e
	return nil
}

func (b *books) restoreFailed(id ledger.ID) error {
	b.failed.add(id)
	return nil
}

// restoreClock ends a checkpoint. Now that it is known which holds have ended, the
// others are put into the schedule.
func (b *books) restoreClock(r *reader) error {
	b.clock.last = r.uint64()
	for at := range b.transfers.len {
		if t := b.transfers.at(at); t.hold == held && t.Timeout != 0 {
			b.expiries.add(expiryOf(&t.Transfer), at)
		}
	}
	return nil
}
