package aggregate

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The age of reservations follows the faster clock, and never goes back.
func TestClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wall := time.Now()
		c := newClock(func() time.Time { return wall })
		step := func(monotonic, jump time.Duration) time.Duration {
			before := c.last.mono
			<-time.After(monotonic)
			wall = wall.Add(jump)
			require.Equal(t, wall.UnixNano(), c.now().wall)
			return c.last.mono - before
		}
		require.Equal(t, time.Second, step(time.Second, time.Second))
		require.Equal(t, time.Hour, step(time.Second, time.Hour), "suspended, or a jump ahead")
		require.Equal(t, time.Second, step(time.Second, -time.Hour), "a jump back")
		require.Equal(t, 2*time.Second, step(2*time.Second, time.Second))
	})
}
