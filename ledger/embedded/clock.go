package embedded

import "time"

// idleWait is how long a server without requests waits before it looks for
// expired holds (from the source of TigerBeetle 0.17.9).
const idleWait = 100 * time.Millisecond

// clock issues the ledger's timestamps: nanoseconds since the Unix epoch, always
// growing, ahead of the wall clock when that stands still or goes back.
type clock struct {
	now  func() time.Time
	last uint64 // the newest timestamp issued
}

// take issues the timestamps of a request with n events and returns the last of
// them. The events own the n timestamps that end there, whether or not they
// succeed. A request without events still moves the clock.
func (c *clock) take(n int) (last uint64) {
	c.last = max(c.last+1, c.wall()) + uint64(n)
	return c.last
}

// wall is the time by the wall clock; a time before 1970 counts as 1970.
func (c *clock) wall() uint64 { return uint64(max(0, c.now().UnixNano())) }

// idleSince is the moment up to which an idle server has certainly looked for
// expired holds by now.
func (c *clock) idleSince() uint64 { return uint64(max(0, c.now().Add(-idleWait).UnixNano())) }
