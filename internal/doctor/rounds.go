package doctor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// describeRounds describes a journal of rounds.
func (s Subject) describeRounds(found *aggregate.JournalContent, r *Report) {
	subject := s.journalSubject()
	if len(s.Books.Config.Assets) > 0 && found.Namespace != s.Books.Config.Namespace {
		r.addFinding(JournalOther, subject, fmt.Sprintf("namespace %q; configured is %q", found.Namespace, s.Books.Config.Namespace))
	}
	text := fmt.Sprintf("journal of rounds %016x, namespace %q", found.Number, found.Namespace)
	switch {
	case found.OpenRound > 0:
		text += fmt.Sprintf(", round %d was sent and has no answer", found.OpenRound)
	case found.Round > 0:
		text += fmt.Sprintf(", the newest round is %d", found.Round)
	}
	if !found.NewestAt.IsZero() {
		text += fmt.Sprintf(", the last packet was resolved at %s UTC", found.NewestAt.UTC().Format(time.DateTime))
	}
	if found.TornBytes > 0 {
		text += fmt.Sprintf("; a crash has left %d bytes of an unconfirmed record at the end", found.TornBytes)
	}
	waiting := formatCount(int(found.PendingFulfills), "fulfill is", "fulfills are") + " in no round that the ledger is known to have"
	switch {
	case s.journal.inUse:
		r.addFinding(FolderInUse, subject, "a running connector has it open; a moment ago "+waiting+"; "+text)
	case found.PendingFulfills > 0:
		r.addFinding(JournalWaits, subject, waiting+"; "+text)
	default:
		r.addFinding(JournalRight, subject, "no fulfill waits; "+text)
	}
	if ahead := found.NewestAt.Sub(s.Now()); ahead > clockTolerance {
		r.addFinding(ClockBehind, "clock", fmt.Sprintf("the journal's newest packet is from %v in this machine's future: until then a recorder refuses packets as too short", ahead.Round(time.Second)))
	}
}

// checkRounds compares the journal of rounds with the ledger: one of both may be an old copy.
func (s Subject) checkRounds(ctx context.Context, session ledger.Ledger, r *Report) {
	if s.journal.rounds == nil {
		return
	}
	journal := s.journal.rounds
	err := journal.CheckLedger(ctx, session)
	switch {
	case errors.Is(err, aggregate.ErrOldJournal) && s.journal.inUse: // the connector has gone on
	case errors.Is(err, aggregate.ErrOldJournal):
		r.addFinding(JournalOld, s.journalSubject(), err.Error())
	case errors.Is(err, aggregate.ErrOldLedger):
		r.addFinding(LedgerOld, s.journalSubject(), err.Error())
	case err != nil:
		r.addFinding(BooksUnread, s.journalSubject(), err.Error())
	}
}

// examineArchive checks header and end of each file of a journal's archive of packets.
func (s Subject) examineArchive(journal uint64, r *Report) {
	folder := filepath.Join(s.Journal, packetlog.ArchiveFolder)
	subject := "archive in " + folder
	list, err := packetlog.ListArchives(folder)
	var size int64
	var packets uint64
	for _, a := range list {
		if a.Journal != journal {
			err = errors.Join(err, fmt.Errorf("%s belongs to journal %016x", a.Path, a.Journal))
		}
		size, packets = size+a.Size, packets+a.Packets
	}
	if err != nil {
		r.addFinding(ArchiveDamaged, subject, err.Error())
	}
	if len(list) == 0 {
		return
	}
	from, to := time.Unix(0, list[0].OldestResolvedAt), time.Unix(0, list[len(list)-1].NewestResolvedAt)
	r.addFinding(ArchiveRight, subject, fmt.Sprintf("%s with %d packets in %d MiB, resolved from %s to %s UTC", formatCount(len(list), "file", "files"),
		packets, size>>20, from.UTC().Format(time.DateTime), to.UTC().Format(time.DateTime)))
}
