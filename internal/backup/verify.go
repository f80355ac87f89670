package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/peerledger/peerledger/ledger"
)

// Server starts a server with a data file, on a network of its own, and opens the ledger.
// stop closes the ledger and ends the server.
type Server func(ctx context.Context, file string) (l ledger.Ledger, stop func() error, err error)

// Comparison is the copy's totals beside others.
type Comparison struct {
	With     string   `json:"with"` // what they are compared with
	Relation Relation `json:"relation"`
	Detail   string   `json:"detail,omitempty"` // what is different
}

// Report is what Verify has found.
type Report struct {
	Backup
	Totals      Totals       `json:"copy"` // of the copy
	Comparisons []Comparison `json:"comparisons"`
}

// Different reports whether something is less in what came later, which can only be if one of
// the two is of another ledger or was damaged.
func (r Report) Different() bool {
	for _, c := range r.Comparisons {
		if c.Relation == Contrary {
			return true
		}
	}
	return false
}

// Verify restores a backup into a folder of its own beside it, starts the copy with a
// server, and adds up its accounts: debits must be credits in each ledger, and the totals
// are compared with those that were noted before the server was stopped, if they were, and
// with those that original reads from the original, if it is not nil. The copy is removed
// at the end. progress may be nil.
//
// Errors: ErrDamaged, ErrUnbalanced, ErrBusy if another one runs in the folder, those of the
// server and of reading.
func (b Backup) Verify(
	ctx context.Context, start Server, original func(context.Context) (Totals, error), progress func(done, all int64),
) (report Report, err error) {
	report = Report{Backup: b}
	parent := filepath.Dir(filepath.Clean(b.Folder))
	// One at a time, so that what one left behind that was killed can be taken away.
	unlock, err := lockFolder(parent, ".verify.lock")
	if err != nil {
		return report, err
	}
	defer unlock()
	if err := clean(parent, verifyPrefix); err != nil {
		return report, err
	}
	folder, err := os.MkdirTemp(parent, verifyPrefix)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	file := filepath.Join(folder, b.Manifest.File)
	if err := b.Restore(ctx, file, progress); err != nil {
		return report, err
	}
	if report.Totals, err = totalsOf(ctx, start, file); err != nil {
		return report, err
	}
	compare := func(with string, earlier, later Totals) {
		relation, detail := Compare(earlier, later)
		report.Comparisons = append(report.Comparisons, Comparison{with, relation, detail})
	}
	if b.Manifest.Totals != nil {
		compare("the totals that were noted before the server was stopped", b.Manifest.Totals, report.Totals)
	}
	if original != nil {
		now, err := original(ctx)
		if err != nil {
			return report, fmt.Errorf("backup: the original: %w", err)
		}
		compare("the original as it is now", report.Totals, now)
	}
	return report, report.Totals.Balanced()
}

// totalsOf starts a server and adds its accounts up.
func totalsOf(ctx context.Context, start Server, file string) (totals Totals, err error) {
	l, stop, err := start(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("backup: the copy could not be started: %w", err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	return ReadTotals(ctx, l, nil)
}
