package monitoring

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The defaults are the defaults in the comments and of docs/monitoring.md.
func TestDefaults(t *testing.T) {
	t.Parallel()
	c := Config{}.withDefaults()
	require.Equal(t, []any{20, 5 * time.Second, 5 * time.Second, 100}, []any{c.Top, c.Interval, c.Timeout, c.MaxOrders})
	require.Zero(t, Config{Top: -1}.withDefaults().Top, "negative for none")
}
