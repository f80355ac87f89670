package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/peerledger/peerledger/ledger/embedded"
	"github.com/peerledger/peerledger/transfers"
	"github.com/peerledger/peerledger/transfers/aggregate"
)

// examineFolder checks a closed embedded ledger, its books and its volume.
func (s Subject) examineFolder(ctx context.Context, r *Report) {
	subject := "ledger in " + s.Folder
	l, err := embedded.Read(s.Folder, embedded.WithClock(s.Now))
	if err != nil {
		r.addFolderError(subject, err)
		return
	}
	defer func() { _ = l.Close() }() // its error is always nil
	if err := l.VerifyFiles(ctx); err != nil {
		r.addFolderError(subject, err)
		return
	}
	found := l.Recovery()
	text := fmt.Sprintf("%s, %s", formatCount(found.Accounts, "account", "accounts"), formatCount(found.Transfers, "transfer", "transfers"))
	if found.TornBytes > 0 {
		text += fmt.Sprintf("; a crash has left %d bytes of an unanswered request at the end", found.TornBytes)
	}
	if v := readVolume(s.Folder); v.size > 0 {
		text += fmt.Sprintf("; %.1f GiB of the disk are free", float64(v.free)/(1<<30))
	}
	r.addFinding(FolderRight, subject, text)
	checkTotals(ctx, l, subject, r)
	if found.ClockAhead > clockTolerance {
		r.addFinding(ClockBehind, "clock", fmt.Sprintf("the newest timestamp of the ledger is from %v in this machine's future", found.ClockAhead.Round(time.Millisecond)))
	} else {
		s.examineClock(ctx, l, r)
	}
	s.examineBooks(ctx, l, r)
	s.checkRounds(ctx, l, r)
	checkFolderVolume(s.Folder, r)
}

// maxExpiry is how far in the future a packet may expire. Real packets live for seconds.
const maxExpiry = 24 * time.Hour

// journalContent is the content of a recorder's journal. One of the pointers or err is not nil.
type journalContent struct {
	single *transfers.JournalContent // of single packets
	rounds *aggregate.JournalContent // of rounds
	inUse  bool                      // of rounds, and a recorder has the journal open
	err    error
}

// readJournal reads the journal of a closed recorder of either kind, or of a running one in rounds.
func readJournal(folder string) journalContent {
	single, err := transfers.ReadJournal(folder)
	if err == nil {
		return journalContent{single: &single}
	}
	if errors.Is(err, transfers.ErrJournalInUse) {
		if rounds, roundsErr := aggregate.ReadOpenJournal(folder); roundsErr == nil {
			return journalContent{rounds: &rounds, inUse: true}
		}
	}
	if errors.Is(err, transfers.ErrJournalForeign) {
		rounds, roundsErr := aggregate.ReadJournal(folder)
		if roundsErr == nil {
			return journalContent{rounds: &rounds}
		}
		if !errors.Is(roundsErr, transfers.ErrJournalForeign) {
			err = roundsErr
		}
	}
	return journalContent{err: err}
}

// examineJournal checks the journal of a closed recorder, and the journal's volume.
func (s Subject) examineJournal(r *Report) {
	switch j := s.journal; {
	case j.single != nil:
		s.describeSingle(j.single, r)
	case j.rounds != nil:
		s.describeRounds(j.rounds, r)
		s.examineArchive(j.rounds.Number, r)
	default:
		r.addFolderError(s.journalSubject(), j.err)
		if code := classifyFolderError(j.err); code != FolderInUse {
			return
		}
	}
	checkFolderVolume(s.Journal, r)
}

func (s Subject) journalSubject() string { return "journal in " + s.Journal }

// describeSingle describes a journal of single packets.
func (s Subject) describeSingle(found *transfers.JournalContent, r *Report) {
	subject := s.journalSubject()
	text := fmt.Sprintf("namespace %q", found.Namespace)
	if len(s.Books.Config.Assets) > 0 && found.Namespace != s.Books.Config.Namespace {
		r.addFinding(JournalOther, subject, fmt.Sprintf("%s; configured is %q", text, s.Books.Config.Namespace))
	}
	if found.TornBytes > 0 {
		text += fmt.Sprintf("; a crash has left %d bytes of an unconfirmed fulfill at the end", found.TornBytes)
	}
	if found.PendingFulfills > 0 {
		r.addFinding(JournalWaits, subject, fmt.Sprintf("%s to be recorded; %s", formatCount(found.PendingFulfills, "fulfill waits", "fulfills wait"), text))
	} else {
		r.addFinding(JournalRight, subject, "nothing waits; "+text)
	}
	if ahead := found.NewestExpiry.Sub(s.Now()); ahead > maxExpiry {
		r.addFinding(ClockBehind, "clock", fmt.Sprintf("a packet in the journal expires %v in this machine's future", ahead.Round(time.Second)))
	}
}

// unchecked is the text for a folder in use. A running connector has its folders open, so the level is [OK].
const unchecked = "nothing in it was checked: another process has it open, as a running connector does; to check it, end that process and run doctor again; of a running ledger, \"peerledger backup\" checks the files in its copy, and \"peerledger verify BACKUPS --live --folder LEDGER\", which needs such a backup, checks them again"

// addFolderError adds a finding about an error of reading a folder.
func (r *Report) addFolderError(subject string, err error) {
	code, text := classifyFolderError(err), err.Error()
	if code == FolderInUse {
		text = unchecked
	}
	r.addFinding(code, subject, text)
}

// classifyFolderError returns the code for an error of reading a folder.
func classifyFolderError(err error) Code {
	for _, fault := range []struct {
		err  error
		code Code
	}{
		{embedded.ErrInUse, FolderInUse},
		{transfers.ErrJournalInUse, FolderInUse},
		{fs.ErrNotExist, FolderMissing},
		{embedded.ErrCorrupt, FolderDamaged},
		{transfers.ErrJournalCorrupt, FolderDamaged},
		{embedded.ErrIncompatible, FolderForeign},
		{transfers.ErrJournalForeign, FolderForeign},
	} {
		if errors.Is(err, fault.err) {
			return fault.code
		}
	}
	return FolderUnread
}

// checkFolderVolume checks the volume of a folder.
func checkFolderVolume(folder string, r *Report) {
	checkVolume(filepath.Join(folder, "files"), readVolume(folder), r)
}
