package packetlog

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
)

// Archive describes an archive file.
type Archive struct {
	Path    string
	Number  uint64 // of the file
	Journal uint64 // number of the journal
	Size    int64  // bytes
	Packets uint64 // a packet can be in two files
	Rounds  uint64

	// Of the packets, ns since the Unix epoch. Without packets, the two ResolvedAt are of the rounds, by
	// the ledger's clock, and NewestExpiry is math.MinInt64.
	OldestResolvedAt, NewestResolvedAt, NewestExpiry int64
}

// ListArchives returns the archive files of a folder in the order of their numbers; none if there is no
// folder. It reads header and footer of each. Errors name each file that cannot be read, and match
// [ErrArchiveCorrupt] (an [ArchiveError]) or [ErrArchiveVersion], or are the file system's. The other
// files are in the result all the same.
func ListArchives(folder string) (list []Archive, err error) {
	err = eachArchive(folder, func(a *archive) error {
		list = append(list, a.describe())
		return nil
	})
	return list, err
}

// RemoveArchives removes the archive files whose NewestResolvedAt and NewestExpiry are before a time, in
// ns since the Unix epoch, and returns them. It reads files in the order of their numbers, up to the first
// whose NewestResolvedAt is not before the time. It goes on after an error, and returns all errors, which
// match the same as those from [ListArchives]. A file that cannot be read stays.
func RemoveArchives(folder string, before int64) (removed []Archive, err error) {
	var old []Archive
	err = eachArchive(folder, func(a *archive) error {
		d := a.describe()
		if d.NewestResolvedAt >= before {
			return errYoung
		}
		if d.NewestExpiry < before {
			old = append(old, d)
		}
		return nil
	})
	for _, a := range old {
		if removeErr := os.Remove(a.Path); removeErr != nil {
			err = errors.Join(err, fmt.Errorf("packetlog: %w", removeErr))
			continue
		}
		removed = append(removed, a)
	}
	if len(removed) > 0 {
		if syncErr := syncFolder(folder); syncErr != nil {
			err = errors.Join(err, fmt.Errorf("packetlog: %w", syncErr))
		}
	}
	return removed, err
}

// ReadRecent passes the packets of a folder of archive files that expire at a time or later, in ns since
// the Unix epoch, to yield, which must not keep them. Of files and blocks without such a packet it reads
// no more than header and footer. A packet that is in two files is passed twice. ReadRecent returns the
// list and the errors of [ListArchives], or the first error of yield.
func ReadRecent(folder string, expiry int64, yield func(*Packet) error) (list []Archive, err error) {
	err = eachArchive(folder, func(a *archive) error {
		list = append(list, a.describe())
		for i := range a.footer.blocks {
			if a.footer.blocks[i].expiry.high < expiry {
				continue
			}
			err := a.readBlock(i, func(p *Packet) error {
				if p.Expiry < expiry {
					return nil
				}
				return yield(p)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return list, err
}

// errYoung ends eachArchive without an error: no later file is old enough.
var errYoung = errors.New("a younger file")

// eachArchive opens the archive files of a folder in the order of their numbers. It goes on with the
// next file after an error of openArchive, and stops at an error of visit.
func eachArchive(folder string, visit func(a *archive) error) (err error) {
	paths, err := archivePaths(folder)
	if err != nil || len(paths) == 0 {
		return err
	}
	decoder, err := newDecoder()
	if err != nil {
		return fmt.Errorf("packetlog: %w", err)
	}
	defer decoder.Close()
	for _, path := range paths {
		a, openErr := openArchive(path, decoder)
		if errors.Is(openErr, fs.ErrNotExist) {
			continue // RemoveArchives removed it since the folder was listed
		}
		if openErr != nil {
			err = errors.Join(err, openErr)
			continue
		}
		visitErr, closeErr := visit(a), a.close()
		if errors.Is(visitErr, errYoung) {
			return errors.Join(err, closeErr)
		}
		if visitErr = errors.Join(visitErr, closeErr); visitErr != nil {
			return errors.Join(err, visitErr)
		}
	}
	return err
}

// archivePaths returns the paths of the archive files of a folder in the order of their numbers.
func archivePaths(folder string) (paths []string, err error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("packetlog: %w", err)
	}
	for _, entry := range entries {
		if _, ok := parseArchiveName(entry.Name()); ok {
			paths = append(paths, filepath.Join(folder, entry.Name()))
		}
	}
	slices.Sort(paths) // numbers of equal length
	return paths, nil
}

func (a *archive) describe() Archive {
	var resolved, expiry span
	d := Archive{Path: a.path, Number: a.number, Journal: a.journal, Size: a.size, NewestExpiry: math.MinInt64}
	for i := range a.footer.blocks {
		k := &a.footer.blocks[i]
		d.Packets += uint64(k.packets)
		resolved.addSpan(k.resolved)
		expiry.addSpan(k.expiry)
	}
	for i := range a.footer.rounds {
		d.Rounds += uint64(a.footer.rounds[i].count)
		if d.Packets == 0 {
			resolved.addSpan(a.footer.rounds[i].at)
		}
	}
	d.OldestResolvedAt, d.NewestResolvedAt = resolved.low, resolved.high
	if expiry.seen {
		d.NewestExpiry = expiry.high
	}
	return d
}
