//go:build cgo && unix

package tigerbeetletest

import "syscall"

// killWithParent has a process killed when the thread that starts it ends, and so also when the
// test's own process is killed.
func killWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
