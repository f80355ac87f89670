//go:build cgo && unix && !linux

package tigerbeetletest

import "syscall"

// killWithParent does nothing: here a process outlives a test that is killed.
func killWithParent() *syscall.SysProcAttr { return nil }
