//go:build !linux

package bench

import "time"

// readProcessorTime returns 0: the time is measured on Linux alone.
func readProcessorTime() time.Duration { return 0 }

// readAnonymousMemory returns 0: the memory is measured on Linux alone.
func readAnonymousMemory() int64 { return 0 }

// isInMemory returns false: file systems are told apart on Linux alone.
func isInMemory(string) bool { return false }
