package main

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// stayOnOneCore moves the whole process to one core. The threads of the runtime exist already and
// keep their cores, so the program is started again by a thread that has one core.
func stayOnOneCore() error {
	if countCores() == 1 {
		return nil
	}
	runtime.LockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	for core := range len(all) * 64 {
		if all.IsSet(core) {
			one.Zero()
			one.Set(core) // the last in the end: the first often has the interrupts
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(program, os.Args, os.Environ())
}

// countCores returns the number of cores of this process.
func countCores() int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return runtime.NumCPU()
	}
	return set.Count()
}

// readProcessorTime returns the time that the process has had a core.
func readProcessorTime() time.Duration {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
