package transfers

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
)

// JournalContent is what is in the journal of a recorder that does not run.
type JournalContent struct {
	Namespace string // of the accounts; "" if the journal has not begun
	// PendingFulfills is how many fulfills the next recorder records before anything else. The
	// ledger may have some of them already: that changes nothing.
	PendingFulfills int
	// NewestExpiry is the latest Packet.Expiry of those that wait; zero if none does.
	NewestExpiry time.Time
	// TornBytes is how much of a record a crash has left at the end, which nobody was told
	// was kept. 0 is none.
	TornBytes int64
}

// ReadJournal looks at a journal (Config.Journal) while no recorder has it open, and changes
// nothing in it. The error is a JournalError, which matches ErrJournalInUse, ErrJournalCorrupt
// or ErrJournalForeign, or fs.ErrNotExist if there is no journal in the folder.
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

// anyJournal is what was left by a recorder of any namespace, of one and the same.
type anyJournal struct{ recoveredJournal }

func (f *anyJournal) restoreRecord(r wal.Record) error {
	if r.Kind == recordOwner && !f.ownerRead && len(r.Data) > 0 {
		f.namespace = string(r.Data[1:])
	}
	return f.recoveredJournal.restoreRecord(r)
}
