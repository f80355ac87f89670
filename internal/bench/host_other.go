//go:build !linux

package bench

import "time"

// readProcessorTime returns 0: the time is measured on Linux alone.
func readProcessorTime() time.Duration { return 0 }

// readAnonymousMemory returns 0: the memory is measured on Linux alone.
func readAnonymousMemory() int64 { return 0 }

// readResidentMemory returns 0: the memory is measured on Linux alone.
func readResidentMemory() int64 { return 0 }

// readStatusBytes returns 0, as readResidentMemory.
func readStatusBytes(...string) int64 { return 0 }

// dropCached does nothing: files are dropped from the page cache on Linux alone.
func dropCached(string) (dropped bool, err error) { return false, nil }

// isInMemory returns false: file systems are told apart on Linux alone.
func isInMemory(string) bool { return false }
