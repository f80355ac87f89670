//go:build unix

package main

import "syscall"

// hideNewFiles has the process make files that only this user can open, until restore. A socket so never
// has a moment in which others may connect. The mask is the process's: a file that the ledger makes
// meanwhile is hidden too.
func hideNewFiles() (restore func()) {
	before := syscall.Umask(0o077)
	return func() { syscall.Umask(before) }
}
