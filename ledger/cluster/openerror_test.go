//go:build cgo

package cluster

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The error of Open has the last lines of TigerBeetle's client.
func TestOpenErrorHasTheClientsLines(t *testing.T) {
	t.Parallel()
	if !nativeLogDiverted {
		t.Skip("needs Linux: the native client's log can be had there only")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := Open(ctx, Config{Addresses: []string{unusedAddress(t)}})
	var report *OpenError
	require.ErrorAs(t, err, &report)
	require.NotEmpty(t, report.Native)
	for _, line := range report.Native {
		require.ErrorContains(t, err, line)
	}
}
