package operatorlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// openForAppend opens a journal for reading and appending. A missing file is created, and its name is on disk before the first
// line is.
func openForAppend(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	if file, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// appendLine writes a line with one write, and syncs it. The caller holds the lock of the journal, so no other process writes.
// After an error the file is as it was before, as far as the file system allows; else the rest of the line counts as damaged.
func appendLine(file *os.File, line []byte) error {
	size, torn, err := readEnd(file)
	if err != nil {
		return err
	}
	if torn { // a crash cut the last line: the torn line is kept, and ends here
		line = append([]byte{'\n'}, line...)
	}
	_, err = file.Write(line)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		return nil
	}
	if cutErr := file.Truncate(size); cutErr == nil {
		_ = file.Sync() // the first error says enough
	}
	return err
}

// readEnd returns the size of a file, and whether its last line has no line feed.
func readEnd(file *os.File) (size int64, torn bool, err error) {
	info, err := file.Stat()
	if err != nil {
		return 0, false, err
	}
	size = info.Size()
	if size == 0 {
		return 0, false, nil
	}
	var last [1]byte
	if _, err := file.ReadAt(last[:], size-1); err != nil {
		return 0, false, err
	}
	return size, last[0] != '\n', nil
}

// syncFolder makes a new file in the folder survive a power cut.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // Windows cannot sync a folder
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
