package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/peerledger/peerledger/internal/fulfilllog"
	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/internal/wal"
)

// maxTries is how often openRunning opens copies that do not fit together. The moments of two copies are
// less than a millisecond apart, and a recorder writes a round every 50 ms. Only the first attempt opens all
// files beside the logs, so a checkpoint during each of the others is as rare.
const maxTries = 100

// misfit is why an attempt to copy failed: a program wrote something during it. The zero value is no misfit.
type misfit struct {
	folder string
	event  event
}

// event is what a program wrote.
type event struct{ name, remedy string }

var (
	roundWritten      = event{"a round", "repeat the backup when fewer packets come, or make aggregate.Config.RoundInterval longer"}
	refusalWritten    = event{"a refusal of a fulfill", "repeat the backup when the ledger refuses fewer fulfills"}
	checkpointWritten = event{"a checkpoint", "repeat the backup when fewer packets come: checkpoints are then rarer"}
)

// openRunning opens copies of the folders that programs have open.
func (o Options) openRunning(ctx context.Context, ledger, journal *source) error {
	var seen []misfit
	for range maxTries {
		m, err := o.tryRunning(ctx, ledger, journal)
		if err != nil || m == (misfit{}) {
			return err
		}
		seen = append(seen, m)
	}
	return fmt.Errorf("%w: each of %d attempts to copy failed: %s; or give --stop and --start", ErrInUse, maxTries, describeMisfits(seen))
}

// describeMisfits names each cause once, in the order of their first attempts, with the number of attempts and
// the next step.
func describeMisfits(seen []misfit) string {
	var causes []string
	counts := map[misfit]int{}
	for _, m := range seen {
		counts[m]++
	}
	for _, m := range seen {
		if n := counts[m]; n > 0 {
			causes = append(causes, fmt.Sprintf("%s: its program wrote %s during %d of them: %s", m.folder, m.event.name, n, m.event.remedy))
			counts[m] = 0
		}
	}
	return strings.Join(causes, "; ")
}

// tryRunning opens the copies once. It returns a misfit if they are not whole, or do not fit together. Files that
// it has opened stay open for the next attempt.
//
// The journal's moment comes first. So a fulfill that was on disk is in the journal's copy, or the ledger
// had answered it, and the ledger's copy has it. A fulfill in both is booked once, by its ids. If only one
// of the folders is in use, the other one is locked and stands still, and any moment fits.
func (o Options) tryRunning(ctx context.Context, ledger, journal *source) (m misfit, err error) {
	if err := journal.openLive(ctx); err != nil {
		return m, err
	}
	isPair := journal.live != nil && ledger.isRunning()
	if isPair {
		if err := o.onStep("journal opened"); err != nil {
			return m, err
		}
	}
	if err := ledger.openLive(ctx); err != nil {
		return m, err
	}
	if isPair {
		if m, err = journal.findUnknown(); err != nil || m != (misfit{}) {
			return m, err
		}
	}
	m, err = ledger.openOthers(ctx, func() ([]string, error) { return listSealed(ledger.path) })
	if err != nil || m != (misfit{}) {
		return m, err
	}
	// An archive file with a later number than the last segment is of a checkpoint behind the copy. A
	// recorder would take its packets, which the copy lacks, for booked.
	return journal.openOthers(ctx, func() ([]string, error) { return listArchivesUpTo(journal.path, journal.live.Segment()) })
}

// openLive opens the log of a folder that a program has open. This is the moment of the copy.
func (s *source) openLive(ctx context.Context) (err error) {
	switch {
	case !s.isRunning():
		return nil
	case s.live == nil:
		s.live, err = wal.OpenLiveCopy(ctx, s.path, nil)
	default:
		err = s.live.Reopen(ctx)
	}
	return explainOpen(err)
}

// openOthers opens the files beside the log. It returns a misfit if the program wrote a checkpoint since the
// moment of the copy.
func (s *source) openOthers(ctx context.Context, list func() ([]string, error)) (misfit, error) {
	if s.live == nil {
		return misfit{}, nil
	}
	whole, err := s.live.OpenOthers(ctx, list)
	if err != nil {
		return misfit{}, explainOpen(err)
	}
	if !whole {
		return misfit{s.path, checkpointWritten}, nil
	}
	return misfit{}, nil
}

// explainOpen adds the next step to an error of opening the files of a copy. All of them are open at once.
func explainOpen(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fmt.Errorf("backup: %w: the copy of a folder in use opens all its files at once: "+
			"raise the limit of open files (ulimit -n, LimitNOFILE= of a unit) above the number of files in the folder, "+
			"or stop the program that has the folder open (backup --stop and --start)", err)
	default:
		return fmt.Errorf("backup: %w", err)
	}
}

// findUnknown returns a misfit if the copy of a journal does not know all that a later copy of the ledger has. It
// may not know:
//
//   - an attempt of a round behind it. Such an attempt is on disk before the ledger gets it. A recorder
//     would find the journal older than the ledger, and refuse it;
//   - the refusal of a fulfill behind it. Its caller may have booked the money under another id, after the
//     refusal was on disk. A recorder would try the fulfill again, and might book it too.
func (s *source) findUnknown() (m misfit, err error) {
	kind, unknown, err := s.unknownKind()
	if err != nil {
		return m, err
	}
	whole, err := s.live.ReadSince(func(r wal.Record) error {
		if r.Kind == kind {
			m = misfit{s.path, unknown}
		}
		return nil
	})
	if err != nil {
		return m, fmt.Errorf("backup: %w", err)
	}
	if !whole {
		return misfit{s.path, checkpointWritten}, nil
	}
	return m, nil
}

// unknownKind returns the kind of record that the ledger's copy must not have without the journal's copy.
func (s *source) unknownKind() (kind uint8, written event, err error) {
	rounds, single := packetlog.JournalFormat, fulfilllog.Format
	switch found := s.live.Format(); {
	case found >= rounds.Oldest && found <= rounds.Newest:
		return packetlog.KindAttempt, roundWritten, nil
	case found >= single.Oldest && found <= single.Newest:
		return fulfilllog.KindRefused, refusalWritten, nil
	default:
		return 0, event{}, fmt.Errorf("backup: %s: %w", s.path, &wal.VersionError{File: s.path, Content: "journal", Format: found, Oldest: single.Oldest, Reads: rounds.Newest})
	}
}
