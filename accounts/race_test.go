//go:build race

package accounts_test

// The race detector makes conversions and comparisons take ten times as long. Each runs on one goroutine.
func init() { manyConversions, hostileEntries = 50_000, 20_000 }
