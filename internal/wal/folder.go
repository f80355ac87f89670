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

// folder is the part of the file system used by the package. The tests have a folder that crashes.
// Names are without the folder.
type folder interface {
	fullPath(name string) string // for messages
	listNames() ([]string, error)
	createFile(name string) (file, error) // the file must not exist
	openFile(name string) (file, error)   // to read and write
	renameFile(from, to string) error
	removeFile(name string) error
	syncFolder() error // makes creations, renames and removals durable
}

type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error
}

// osFolder is a folder of the operating system.
type osFolder string

func (d osFolder) fullPath(name string) string { return filepath.Join(string(d), name) }

func (d osFolder) listNames() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

func (d osFolder) createFile(name string) (file, error) {
	return d.openWithFlag(name, os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (d osFolder) openFile(name string) (file, error) { return d.openWithFlag(name, os.O_RDWR) }

func (d osFolder) openWithFlag(name string, flag int) (file, error) {
	f, err := os.OpenFile(d.fullPath(name), flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (d osFolder) renameFile(from, to string) error {
	return os.Rename(d.fullPath(from), d.fullPath(to))
}

func (d osFolder) removeFile(name string) error { return os.Remove(d.fullPath(name)) }

func (d osFolder) syncFolder() error {
	if runtime.GOOS == "windows" {
		return nil // Windows cannot sync a folder
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

// replaceFile creates a file, in the place of a leftover of a failed attempt if there is one.
func replaceFile(f folder, name string) (file, error) {
	created, err := f.createFile(name)
	if !errors.Is(err, fs.ErrExist) {
		return created, err
	}
	if err := f.removeFile(name); err != nil {
		return nil, err
	}
	return f.createFile(name)
}

// folderContents are the files of the package in a folder, in ascending order.
type folderContents struct {
	segments, checkpoints []uint64
	unfinished            []string
}

func listFolder(f folder) (folderContents, error) {
	names, err := f.listNames()
	if err != nil {
		return folderContents{}, err
	}
	var c folderContents
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

// namesBelow returns the names of the segments and checkpoints below a number.
func (c *folderContents) namesBelow(number uint64) []string {
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

// makeFolder creates a folder and makes its name durable. The lock file is made afterwards, so its
// presence proves that both were done.
func makeFolder(path string) error {
	if _, err := os.Stat(filepath.Join(path, lockName)); err == nil {
		return nil
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return osFolder(filepath.Dir(path)).syncFolder()
}
