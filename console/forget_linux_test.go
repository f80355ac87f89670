package console

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// forgetFile drops a file from the system's cache.
func forgetFile(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED), file.Close())
}
