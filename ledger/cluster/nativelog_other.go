//go:build cgo && !linux

package cluster

// nativeLogDiverted reports whether the native log can be diverted on this platform.
const nativeLogDiverted = false

// divertNativeLog does nothing: the native client writes to standard error.
func divertNativeLog(bool) bool { return false }
