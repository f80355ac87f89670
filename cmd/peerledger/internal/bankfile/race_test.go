//go:build race

package bankfile

// The race detector makes each payment take ten times as long, and all are decided on one goroutine.
func init() { manyPayments = 1000 }
