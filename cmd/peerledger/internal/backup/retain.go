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

// The prefixes of folders that are incomplete, being removed, or temporary copies.
const (
	partialPrefix = ".partial-"
	removedPrefix = ".removed-"
	verifyPrefix  = ".verify-"
)

// nameTime is the layout of the time in a backup's name. Names sort by time.
const nameTime = "20060102T150405.000Z"

var backupName = regexp.MustCompile(`^(?:\d+|(?:folder|journal)-[0-9a-f]{32})-\d{8}T\d{6}\.\d{3}Z$`)

// List returns the backups in a folder by ledger, the newest first, without reading the archives.
// The order follows the manifests' numbers and not the clocks; backups of format 1 are ordered by
// sequence and then by time. Backups that are damaged or of a newer format are reported in the
// error, beside the list of the others.
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

// nextNumber returns the number of the next backup of a ledger. The caller holds the folder's lock.
func (o Options) nextNumber(source string) uint64 {
	list, _ := List(o.Folder) // damaged backups have no number
	for _, b := range list {
		if b.Manifest.Source() == source {
			return b.Manifest.Number + 1 // the list begins with the newest
		}
	}
	return 1
}

// clockSkew is the tolerated difference between the clocks of two machines.
const clockSkew = time.Minute

// Newest returns the newest backup in a folder, if it is certain: all backups are complete and of
// one ledger, the newest one is not from the future of now, and no other one has a higher sequence
// or a later time, except times from the future. So old books are never restored in silence. The
// error matches [ErrUnclear], or is the error of [List].
func Newest(folder string, now time.Time) (Backup, error) {
	list, err := List(folder)
	switch {
	case err != nil:
		return Backup{}, fmt.Errorf("name one of the backups in %s: the newest may be a damaged one: %w", folder, err)
	case len(list) == 0:
		return Backup{}, fmt.Errorf("%w: there is no backup in %s", ErrDamaged, folder)
	}
	newest := list[0]
	unclear := func(format string, args ...any) (Backup, error) {
		return Backup{}, fmt.Errorf("%w: name one of the backups in %s: %s", ErrUnclear, folder, fmt.Sprintf(format, args...))
	}
	ahead := func(b Backup) bool { return b.Manifest.Taken.After(now.Add(clockSkew)) }
	if ahead(newest) {
		return unclear("the last backup, %s, is from the future: a clock is or was wrong", filepath.Base(newest.Folder))
	}
	for _, b := range list[1:] {
		switch m := b.Manifest; {
		case m.Source() != newest.Manifest.Source():
			return unclear("the folder has backups of %s and of %s", newest.Manifest.Source(), m.Source())
		case m.Sequence > newest.Manifest.Sequence:
			return unclear("%s was made last, but %s has a higher sequence: was the ledger restored from an older backup, or copied from an older snapshot?",
				filepath.Base(newest.Folder), filepath.Base(b.Folder))
		case m.Taken.After(newest.Manifest.Taken) && !ahead(b):
			return unclear("%s was made last, but %s has a later time: a clock was wrong, or one backup was moved here from another folder",
				filepath.Base(newest.Folder), filepath.Base(b.Folder))
		}
	}
	return newest, nil
}

// removeLeftovers removes folders with these prefixes, left behind by processes that have ended.
// The caller holds the lock under which such folders are made.
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

// removeOldBackups removes the backups that Keep and KeepFor do not keep.
func (o Options) removeOldBackups(newest Backup) error {
	if o.Keep <= 0 && o.KeepFor <= 0 {
		return nil
	}
	list, _ := List(o.Folder) // damaged backups are kept
	var errs []error
	for _, b := range selectOld(list, newest, o.Keep, o.KeepFor) {
		// Rename first: a half-removed folder must not have the name of a backup.
		aside := filepath.Join(o.Folder, removedPrefix+filepath.Base(b.Folder))
		if err := errors.Join(os.Rename(b.Folder, aside), o.onStep("set aside"), os.RemoveAll(aside)); err != nil {
			errs = append(errs, fmt.Errorf("backup: an old backup was not removed: %w", err))
		}
	}
	return errors.Join(errs...)
}

// selectOld returns the backups to remove from a list with the newest first: backups of the same
// ledger beyond the count and older than the age.
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
		// With a clock that was behind, a backup counts as old as its predecessor.
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
