package sealed

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Folder is the part of the file system used by sealed files. Names are without the folder. Any
// number of goroutines may use it. Package sealedtest has a folder that fails and crashes.
type Folder interface {
	// FullPath returns the path of a name, for messages.
	FullPath(name string) string
	// ListNames returns the names of all files.
	ListNames() ([]string, error)
	// CreateFile makes an empty file to write, in the place of a file with the name.
	CreateFile(name string) (File, error)
	// OpenFile opens a file to read.
	OpenFile(name string) (File, error)
	// RenameFile gives a file another name, in the place of a file with that name.
	RenameFile(from, to string) error
	// RemoveFile removes a file.
	RemoveFile(name string) error
	// SyncFolder makes creations, renames and removals durable.
	SyncFolder() error
}

// File is an open file of a [Folder].
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size returns the number of bytes.
	Size() (int64, error)
	// Sync makes the bytes durable.
	Sync() error
	// MapBytes returns a part of the file in memory: mapped where the system can, else copied. The
	// bytes are valid until unmap, which the caller calls before Close.
	MapBytes(offset int64, length int) (bytes []byte, unmap func() error, err error)
}

// OSFolder returns a folder of the operating system. The folder exists.
func OSFolder(path string) Folder { return osFolder(path) }

type osFolder string

func (d osFolder) FullPath(name string) string { return filepath.Join(string(d), name) }

func (d osFolder) ListNames() ([]string, error) {
	entries, err := os.ReadDir(string(d))
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

func (d osFolder) CreateFile(name string) (File, error) {
	if err := d.RemoveFile(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return openOS(d.FullPath(name), os.O_RDWR|os.O_CREATE|os.O_EXCL)
}

func (d osFolder) OpenFile(name string) (File, error) {
	return openOS(d.FullPath(name), os.O_RDONLY)
}

func openOS(path string, flag int) (File, error) {
	f, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (d osFolder) RenameFile(from, to string) error {
	return os.Rename(d.FullPath(from), d.FullPath(to))
}

func (d osFolder) RemoveFile(name string) error { return os.Remove(d.FullPath(name)) }

func (d osFolder) SyncFolder() error {
	if runtime.GOOS == "windows" {
		return nil // Windows cannot sync a folder
	}
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

type osFile struct{ *os.File }

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
