//go:build !cgo

package server_test

import "testing"

func runGoClient(t *testing.T, _ string) []string {
	t.Helper()
	t.Skip("Go client missing: build with cgo")
	return nil
}
