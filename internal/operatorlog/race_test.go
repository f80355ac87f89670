//go:build race

package operatorlog

// The race detector makes each line take ten times as long, and finds nothing more in many lines.
func init() { largeJournal = 5_000 }
