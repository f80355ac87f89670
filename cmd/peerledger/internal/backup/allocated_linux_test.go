package backup

import (
	"os"
	"syscall"
)

// readAllocated returns how many bytes of the disk a file takes.
func readAllocated(info os.FileInfo) (int64, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return stat.Blocks * 512, true
}
