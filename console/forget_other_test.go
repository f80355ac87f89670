//go:build !linux

package console

// forgetFile does nothing: only Linux is asked to drop a file from its cache.
func forgetFile(string) error { return nil }
