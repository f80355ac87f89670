package transfers

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
	"unicode/utf8"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// JournalContent is the content of a journal that no recorder has open.
type JournalContent struct {
	Namespace string // of the accounts; "" if the journal has no record yet
	// PendingFulfills is how many fulfills the next recorder records before anything else. The
	// ledger may have some of them already; recording them again changes nothing.
	PendingFulfills int
	// NewestExpiry is the latest [Packet].Expiry of the pending fulfills; zero if there is none.
	NewestExpiry time.Time
	// TornBytes is the length of an unfinished record that a crash has left at the end. No
	// caller was promised that it is kept. 0 if there is none.
	TornBytes int64
}

// ReadJournal reads a journal ([Config].JournalFolder) that no recorder has open, and changes nothing
// in it. The error is a [*JournalError]. It matches [ErrJournalInUse], [ErrJournalCorrupt],
// [ErrJournalForeign], or [fs.ErrNotExist] if the folder has no journal.
func ReadJournal(folder string) (c JournalContent, err error) {
	found := &anyJournal{recoveredJournal{indexByPacket: make(map[ledger.ID][]int)}}
	content, err := wal.Read(folder, journalFormat, found.restoreRecord)
	if errors.Is(err, wal.ErrNoLog) {
		err = fmt.Errorf("there is no journal: %w", fs.ErrNotExist)
	}
	if err != nil {
		return c, &JournalError{Folder: folder, Err: err}
	}
	c.Namespace = found.namespace
	if content.Torn != nil {
		c.TornBytes = content.Torn.Bytes
	}
	for _, r := range found.fulfills {
		if r.refused {
			continue
		}
		c.PendingFulfills++
		if r.packet.Expiry.After(c.NewestExpiry) {
			c.NewestExpiry = r.packet.Expiry
		}
	}
	return c, nil
}

// anyJournal restores the journal of whichever namespace its owner record has.
type anyJournal struct{ recoveredJournal }

func (f *anyJournal) restoreRecord(r wal.Record) error {
	if r.Kind == recordOwner && !f.ownerRead && len(r.Data) > 0 {
		// The first record of a ledger's folder has the same kind, and bytes that are no text.
		if !utf8.Valid(r.Data[1:]) {
			return fmt.Errorf("%w: the owner record's namespace is no text", ErrJournalForeign)
		}
		f.namespace = string(r.Data[1:])
	}
	return f.recoveredJournal.restoreRecord(r)
}
