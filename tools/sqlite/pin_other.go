//go:build !linux

package main

import (
	"errors"
	"runtime"
	"time"
)

var errCores = errors.New("a process can be kept on one core on Linux alone: use -all-cores")

func stayOnOneCore() error { return errCores }

func countCores() int { return runtime.NumCPU() }

// readProcessorTime returns 0: the time is measured on Linux alone.
func readProcessorTime() time.Duration { return 0 }
