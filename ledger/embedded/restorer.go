package embedded

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/peerledger/peerledger/internal/sealed"
	"github.com/peerledger/peerledger/internal/wal"
)

// folderFormat is the format written by this package.
var folderFormat = wal.Format{Name: "ledger", Newest: recordFormat, Upgrades: true}

// restorer restores the records of a folder. It reads nothing of the folder before package wal has
// locked it: until then another process may commit a checkpoint, and remove the files before it.
type restorer struct {
	ledger   *Ledger
	path     string
	readOnly bool

	isOld   bool                   // the records are of an older format
	restore func(wal.Record) error // set when the folder is locked
}

func (l *Ledger) newRestorer(dir string, readOnly bool) (*restorer, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	l.books.keepStarts()
	l.books.cold.folder, l.books.cold.mayUse = sealed.OSFolder(path), l.space.checkRoom
	return &restorer{ledger: l, path: path, readOnly: readOnly}, nil
}

// format returns the format to open the folder with.
func (r *restorer) format() wal.Format {
	f := folderFormat
	f.Prepare = r.prepare
	return f
}

func (r *restorer) restoreRecord(record wal.Record) error { return r.restore(record) }

// prepare looks which format the folder has. The folder is locked.
func (r *restorer) prepare() error {
	progress := &r.ledger.progress
	bytes, err := folderBytes(r.path)
	if err != nil {
		return err
	}
	progress.all = bytes
	format, err := wal.RecordFormat(r.path)
	switch {
	case errors.Is(err, wal.ErrNoLog), err == nil && format >= recordFormat: // package wal refuses newer ones
		r.restore = progress.count(r.ledger.books.restoreRecord)
		return nil
	case err != nil:
		return err
	case format != 1:
		return fmt.Errorf("%w: its records have format %d, and those of a ledger 1 or %d", ErrIncompatible, format, recordFormat)
	}
	r.isOld = true
	if err := r.prepareConversion(bytes); err != nil {
		return err
	}
	progress.all += bytes // it is read twice
	c, err := r.ledger.newConversion(r.path, r.readOnly)
	if err != nil {
		return err
	}
	r.restore = progress.count(c.restoreRecord)
	return nil
}
