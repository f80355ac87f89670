//go:build cgo && unix && !linux

package tigerbeetletest

import "syscall"

// dieWithUs does nothing: here a process outlives a test that is killed.
func dieWithUs() *syscall.SysProcAttr { return nil }
