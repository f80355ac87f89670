package rfc0038_test

import (
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
