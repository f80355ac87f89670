package doctor

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readHost reads the properties of this machine.
func readHost() (h host) {
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		h.kernel = unix.ByteSliceToString(name.Release[:])
		_, _ = fmt.Sscanf(h.kernel, "%d.%d", &h.major, &h.minor) // zero for another form
	}
	h.uringErr = tryUring()
	h.memory = availableMemory()
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) == nil && os.Geteuid() != 0 { // root may lock all memory
		h.memlock = limit.Cur
	}
	var clock unix.Timex
	if state, err := unix.Adjtimex(&clock); err == nil {
		h.unsynced = state == unix.TIME_ERROR
	}
	return h
}

// tryUring sets an io_uring up and closes it.
func tryUring() error {
	var params [120]byte // struct io_uring_params
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
	if errno != 0 {
		return errno
	}
	return unix.Close(int(fd))
}

// availableMemory returns the memory that the kernel counts as available, or the rest of the
// container's limit, whichever is less; 0 if both are unknown.
func availableMemory() uint64 {
	available := uint64(0)
	if file, err := os.Open("/proc/meminfo"); err == nil {
		defer func() { _ = file.Close() }() // opened only for reading
		for lines := bufio.NewScanner(file); lines.Scan(); {
			if rest, ok := strings.CutPrefix(lines.Text(), "MemAvailable:"); ok {
				kib, _ := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
				available = kib << 10
			}
		}
	}
	limit, used := readNumber("/sys/fs/cgroup/memory.max"), readNumber("/sys/fs/cgroup/memory.current")
	if limit > used && (available == 0 || limit-used < available) {
		return limit - used
	}
	return available
}

// readNumber reads the number in a file; 0 if there is none.
func readNumber(path string) uint64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0 // "max"
	}
	return n
}

// readVolume reads the properties of a file's file system.
func readVolume(path string) volume {
	var fs unix.Statfs_t
	if unix.Statfs(path, &fs) != nil {
		return volume{}
	}
	return volume{
		free: fs.Bavail * uint64(fs.Bsize), size: fs.Blocks * uint64(fs.Bsize),
		inMemory: fs.Type == unix.TMPFS_MAGIC,
	}
}

// isLocked reports whether a process holds the server's lock on a file. The check takes a shared
// lock for a moment; a server that starts at this moment tries again.
func isLocked(path string) (locked, ok bool) {
	file, err := os.Open(path)
	if err != nil {
		return false, false
	}
	defer func() { _ = file.Close() }() // releases the lock
	switch err := unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB); err {
	case nil:
		return false, true
	case unix.EWOULDBLOCK:
		return true, true
	default:
		return false, false
	}
}
