package embedded

import "golang.org/x/sys/unix"

// freeBytes returns the room of a folder's file system.
func freeBytes(folder string) (bytes uint64, ok bool) {
	var fs unix.Statfs_t
	if unix.Statfs(folder, &fs) != nil {
		return 0, false
	}
	return fs.Bavail * uint64(fs.Bsize), true
}
