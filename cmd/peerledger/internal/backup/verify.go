package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/peerledger/peerledger/ledger"
)

// Server starts a server with a data file, out of reach of other programs, and opens the ledger.
// stop closes the ledger and ends the server.
type Server func(ctx context.Context, file string) (l ledger.Ledger, stop func() error, err error)

// Comparison compares the copy's totals with other totals.
type Comparison struct {
	With     string   `json:"with"` // describes the other totals
	Relation Relation `json:"relation"`
	Detail   string   `json:"detail,omitempty"` // the first difference
}

// Report is the result of [Backup.Verify].
type Report struct {
	Backup
	Totals      Totals       `json:"copy"` // of the copy; nil if the backup has no ledger
	Comparisons []Comparison `json:"comparisons"`
	Journal     *Journal     `json:"journal,omitempty"` // of the copy; nil if the backup has no journal
}

// Different reports whether later totals have less than earlier ones. This only happens if the
// totals belong to different ledgers or one ledger was damaged.
func (r Report) Different() bool {
	for _, c := range r.Comparisons {
		if c.Relation == Contrary {
			return true
		}
	}
	return false
}

// Verify restores a backup into a temporary folder beside it, opens the copy, with a server for a
// data file, and adds up its accounts. Debits must equal credits in each ledger. The totals are
// compared with the recorded totals, if the backup has them, and with the result of original, which
// may be nil. A journal is opened too. The copy is removed at the end. start may be nil without a
// data file; progress may be nil.
//
// Errors: [ErrDamaged], [ErrUnbalanced], [ErrBusy] if another verification runs in the folder, and
// errors of the server and of reading.
func (b Backup) Verify(
	ctx context.Context, start Server, original func(context.Context) (Totals, error), progress func(done, all int64),
) (report Report, err error) {
	report = Report{Backup: b}
	parent := filepath.Dir(filepath.Clean(b.Folder))
	// The lock allows one verification at a time, so leftovers of a killed verification can be removed.
	unlock, err := takeLock(parent, ".verify.lock")
	if err != nil {
		return report, err
	}
	defer unlock()
	if err := removeLeftovers(parent, verifyPrefix); err != nil {
		return report, err
	}
	folder, err := os.MkdirTemp(parent, verifyPrefix)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if b.Manifest.Journal != nil {
		if err := b.verifyJournal(ctx, filepath.Join(folder, "journal"), &report); err != nil {
			return report, err
		}
		if b.Manifest.File == "" && b.Manifest.Ledger == nil {
			return report, nil
		}
	}
	if report.Totals, err = b.readCopyTotals(ctx, folder, start, progress); err != nil {
		return report, err
	}
	if err := report.compareTotals(ctx, original); err != nil {
		return report, err
	}
	return report, report.Totals.Balanced()
}

// readCopyTotals restores the ledger into a folder and adds up its accounts.
func (b Backup) readCopyTotals(ctx context.Context, folder string, start Server, progress func(done, all int64)) (Totals, error) {
	if b.Manifest.Ledger != nil {
		copied := filepath.Join(folder, "ledger")
		if err := b.Restore(ctx, copied, nil); err != nil {
			return nil, err
		}
		return readLedger(ctx, copied)
	}
	file := filepath.Join(folder, b.Manifest.File)
	if err := b.Restore(ctx, file, progress); err != nil {
		return nil, err
	}
	return readServerTotals(ctx, start, file)
}

// verifyJournal restores the journal into a folder and opens it.
func (b Backup) verifyJournal(ctx context.Context, folder string, report *Report) error {
	if err := b.RestoreJournal(ctx, folder); err != nil {
		return err
	}
	found, err := readJournal(folder)
	if err != nil {
		return err
	}
	report.Journal = &found
	if noted := b.Manifest.Journal.Journal; found != noted {
		return fmt.Errorf("%w: the journal has %+v, and the manifest %+v", ErrDamaged, found, noted)
	}
	return nil
}

// compareTotals compares the copy's totals with the recorded ones and with the original.
func (r *Report) compareTotals(ctx context.Context, original func(context.Context) (Totals, error)) error {
	addComparison := func(with string, earlier, later Totals) {
		relation, detail := Compare(earlier, later)
		r.Comparisons = append(r.Comparisons, Comparison{with, relation, detail})
	}
	switch {
	case r.Manifest.Ledger != nil:
		addComparison("the totals that were noted when it was copied", r.Manifest.Totals, r.Totals)
	case r.Manifest.Totals != nil:
		addComparison("the totals that were noted before the server was stopped", r.Manifest.Totals, r.Totals)
	}
	if original == nil {
		return nil
	}
	now, err := original(ctx)
	if err != nil {
		return fmt.Errorf("backup: the original: %w", err)
	}
	addComparison("the original as it is now", r.Totals, now)
	return nil
}

// readServerTotals starts a server and adds up its accounts.
func readServerTotals(ctx context.Context, start Server, file string) (totals Totals, err error) {
	l, stop, err := start(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("backup: the copy could not be started: %w", err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	return ReadTotals(ctx, l, nil)
}
