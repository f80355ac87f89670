package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/ledger"
)

// ErrBusy is returned when another process exports to the folder.
var ErrBusy = errors.New("export: another process exports to the folder")

// Part is a written part of a continued export.
type Part struct {
	// Name is the file's name in the folder, "entries-000001.csv"; "" if there was nothing new to write.
	Name    string
	Number  int
	Summary Summary
}

const (
	partPrefix = "entries-"
	stateName  = "export.state"
	lockName   = "export.lock"
)

// partName returns the file name of a part.
func partName(number int, format *Format) string {
	return fmt.Sprintf("%s%06d%s", partPrefix, number, format.Extension)
}

// partNumber returns the number of a part's file name; 0 for the name of another file.
func partNumber(name string) int {
	digits, _, _ := strings.Cut(strings.TrimPrefix(name, partPrefix), ".")
	number, err := strconv.ParseUint(digits, 10, 31)
	if !strings.HasPrefix(name, partPrefix) || err != nil {
		return 0
	}
	return int(number)
}

// WritePart writes the next part of an export to a folder, which exists: the entries since the part before, or the
// first ones. All parts together have each entry once. A part is a complete file of its format, "entries-000001.csv"
// and so on. Without a new row no part is written, except the first, and none before From.
//
// The file "export.state" has the end of the last part. It is written after the part: a crash in between leaves a part
// that the next call replaces with one that begins at the same row. Query and format must be the same each
// time, except for To and Names. With [SumDay] a part ends with a whole day (UTC): entries of a day are in one sum.
//
// Errors: [ErrState] if the state file is damaged, missing beside later parts, or another export's; [ErrBusy]; otherwise as for
// [WriteFile].
func WritePart(ctx context.Context, l ledger.Ledger, book *accounts.Book, q Query, folder string, format Format) (Part, error) {
	lock := flock.New(filepath.Join(folder, lockName), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return Part{}, err
	}
	if !locked {
		return Part{}, fmt.Errorf("%w: %s", ErrBusy, folder)
	}
	part, err := writePart(ctx, l, book, q, sealed.OSFolder(folder), format)
	return part, errors.Join(err, lock.Unlock())
}

// writePart is WritePart in a locked folder.
func writePart(ctx context.Context, l ledger.Ledger, book *accounts.Book, q Query, folder sealed.Folder, format Format) (Part, error) {
	x, err := newExporter(l, book, q)
	if err != nil {
		return Part{}, err
	}
	x.format = &format
	if x.previous, err = readFolder(folder, &format); err != nil {
		return Part{}, err
	}
	if x.previous != nil {
		if !x.previous.Export.equals(x.identity()) {
			return Part{}, fmt.Errorf("%w: %s is of another export (%s): take another folder, or the same query", ErrState, folder.FullPath(stateName), x.previous.Export)
		}
		x.part = x.previous.Part + 1
	}
	if hasRows, err := x.endPart(ctx); err != nil || x.previous != nil && !hasRows || !x.hasBegun() {
		return Part{}, err
	}
	name := partName(x.part, &format)
	if err := x.writeFile(ctx, folder, "."+name+temporarySuffix, name, format); err != nil {
		return Part{}, err
	}
	err = replaceFile(folder, "."+stateName+temporarySuffix, stateName, x.end.writeTo)
	return Part{Name: name, Number: x.part, Summary: x.summary}, err
}

// endPart fixes the last row of a part, and reports whether it has rows.
func (x *exporter) endPart(ctx context.Context) (hasRows bool, err error) {
	if x.query.Sum == SumDay {
		newest, err := newestRow(ctx, x.ledger, lastTimestamp)
		if err != nil {
			return false, err
		}
		// A day has ended when a row of a later day exists, or when clocks have passed it for certain.
		ended := max(startOfDay(newest), startOfDay(timestampOf(time.Now().Add(-clockTolerance))))
		x.last = startOfDay(min(x.last+1, ended)) - 1
	}
	x.last, err = newestRow(ctx, x.ledger, x.last)
	return x.last >= x.startTime(), err
}

// hasBegun reports whether no more rows before the range can come. Until then the first part would have opening balances of
// an earlier moment, and no part the rows from there to From.
func (x *exporter) hasBegun() bool {
	return x.last >= x.first || x.first <= timestampOf(time.Now().Add(-clockTolerance))
}

// endsWithDay reports whether no later part has an entry of the last day: nothing continues the export, or the day
// is within the range and over.
func (x *exporter) endsWithDay() bool {
	if x.format == nil {
		return true
	}
	dayEnd := startOfDay(max(x.last, x.first)) + dayLength
	_, end := x.query.timeBounds()
	return dayEnd-1 <= end && dayEnd <= timestampOf(time.Now().Add(-clockTolerance))
}

// clockTolerance is more than the difference between clocks of machines.
const clockTolerance = time.Hour

// readFolder returns the state of the folder; nil before the first part. Without a state no part above the first may
// exist, and with one no part behind the next: the parts would then have entries twice. A crash leaves the next part under
// the name that the call replaces; in another format it would stay beside it.
func readFolder(folder sealed.Folder, format *Format) (*state, error) {
	s, err := readStateFile(folder)
	if err != nil {
		return nil, err
	}
	names, err := folder.ListNames()
	if err != nil {
		return nil, err
	}
	done := 0
	if s != nil {
		done = s.Part
	}
	for _, name := range names {
		if partNumber(name) > done && name != partName(done+1, format) {
			return nil, fmt.Errorf("%w: %s is missing or old: it has %d parts, and there is %s", ErrState, folder.FullPath(stateName), done, name)
		}
	}
	return s, nil
}

func readStateFile(folder sealed.Folder) (*state, error) {
	file, err := folder.OpenFile(stateName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	size, err := file.Size()
	var s *state
	if err == nil {
		s, err = readState(io.NewSectionReader(file, 0, size))
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", folder.FullPath(stateName), err)
	}
	return s, nil
}
