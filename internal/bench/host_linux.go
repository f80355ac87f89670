package bench

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// readProcessorTime returns the time that all cores have spent on this process.
func readProcessorTime() time.Duration {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// readAnonymousMemory returns the resident bytes of the process that no file has (RssAnon), or 0 if
// the kernel does not tell.
func readAnonymousMemory() int64 { return readStatusBytes("RssAnon:") }

// readResidentMemory returns the resident bytes of the process without the page cache (RssAnon and
// RssShmem), or 0 if the kernel does not tell.
func readResidentMemory() int64 { return readStatusBytes("RssAnon:", "RssShmem:") }

// readStatusBytes returns the sum of some lines of the kernel's status of the process, which are in
// KiB.
func readStatusBytes(names ...string) (sum int64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(status) {
		fields := bytes.Fields(line)
		if len(fields) == 3 && slices.Contains(names, string(fields[0])) {
			kib, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			sum += kib << 10
		}
	}
	return sum
}

// dropCached writes the files of a folder to the disk and drops them from the page cache, except for
// pages that a process has mapped. It reports whether the system can do so.
func dropCached(folder string) (dropped bool, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return ignoreMissing(err)
		}
		f, err := os.Open(path)
		if err != nil {
			return ignoreMissing(err)
		}
		return errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
	})
	return err == nil, err
}

// isInMemory reports whether a folder is on a file system without a disk.
func isInMemory(folder string) bool {
	var fs unix.Statfs_t
	if unix.Statfs(folder, &fs) != nil {
		return false
	}
	return int64(fs.Type) == unix.TMPFS_MAGIC || int64(fs.Type) == unix.RAMFS_MAGIC
}
