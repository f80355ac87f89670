//go:build !cgo

package server_test

import "testing"

func runGoClient(t *testing.T, _ string) []string {
	t.Helper()
	t.Skip("needs cgo: set CGO_ENABLED=1, and have a C compiler")
	return nil
}
