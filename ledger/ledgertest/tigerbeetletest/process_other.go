//go:build cgo && unix && !linux

package tigerbeetletest

import "syscall"

// killWithParent does nothing: on this system a process survives a killed test.
func killWithParent() *syscall.SysProcAttr { return nil }
