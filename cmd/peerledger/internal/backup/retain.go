package backup

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// The names of what is not a backup yet, or any more.
const (
	partialPrefix = ".partial-"
	removedPrefix = ".removed-"
	verifyPrefix  = ".verify-"
)

// nameTime is the time in a backup's name, which sorts as the time does.
const nameTime = "20060102T150405.000Z"

var backupName = regexp.MustCompile(`^(?:\d+|(?:folder|journal)-[0-9a-f]{32})-\d{8}T\d{6}\.\d{3}Z$`)

// List are the backups in a folder, by ledger, the newest first, without reading their data.
// Which one is newer says its number, and not a clock; of those of format 1, the sequence of
// the superblock and then the clock. What has the name of a backup and is damaged, or of a
// newer format, is in the error, beside those that are well.
func List(folder string) ([]Backup, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var list []Backup
	var errs []error
	for _, entry := range entries {
		if !backupName.MatchString(entry.Name()) {
			continue
		}
		b, err := Open(filepath.Join(folder, entry.Name()))
		if err = cmp.Or(err, b.doubt); err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b Backup) int {
		x, y := a.Manifest, b.Manifest
		return cmp.Or(
			cmp.Compare(x.Source(), y.Source()),
			cmp.Compare(y.Number, x.Number), cmp.Compare(y.Sequence, x.Sequence), y.Taken.Compare(x.Taken),
		)
	})
	return list, errors.Join(errs...)
}

// nextNumber is that of the next backup of a ledger. The lock of the folder is held.
func (o Options) nextNumber(source string) uint64 {
	list, _ := List(o.Folder) // what cannot be read has no number
	for _, b := range list {
		if b.Manifest.Source() == source {
			return b.Manifest.Number + 1 // the newest comes first
		}
	}
	return 1
}

// clockSkew is how far the clocks of two machines may be apart.
const clockSkew = time.Minute

// Newest is the backup that a folder of backups stands for. It must be beyond doubt: all in the
// folder are whole and of one ledger, it is not from the future of now, and no other one says
// that it is newer, by its sequence or by a clock that was not ahead. So old books are never
// taken for the newest without a word. The error matches ErrUnclear, or is that of List.
func Newest(folder string, now time.Time) (Backup, error) {
	list, err := List(folder)
	switch {
	case err != nil:
		return Backup{}, fmt.Errorf("name one of the backups in %s: the newest may be one that is damaged: %w", folder, err)
	case len(list) == 0:
		return Backup{}, fmt.Errorf("%w: there is none in %s", ErrDamaged, folder)
	}
	newest := list[0]
	unclear := func(format string, args ...any) (Backup, error) {
		return Backup{}, fmt.Errorf("%w: name one of the backups in %s: %s", ErrUnclear, folder, fmt.Sprintf(format, args...))
	}
	ahead := func(b Backup) bool { return b.Manifest.Taken.After(now.Add(clockSkew)) }
	if ahead(newest) {
		return unclear("%s, which was made last, is from the future: a clock is wrong, or was", filepath.Base(newest.Folder))
	}
	for _, b := range list[1:] {
		switch m := b.Manifest; {
		case m.Source() != newest.Manifest.Source():
			return unclear("they are of %s and of %s", newest.Manifest.Source(), m.Source())
		case m.Sequence > newest.Manifest.Sequence:
			return unclear("%s was made last, and %s has more in it: was the ledger restored from an older backup, or copied from an older snapshot?",
				filepath.Base(newest.Folder), filepath.Base(b.Folder))
		case m.Taken.After(newest.Manifest.Taken) && !ahead(b):
			return unclear("%s was made last, and %s has a later time: a clock was wrong, or one of them was brought from another folder",
				filepath.Base(newest.Folder), filepath.Base(b.Folder))
		}
	}
	return newest, nil
}

// removeLeftovers takes away what was left behind by a process that is gone: what begins with one of
// the prefixes. The lock of those who make such things is held.
func removeLeftovers(folder string, prefixes ...string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		for _, prefix := range prefixes {
			if entry.IsDir() && strings.HasPrefix(entry.Name(), prefix) {
				errs = append(errs, os.RemoveAll(filepath.Join(folder, entry.Name())))
			}
		}
	}
	return errors.Join(errs...)
}

// removeOldBackups removes the backups that are not kept.
func (o Options) removeOldBackups(newest Backup) error {
	if o.Keep <= 0 && o.KeepFor <= 0 {
		return nil
	}
	list, _ := List(o.Folder) // what is damaged is not touched
	var errs []error
	for _, b := range selectOld(list, newest, o.Keep, o.KeepFor) {
		// A backup that is half removed has no backup's name.
		aside := filepath.Join(o.Folder, removedPrefix+filepath.Base(b.Folder))
		if err := errors.Join(os.Rename(b.Folder, aside), o.onStep("set aside"), os.RemoveAll(aside)); err != nil {
			errs = append(errs, fmt.Errorf("backup: an old backup was not removed: %w", err))
		}
	}
	return errors.Join(errs...)
}

// selectOld are the backups, of a list with the newest first, that are not kept: those of the
// same ledger that are beyond the count and older than the age.
func selectOld(list []Backup, newest Backup, keep int, age time.Duration) (old []Backup) {
	var candidates []Backup
	for _, b := range list {
		if b.Manifest.Source() == newest.Manifest.Source() {
			candidates = append(candidates, b)
		}
	}
	keep = max(keep, 1)
	now := newest.Manifest.Taken
	for _, b := range candidates[:min(len(candidates), max(keep, 2))] {
		if b.Manifest.Taken.Before(now) {
			now = b.Manifest.Taken
		}
	}
	for place, b := range candidates {
		// One of a night when the clock was behind is no older than the one before it.
		taken := b.Manifest.Taken
		if place+1 < len(candidates) && candidates[place+1].Manifest.Taken.After(taken) {
			taken = candidates[place+1].Manifest.Taken
		}
		isYoung := age > 0 && now.Sub(taken) < age
		if place >= keep && !isYoung && b.Folder != newest.Folder {
			old = append(old, b)
		}
	}
	return old
}
