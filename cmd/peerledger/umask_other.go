//go:build !unix

package main

// hideNewFiles does nothing: the system has no mask for new files.
func hideNewFiles() (restore func()) { return func() {} }
