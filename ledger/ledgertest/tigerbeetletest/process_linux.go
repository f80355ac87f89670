//go:build cgo && unix

package tigerbeetletest

import "syscall"

// killWithParent makes the kernel kill the process when the thread that starts it ends. The process
// is then also killed with the test's process.
func killWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
