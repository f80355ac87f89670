package main

import (
	"os/signal"
	"strconv"
	"syscall"
)

// limitFiles bounds the size of the files that this process writes, in bytes, as a full disk does.
// It is nil on other systems.
var limitFiles = func(bytes string) error {
	limit, err := strconv.ParseUint(bytes, 10, 64)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ) // a write fails instead
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit})
}
