//go:build cgo && !linux

package cluster

// divertNativeLog does nothing: the native client writes to standard error.
func divertNativeLog(bool) {}
