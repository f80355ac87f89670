package backup

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/peerledger/peerledger/internal/packetlog"
	"github.com/peerledger/peerledger/internal/wal"
	"github.com/peerledger/peerledger/ledger/embedded"
)

// source is a folder to back up: locked, or a live copy while a program has the folder open.
type source struct {
	path   string        // "" is none
	locked *lockedFolder // nil while a program has the folder open
	live   *wal.LiveCopy // nil if locked, and before openRunning
}

// lockFolder locks a folder, unless a program has it open and may have.
func (o Options) lockFolder(path string) (*source, error) {
	if path == "" {
		return &source{}, nil
	}
	locked, err := lockSource(path)
	if errors.Is(err, ErrInUse) && o.mayRun() {
		return &source{path: path}, nil
	}
	if err != nil {
		return nil, err
	}
	return &source{path: path, locked: locked}, nil
}

// mayRun reports whether programs may have the folders open. After Stop they may not. A data file has no
// live copy, and a journal is copied with its ledger.
func (o Options) mayRun() bool { return o.File == "" && o.Stop == nil }

// isRunning reports whether a program has the folder open.
func (s *source) isRunning() bool { return s.path != "" && s.locked == nil }

// close unlocks the folder, or closes its copy.
func (s *source) close() error {
	if s.locked != nil {
		return s.locked.release()
	}
	return s.closeLive()
}

func (s *source) closeLive() error {
	if s.live == nil {
		return nil
	}
	live := s.live
	s.live = nil
	return live.Close()
}

// openLive opens the log of a folder that a program has open. This is the moment of the copy.
func (s *source) openLive() (err error) {
	if !s.isRunning() {
		return nil
	}
	if s.live, err = wal.OpenLiveCopy(s.path, nil); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// openOthers opens the files beside the log. whole is false if the program wrote a checkpoint since the
// moment of the copy.
func (s *source) openOthers(list func() ([]string, error)) (whole bool, err error) {
	if s.live == nil {
		return true, nil
	}
	if whole, err = s.live.OpenOthers(list); err != nil {
		return false, fmt.Errorf("backup: %w", err)
	}
	return whole, nil
}

// maxTries is how often openRunning opens copies that do not fit together. The moments of two copies are
// less than a millisecond apart, and a recorder writes a round every 50 ms.
const maxTries = 100

// openRunning opens copies of the folders that programs have open.
func (o Options) openRunning(ctx context.Context, ledger, journal *source) error {
	for range maxTries {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		fits, err := o.tryRunning(ledger, journal)
		if err != nil || fits {
			return err
		}
		if err := errors.Join(ledger.closeLive(), journal.closeLive()); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: %s: its program wrote a round, a refusal or a checkpoint during each of %d attempts to copy: "+
		"repeat the backup when fewer packets come, or give --stop and --start", ErrInUse, cmp.Or(journal.path, ledger.path), maxTries)
}

// tryRunning opens the copies once. fits is false if they are not whole, or do not fit together.
//
// The journal's moment comes first. So a fulfill that was on disk is in the journal's copy, or the ledger
// had answered it, and the ledger's copy has it. A fulfill in both is booked once, by its ids. If only one
// of the folders is in use, the other one is locked and stands still, and any moment fits.
func (o Options) tryRunning(ledger, journal *source) (fits bool, err error) {
	if err := journal.openLive(); err != nil {
		return false, err
	}
	isPair := journal.live != nil && ledger.isRunning()
	if isPair {
		if err := o.onStep("journal opened"); err != nil {
			return false, err
		}
	}
	if err := ledger.openLive(); err != nil {
		return false, err
	}
	if isPair {
		if fits, err := knowsLedger(journal.live); err != nil || !fits {
			return false, err
		}
	}
	if fits, err = ledger.openOthers(func() ([]string, error) { return listSealed(ledger.path) }); err != nil || !fits {
		return false, err
	}
	// An archive file with a later number than the last segment is of a checkpoint behind the copy. A
	// recorder would take its packets, which the copy lacks, for booked.
	return journal.openOthers(func() ([]string, error) { return listArchivesUpTo(journal.path, journal.live.Segment()) })
}

// kindRefused is the kind of a refusal in a journal of package transfers.
const kindRefused = 3

// knowsLedger reports whether the copy of a journal knows all that a later copy of the ledger has. It does
// not know:
//
//   - an attempt of a round behind it. Such an attempt is on disk before the ledger gets it. A recorder
//     would find the journal older than the ledger, and refuse it;
//   - the refusal of a fulfill behind it. Its caller may have booked the money under another id, after the
//     refusal was on disk. A recorder would try the fulfill again, and might book it too.
func knowsLedger(journal *wal.LiveCopy) (bool, error) {
	unknown := uint8(kindRefused)
	if journal.Format() >= packetlog.JournalFormat.Oldest {
		unknown = packetlog.KindAttempt
	}
	knows := true
	whole, err := journal.ReadSince(func(r wal.Record) error {
		knows = knows && r.Kind != unknown
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("backup: %w", err)
	}
	return whole && knows, nil
}

// pack packs the folder into an archive.
func (s *source) pack(ctx context.Context, to string) (*Folder, error) {
	if s.live == nil {
		return s.locked.packFolder(ctx, to)
	}
	return packFiles(s.path, to, func(out *tar.Writer) error {
		for _, file := range s.live.Files {
			if err := addContent(ctx, out, file.Name, file.Size, file.Content); err != nil {
				return err
			}
		}
		return nil
	})
}

// ReadFolder returns a function that reads all files of an embedded ledger and adds up its accounts,
// for [Backup.Verify]. If a program has the ledger open, the function reads a copy of one moment, which
// it makes in the scratch folder and removes. It changes nothing in the ledger's folder.
func ReadFolder(folder, scratch string) func(context.Context) (Totals, error) {
	return func(ctx context.Context) (Totals, error) {
		totals, err := readLedger(ctx, folder)
		if errors.Is(err, embedded.ErrInUse) {
			return readRunning(ctx, folder, scratch)
		}
		return totals, err
	}
}

// readRunning reads a copy of an embedded ledger that a program has open.
func readRunning(ctx context.Context, folder, scratch string) (totals Totals, err error) {
	copied, err := os.MkdirTemp(scratch, ".live-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(copied)) }()
	if err := copyLive(ctx, folder, copied); err != nil {
		return nil, fmt.Errorf("copy %s while a program has it open: %w", folder, err)
	}
	return readLedger(ctx, copied)
}

// copyLive copies the files of an embedded ledger that a program has open.
func copyLive(ctx context.Context, folder, to string) (err error) {
	live, err := wal.OpenLiveCopy(folder, func() ([]string, error) { return listSealed(folder) })
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() { err = errors.Join(err, live.Close()) }()
	for _, from := range live.Files {
		file, err := os.OpenFile(filepath.Join(to, from.Name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		err = copyChunks(ctx, from.Content, func(p []byte) error { _, err := file.Write(p); return err }, nil)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}
