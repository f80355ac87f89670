package wal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// folder is all that the package does to the file system. The tests have one that
// crashes. Names are without the folder.
type folder interface {
	path(name string) string // for messages
	list() ([]string, error)
	create(name string) (file, error) // it must not exist
	open(name string) (file, error)   // to read and write
	rename(from, to string) error
	remove(name string) error
	sync() error // makes creations, renames and removals durable
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error
}

// dir is a folder of the operating system.
type dir string

func (d dir) path(name string) string { return filepath.Join(string(d), name) }

func (d dir) list() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

func (d dir) create(name string) (file, error) {
	return d.openFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (d dir) open(name string) (file, error) { return d.openFile(name, os.O_RDWR) }

func (d dir) openFile(name string, flag int) (file, error) {
	f, err := os.OpenFile(d.path(name), flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (d dir) rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

func (d dir) remove(name string) error { return os.Remove(d.path(name)) }

func (d dir) sync() error {
	if runtime.GOOS == "windows" {
		return nil // it has no way to sync a folder
	}
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	err = f.Sync()
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// Names of files.
const (
	segmentPrefix    = "log-"
	checkpointPrefix = "checkpoint-"
	tmpSuffix        = ".tmp"
	lockName         = "lock"
)

func fileName(prefix string, number uint64) string { return fmt.Sprintf("%s%016x", prefix, number) }

// parseName is the reverse of fileName.
func parseName(prefix, name string) (number uint64, ok bool) {
	digits, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return 0, false
	}
	if _, err := fmt.Sscanf(digits, "%x", &number); err != nil {
		return 0, false
	}
	return number, name == fileName(prefix, number)
}

// createAgain creates a file in the place of one that may be left over from an attempt
// that failed.
func createAgain(f folder, name string) (file, error) {
	created, err := f.create(name)
	if !errors.Is(err, fs.ErrExist) {
		return created, err
	}
	if err := f.remove(name); err != nil {
		return nil, err
	}
	return f.create(name)
}

// contents are the files of a folder that are ours, in ascending order.
type contents struct {
	segments, checkpoints []uint64
	unfinished            []string
}

func listFolder(f folder) (contents, error) {
	names, err := f.list()
	if err != nil {
		return contents{}, err
	}
	var c contents
	for _, name := range names {
		whole, unfinished := strings.CutSuffix(name, tmpSuffix)
		segment, isSegment := parseName(segmentPrefix, whole)
		checkpoint, isCheckpoint := parseName(checkpointPrefix, whole)
		switch {
		case unfinished && (isSegment || isCheckpoint):
			c.unfinished = append(c.unfinished, name)
		case isSegment:
			c.segments = append(c.segments, segment)
		case isCheckpoint:
			c.checkpoints = append(c.checkpoints, checkpoint)
		}
	}
	slices.Sort(c.segments)
	slices.Sort(c.checkpoints)
	return c, nil
}

// olderThan is the names of the segments and checkpoints below a number.
func (c *contents) olderThan(number uint64) []string {
	var names []string
	for _, n := range c.checkpoints {
		if n < number {
			names = append(names, fileName(checkpointPrefix, n))
		}
	}
	for _, n := range c.segments {
		if n < number {
			names = append(names, fileName(segmentPrefix, n))
		}
	}
	return names
}

// makeFolder creates a folder and makes that durable. The lock file is made
// afterwards, so where it is, all this was done.
func makeFolder(path string) error {
	if _, err := os.Stat(filepath.Join(path, lockName)); err == nil {
		return nil
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return dir(filepath.Dir(path)).sync()
}
