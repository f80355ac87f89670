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

// recordFormat is the format of the records in a folder, of requests and of checkpoints. In format 1
// a checkpoint has all transfers (convert.go). The numbers between them are left to the journals of
// recorders, which are folders of package wal too.
const recordFormat = 16

// restoreRecord restores a record of the folder: first the records of the checkpoint, which are the
// books at its time, then the records of the log, whose requests are repeated.
func (b *books) restoreRecord(record wal.Record) error {
	r := &recordReader{unread: record.Data}
	if err := b.restoreKind(record.Kind, r); err != nil {
		return err
	}
	return r.checkComplete(record)
}

// checkComplete returns an error unless the record had exactly the bytes that were read.
func (r *recordReader) checkComplete(record wal.Record) error {
	if r.short || len(r.unread) > 0 {
		return fmt.Errorf("%w: a record of kind %d has %d bytes", ErrIncompatible, record.Kind, len(record.Data))
	}
	return nil
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
	case kindSegments:
		return b.restoreSegments(r)
	case kindIDIndex:
		return b.cold.openIndex(r)
	case kindHolds:
		return restoreRows(r, holdBytes, (*recordReader).readHold, b.restoreHold)
	case kindClock:
		return b.restoreClock(r)
	default:
		return fmt.Errorf("%w: a record of kind %d", ErrIncompatible, kind)
	}
}

func (b *books) rerunAccounts(r *recordReader) error {
	last, answers := r.readUint64(), r.readUint32()
	results, err := b.createAccounts(readRows(r, rowBytes, (*recordReader).readAccount), last)
	if err != nil {
		return err
	}
	b.clock.newestTimestamp = last
	return checkAnswers(last, answers, appendResults(nil, results, splitAccountResult))
}

func (b *books) rerunTransfers(r *recordReader) error {
	last, answers := r.readUint64(), r.readUint32()
	transfers := readRows(r, rowBytes, (*recordReader).readTransfer)
	if !b.hot.hasRoom(len(transfers)) {
		b.freeze() // the ledger was frozen too: checkpoints had failed, and all generations are in the log
	}
	results, err := b.createTransfers(transfers, last)
	if err != nil {
		return err
	}
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

// restoreSegments opens the segments of a record. The hot rows begin behind the last one.
func (b *books) restoreSegments(r *recordReader) error {
	if err := b.cold.openSegments(r); err != nil {
		return err
	}
	b.hot.first = b.cold.end()
	return nil
}

func (b *books) restoreHold(h lateHold) error {
	if h.position >= b.cold.end() || place(max(h.debit, h.credit)) >= b.accounts.count {
		return fmt.Errorf("%w: hold %v is in no segment, or without its accounts", ErrIncompatible, h.ID)
	}
	b.holds.addHold(&h.storedTransfer, h.position)
	return nil
}

// restoreClock ends a checkpoint. All pending holds are known by now, so those with a timeout are put
// into the schedule.
func (b *books) restoreClock(r *recordReader) error {
	b.clock.newestTimestamp = r.readUint64()
	for _, h := range b.holds.pendingHolds() {
		if h.Timeout != 0 {
			b.expiries.addEntry(h.expiry(), h.position)
		}
	}
	return nil
}
