package aggregate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// ErrOldLedger is returned by [JournalContent.CheckLedger] when the ledger lacks rounds that the journal
// has as written: the ledger is an old copy, or another ledger. Fulfills of these rounds are booked
// nowhere.
var ErrOldLedger = errors.New("aggregate: the ledger is older than the journal")

// JournalContent is the content of a journal. Its archive is read by other means.
type JournalContent struct {
	Namespace string // of the accounts
	Number    uint64 // of the journal: rows in the ledger have it in user_data_64
	// PendingFulfills is how many fulfills have an amount and are in no round that the ledger is
	// known to have. The next recorder books them; the ledger may have some already.
	PendingFulfills uint64
	Round           uint64 // number of the newest round that the ledger is known to have; 0: none
	// OpenRound is the number of a round whose answer is missing; 0: none. The next recorder asks for it.
	OpenRound   uint64
	OpenAttempt uint32 // the newest attempt of OpenRound, from 0
	// NewestAt is the recorder's wall clock at the newest fulfill or reject; zero if there is none.
	NewestAt time.Time
	// TornBytes is the length of an unfinished record that a crash has left at the end. No caller was
	// promised that it is kept. 0 if there is none.
	TornBytes int64

	newest packetlog.Round // with rows in the ledger; zero if the log has none behind its checkpoint
}

// ReadJournal reads a journal ([Config].JournalFolder) that no recorder has open, and changes nothing
// in it. The error is a [*transfers.JournalError]. It matches [transfers.ErrJournalInUse],
// [transfers.ErrJournalCorrupt], [transfers.ErrJournalForeign], or [fs.ErrNotExist] if the folder has no
// journal.
func ReadJournal(folder string) (JournalContent, error) { return readContent(folder, wal.Read) }

// ReadOpenJournal is [ReadJournal] for a journal that a recorder may have open, in any process, without
// disturbing it. The content is of some moment during the call: the recorder has gone on since.
func ReadOpenJournal(folder string) (JournalContent, error) { return readContent(folder, wal.ReadLive) }

func readContent(folder string, read func(string, wal.Format, func(wal.Record) error) (wal.Content, error)) (JournalContent, error) {
	r := &contentReader{}
	content, err := read(folder, journalFormat, r.addRecord)
	switch {
	case errors.Is(err, wal.ErrNoLog):
		err = fmt.Errorf("there is no journal: %w", fs.ErrNotExist)
	case err == nil && !r.ownerRead:
		err = fmt.Errorf("there is no journal: it has no record yet: %w", fs.ErrNotExist)
	}
	if err != nil {
		return JournalContent{}, &transfers.JournalError{Folder: folder, Err: err}
	}
	if content.Torn != nil {
		r.content.TornBytes = content.Torn.Bytes
	}
	return r.finish(), nil
}

// contentReader reads the records of a journal of any namespace.
type contentReader struct {
	content   JournalContent
	ownerRead bool
	decoder   packetlog.Decoder
	clock     int64
	unbooked  []unbookedSum // behind the newest attempt
	attempted uint64        // packets of the open round
}

// unbookedSum is a fulfill, or a tally of a checkpoint, that no attempt of a round has.
type unbookedSum struct {
	through uint64 // number of the last fulfill in it
	packets uint64
}

// addRecord reads a record. The error matches [transfers.ErrJournalForeign].
func (c *contentReader) addRecord(record wal.Record) error {
	read := &recordReader{rest: record.Data}
	switch {
	case record.Kind == packetlog.KindOwner:
		c.ownerRead, c.content.Number, c.content.Namespace = true, read.readU64(), string(read.rest)
		return read.err
	case !c.ownerRead:
		return fmt.Errorf("%w: a record of kind %d before its owner's", transfers.ErrJournalForeign, record.Kind)
	}
	var err error
	switch record.Kind {
	case packetlog.KindParty:
		err = c.decoder.AddParty(record.Data)
	case packetlog.KindFulfill, packetlog.KindReject:
		err = c.addPacket(record.Data)
	case packetlog.KindAttempt:
		var through uint64
		c.content.OpenRound, through, c.attempted = read.readU64(), read.readU64(), read.readU64()
		read.readBytes(8) // digest of the packets
		c.content.OpenAttempt, err = read.readU32(), read.err
		c.unbooked = slices.DeleteFunc(c.unbooked, func(u unbookedSum) bool { return u.through <= through })
	case packetlog.KindApplied:
		var applied packetlog.Round
		if applied, err = packetlog.ReadRound(record.Data); err == nil {
			c.content.Round, c.attempted, c.content.OpenRound, c.content.OpenAttempt = applied.Number, 0, 0, 0
			if applied.At != 0 { // else it has no rows: see journalAttempt
				c.content.newest = applied
			}
		}
	case packetlog.KindState:
		c.clock = max(c.clock, int64(read.readU64()))
		c.content.Round, err = read.readU64(), read.err
	case packetlog.KindArchives:
	case packetlog.KindTally:
		c.unbooked = append(c.unbooked, unbookedSum{read.readU64(), read.readU64()})
		err = read.err
	default:
		return fmt.Errorf("%w: a record of kind %d", transfers.ErrJournalForeign, record.Kind)
	}
	if err != nil && !errors.Is(err, transfers.ErrJournalForeign) {
		err = fmt.Errorf("%w: %w", transfers.ErrJournalForeign, err)
	}
	return err
}

// addPacket reads a fulfill or a reject.
func (c *contentReader) addPacket(data []byte) error {
	p, _, _, err := c.decoder.ReadPacket(data)
	if err != nil {
		return err
	}
	c.clock = max(c.clock, p.ResolvedAt)
	flows := flowsOfAmounts(heldAmounts{p.In, p.Out, p.Dust}, p.From.Peer == "", p.To.Peer == "", p.From.Ledger == p.To.Ledger)
	if !p.IsRejected() && !flows.isEmpty() {
		c.unbooked = append(c.unbooked, unbookedSum{p.Number, 1})
	}
	return nil
}

// finish returns the content.
func (c *contentReader) finish() JournalContent {
	c.content.PendingFulfills = c.attempted
	for _, u := range c.unbooked {
		c.content.PendingFulfills += u.packets
	}
	if c.clock > 0 {
		c.content.NewestAt = time.Unix(0, c.clock).UTC()
	}
	return c.content
}

// CheckLedger compares the journal with the rounds of a ledger, with one look-up. The error matches
// [ErrOldJournal] if the ledger has later rounds: a recorder refuses the journal. It matches [ErrOldLedger]
// if the ledger lacks the journal's newest round; right after a checkpoint of the journal, that round is
// not known and not checked. All further errors are of the request. For a journal of
// [ReadOpenJournal], ErrOldJournal means nothing: the recorder has written later rounds since.
func (c *JournalContent) CheckLedger(ctx context.Context, l ledger.Ledger) error {
	newestRound := round{journal: c.Number, number: c.newest.Number, attempt: c.newest.Attempt}
	newest := newestRound.legIDIn(c.Namespace, 0)
	rows, err := l.LookupTransfers(ctx, append(c.laterIDs(), newest))
	if err != nil {
		return err
	}
	hasNewest := false
	for i := range rows {
		if rows[i].ID != newest {
			return fmt.Errorf("%w: the ledger has more than round %d", ErrOldJournal, max(c.Round, c.OpenRound))
		}
		hasNewest = true
	}
	if !hasNewest && c.newest.Number > 0 {
		return fmt.Errorf("%w: the ledger lacks round %d", ErrOldLedger, c.newest.Number)
	}
	return nil
}

// laterIDs returns the ids of the first legs of attempts and rounds behind the journal's last.
func (c *JournalContent) laterIDs() []ledger.ID {
	last := round{journal: c.Number, number: max(c.Round, c.OpenRound), attempt: c.OpenAttempt}
	return last.laterIDs(c.Namespace, c.OpenRound > 0)
}
