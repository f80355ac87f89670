//go:build cgo && !linux

package cluster

// nativeLogDiverted says whether the native log can be diverted here.
const nativeLogDiverted = false

// divertNativeLog does nothing: the native client writes to standard error.
func divertNativeLog(bool) bool { return false }
