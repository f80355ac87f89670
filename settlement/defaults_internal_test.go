package settlement

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The defaults equal the defaults in the comments, in README and in docs/performance.md.
func TestDefaults(t *testing.T) {
	t.Parallel()
	c := Config{}.withDefaults()
	require.Equal(t, []time.Duration{time.Minute, time.Second, 5 * time.Minute, time.Minute, 10 * time.Minute, 250 * time.Millisecond, time.Minute},
		[]time.Duration{c.Lease, c.RetryInitialInterval, c.RetryMaxInterval, c.OrderCooldown, c.StuckAfter, c.CheckCooldown, c.SweepInterval})
	require.WithinDuration(t, time.Now(), c.Clock(), time.Minute)
	r := Rail{}.withDefaults()
	require.Equal(t, []any{30 * time.Second, 8, 10, 30 * time.Second}, []any{r.Timeout, r.Concurrency, r.BreakerThreshold, r.BreakerTimeout})
}
