package backup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
	if s.live != nil {
		return s.live.Close()
	}
	return nil
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
	live, err := wal.OpenLiveCopy(ctx, folder, func() ([]string, error) { return listSealed(folder) })
	if err != nil {
		return explainOpen(err)
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
