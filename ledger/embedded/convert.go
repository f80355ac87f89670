package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerledger/peerledger/internal/idindex"
	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/internal/segment"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// Folders of format 1 have all transfers in their checkpoint. Open converts them: it repeats the
// transfers of the checkpoint on empty accounts, and writes a segment whenever enough rows are in
// memory. The balances at the end must be those of the checkpoint. A last checkpoint, of the present
// format, names the segments. Until it is there the old files stay and count, so a conversion that
// was interrupted begins again.

// The records of a checkpoint of format 1, in this order: kindStoredAccounts, these, and kindClock.
const (
	kindStoredTransfers = 17 // transfers
	kindExpired         = 18 // timestamp, position of the hold, position of the next transfer
	kindFailed          = 19 // burnt ids
)

const expiredBytes = 16

// conversion restores the records of a folder of format 1.
type conversion struct {
	books    *books
	accounts rows[ledger.Account] // as in the checkpoint
	expired  []expiredHold        // of the checkpoint, not repeated yet
	rowsMax  place                // rows in memory for a segment; 0 keeps all in memory
}

// newConversion begins to restore a folder, which is locked. Expiries come behind the transfers in the checkpoint, and
// are needed before: so they are read first.
func (l *Ledger) newConversion(path string, readOnly bool) (*conversion, error) {
	c := &conversion{books: &l.books}
	if !readOnly {
		c.rowsMax = place(max(1, l.checkpointMin/rowBytes))
	}
	_, err := wal.ReadLive(path, folderFormat, l.progress.count(func(record wal.Record) error {
		if record.Kind != kindExpired {
			return nil
		}
		r := &recordReader{unread: record.Data}
		c.expired = append(c.expired, readRows(r, expiredBytes, (*recordReader).readExpired)...)
		return r.checkComplete(record)
	}))
	return c, err
}

func (r *recordReader) readExpired() expiredHold {
	return expiredHold{timestamp: r.readUint64(), hold: position(r.readUint32()), nextTransfer: position(r.readUint32())}
}

func (c *conversion) restoreRecord(record wal.Record) error {
	r := &recordReader{unread: record.Data}
	var err error
	switch record.Kind {
	case kindStoredAccounts:
		err = restoreRows(r, rowBytes, (*recordReader).readAccount, c.restoreAccount)
	case kindStoredTransfers:
		err = restoreRows(r, rowBytes, (*recordReader).readTransfer, c.restoreTransfer)
	case kindExpired:
		r.takeBytes(len(r.unread)) // known already
	case kindFailed:
		err = restoreRows(r, idBytes, (*recordReader).readID, c.restoreFailed)
	case kindClock:
		if err = c.finishCheckpoint(); err == nil {
			err = c.books.restoreClock(r)
		}
	default:
		err = c.books.restoreKind(record.Kind, r)
	}
	if err == nil {
		err = r.checkComplete(record)
	}
	if err == nil {
		err = c.sealIfFull()
	}
	return err
}

// sealIfFull seals the hot rows if there are enough for a segment.
func (c *conversion) sealIfFull() error {
	if c.rowsMax == 0 || c.books.hot.transfers.count < c.rowsMax {
		return nil
	}
	return c.books.sealNow(context.Background()) //nolint:forbidigo // Open has no context
}

// restoreAccount adds an account, empty and open.
func (c *conversion) restoreAccount(a ledger.Account) error {
	*c.accounts.appendRow() = a
	start := accountState{flags: a.Flags &^ ledger.AccountClosed}
	start.setOn(&a)
	return c.books.restoreAccount(a)
}

// restoreTransfer repeats a transfer, after the expiries before it.
func (c *conversion) restoreTransfer(t ledger.Transfer) error {
	b := c.books
	if err := c.restoreExpiries(b.transferEnd()); err != nil {
		return err
	}
	debitPos, debitFound := b.accountPosition(t.DebitAccountID)
	creditPos, creditFound := b.accountPosition(t.CreditAccountID)
	if known, _ := b.findInMemory(t.ID); known != nil || !debitFound || !creditFound {
		return fmt.Errorf("%w: transfer %v is there twice, or without its accounts", ErrIncompatible, t.ID)
	}
	if !t.Flags.Any(ledger.TransferPostPending | ledger.TransferVoidPending) {
		stored := b.addTransfer(&t, debitPos, creditPos, t.Timestamp)
		if t.Flags.Has(ledger.TransferPending) {
			stored.holdState = holdPending
		}
		applyMovement(effectOf(&t), b.changeAccount(debitPos), b.changeAccount(creditPos))
		return nil
	}
	hold, pos := b.findHold(t.PendingID)
	if hold == nil || hold.holdState != holdPending {
		return fmt.Errorf("%w: transfer %v ends no hold", ErrIncompatible, t.ID)
	}
	b.addTransfer(&t, debitPos, creditPos, t.Timestamp).hold = shortenPosition(pos)
	b.endHold(pos, resolvedState(&t))
	applyResolution(effectOf(&t), hold.effect(), b.changeAccount(debitPos), b.changeAccount(creditPos))
	return nil
}

// restoreExpiries repeats the expiries before the transfer at a position.
func (c *conversion) restoreExpiries(before position) error {
	for len(c.expired) > 0 && c.expired[0].nextTransfer <= before {
		e := c.expired[0]
		c.expired = c.expired[1:]
		if c.books.pendingAt(e.hold) == nil {
			return fmt.Errorf("%w: the transfer expired at %d is no pending hold", ErrIncompatible, e.timestamp)
		}
		c.books.expireHold(e.hold)
		expired := &c.books.hot.expired
		expired.rowAt(expired.count - 1).timestamp = e.timestamp
	}
	return nil
}

func (c *conversion) restoreFailed(id ledger.ID) error {
	c.books.hot.burnt.addID(id)
	return nil
}

// finishCheckpoint compares the accounts with those of the checkpoint.
func (c *conversion) finishCheckpoint() error {
	if err := c.restoreExpiries(noPosition); err != nil {
		return err
	}
	for p := range c.accounts.count {
		have, want := c.books.accounts.rowAt(p), c.accounts.rowAt(p)
		have.Flags = want.Flags // an account created closed has no transfer
		if *have != *want {
			return fmt.Errorf("%w: account %v has other balances than its transfers make", ErrIncompatible, want.ID)
		}
	}
	c.accounts = rows[ledger.Account]{}
	b := c.books
	for p := range b.hot.transfers.count {
		if t := b.hot.transfers.rowAt(p); t.holdState == holdPending && t.Timeout != 0 {
			b.expiries.addEntry(t.expiry(), b.hot.positionOf(p))
		}
	}
	return nil
}

// commitConversion writes the checkpoint that ends a conversion.
func (l *Ledger) commitConversion() error {
	ctx := context.Background() //nolint:forbidigo // Open has no context
	s, c := l.books.beginSeal(), l.journal.log.Checkpoint()
	if err := commitSeal(ctx, c, s); err != nil {
		return err
	}
	l.books.finishSeal(s)
	return nil
}

// prepareConversion prepares the folder, whose checkpoint and log have the bytes, for the files of a
// conversion. It removes those of one that was killed.
func (r *restorer) prepareConversion(bytes int64) error {
	if r.readOnly {
		return nil
	}
	if err := r.ledger.books.cold.prepare(); err != nil {
		return err
	}
	if err := r.ledger.space.checkRoom(bytes); err != nil {
		return fmt.Errorf("convert the folder, which needs %d MiB beside the reserve; open it again when there is room: %w", bytes>>20, err)
	}
	return nil
}

// removeConverted removes the files of a conversion that has failed, so that the folder and the room on
// the disk are as before. All files of the ledger are closed.
func (r *restorer) removeConverted() error {
	if !r.isOld {
		return nil
	}
	_, release, err := wal.LockFolder(r.path)
	switch {
	case errors.Is(err, wal.ErrLocked): // another process converts the folder by now
		return nil
	case err != nil:
		return err
	}
	format, err := wal.RecordFormat(r.path)
	if err == nil && format < recordFormat { // else the checkpoint that names the files is there
		folder := sealed.OSFolder(r.path)
		err = errors.Join(segment.RemoveUnnamed(folder, nil), idindex.RemoveUnnamed(folder, nil))
	}
	return errors.Join(err, release())
}
