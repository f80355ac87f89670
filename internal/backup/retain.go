package backup

import (
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

var backupName = regexp.MustCompile(`^\d+-\d{8}T\d{6}\.\d{3}Z$`)

// List are the backups in a folder, the newest first, without reading their data. What has
// the name of a backup and is damaged is in the error, beside those that are well.
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
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b Backup) int { return b.Manifest.Taken.Compare(a.Manifest.Taken) })
	return list, errors.Join(errs...)
}

// clean takes away what was left behind by a process that is gone: what begins with one of
// the prefixes. The lock of those who make such things is held.
func clean(folder string, prefixes ...string) error {
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

// retain removes the backups that are not kept.
func (o Options) retain(newest Backup) error {
	if o.Keep <= 0 && o.KeepFor <= 0 {
		return nil
	}
	list, _ := List(o.Folder) // what is damaged is not touched
	var errs []error
	for _, b := range surplus(list, newest, o.Keep, o.KeepFor) {
		// A backup that is half removed has no backup's name.
		aside := filepath.Join(o.Folder, removedPrefix+filepath.Base(b.Folder))
		if err := errors.Join(os.Rename(b.Folder, aside), o.step("set aside"), os.RemoveAll(aside)); err != nil {
			errs = append(errs, fmt.Errorf("backup: an old backup was not removed: %w", err))
		}
	}
	return errors.Join(errs...)
}

// surplus are the backups, of a list with the newest first, that are not kept: those of the
// same cluster that are beyond the count and older than the age.
func surplus(list []Backup, newest Backup, keep int, age time.Duration) (old []Backup) {
	place := 0
	for _, b := range list {
		if b.Manifest.ClusterID != newest.Manifest.ClusterID {
			continue
		}
		place++
		young := age > 0 && newest.Manifest.Taken.Sub(b.Manifest.Taken) < age
		if place > max(keep, 1) && !young && b.Folder != newest.Folder {
			old = append(old, b)
		}
	}
	return old
}
