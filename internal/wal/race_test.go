//go:build race

package wal

// The race detector makes each folder take ten times as long, and finds nothing more in many: they are read one after
// the other. The step has no factor in common with the numbers of folders.
func init() { crashImageStep = 11 }
