//go:build linux || darwin

package sealed

import "syscall"

// openFileLimit returns how many files the process may have open.
func openFileLimit() (limit uint64, ok bool) {
	var r syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r)
	return r.Cur, err == nil
}
