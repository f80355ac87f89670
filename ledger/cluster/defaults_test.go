package cluster

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The defaults are documented in the comments of Config, and OpenTimeout in docs/operations.md.
func TestDefaults(t *testing.T) {
	t.Parallel()
	c := Config{}.withDefaults()
	require.Equal(t, []any{3, int64(128 << 20), 15 * time.Second, 5 * time.Second, time.Second},
		[]any{c.Sessions, c.MaxInFlightBytes, c.OpenTimeout, c.StallTimeout, c.CloseTimeout})
	require.Equal(t, Resolver(net.DefaultResolver), c.Resolver)
}
