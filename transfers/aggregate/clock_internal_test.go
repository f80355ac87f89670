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

// Between readings, the wall clock passes with the monotonic clock. A jump counts from the next reading on.
func TestClockWithoutConfig(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClock(nil)
		first := c.now()
		for _, step := range []time.Duration{time.Microsecond, wallInterval - 2*time.Microsecond, 0} {
			<-time.After(step)
			require.Equal(t, time.Now().UnixNano(), c.now().wall)
		}
		require.Equal(t, wallInterval-time.Microsecond, c.now().mono-first.mono)

		c.last.wall -= int64(time.Hour) // as if the wall clock had jumped ahead since
		require.Equal(t, wallInterval-time.Microsecond, c.now().mono-first.mono)
		<-time.After(time.Microsecond)
		jumped := c.now()
		require.Equal(t, time.Now().UnixNano(), jumped.wall)
		require.Equal(t, time.Hour+wallInterval, jumped.mono-first.mono)
		require.Equal(t, jumped, c.now())
		<-time.After(time.Minute)
		require.Equal(t, time.Minute, c.now().mono-jumped.mono)
	})
}
