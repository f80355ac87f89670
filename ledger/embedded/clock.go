package embedded

import "time"

// idleWait is how long a server without requests waits before it looks for
// expired holds (from the source of TigerBeetle 0.17.9).
const idleWait = 100 * time.Millisecond

// clock issues the ledger's timestamps: nanoseconds since the Unix epoch, always
// growing, ahead of the wall clock when that stands still or was set back.
type clock struct {
	now             func() time.Time
	newestTimestamp uint64 // the newest timestamp issued

	ledgerTime  uint64    // the ledger's time when it was read last
	lastReading time.Time // by now
}

// issueTimestamps issues the timestamps of a request with n events and returns the last of
// them. The events own the n timestamps that end there, whether or not they
// succeed. A request without events still moves the clock.
func (c *clock) issueTimestamps(n int) (last uint64) {
	c.newestTimestamp = max(c.newestTimestamp+1, c.readTime()) + uint64(n)
	return c.newestTimestamp
}

// aheadSlowdown is how much slower than the wall clock the ledger's time goes while it is ahead.
const aheadSlowdown = 2

// readTime is the ledger's time: that of the wall clock (a time before 1970 counts as 1970),
// unless that is behind the newest timestamp. Then somebody has set it back, or it was wrong
// before, perhaps by a year: time goes on from that timestamp, at half its speed, until the
// wall clock has caught up. If it stood still no hold would end in all that time. A hold
// that ends later than it was asked to breaks no promise; one that ends earlier would.
func (c *clock) readTime() uint64 {
	now := c.now()
	c.ledgerTime = max(c.ledgerTime, c.newestTimestamp)
	if passed := now.Sub(c.lastReading); passed > 0 && !c.lastReading.IsZero() {
		c.ledgerTime += uint64(passed) / aheadSlowdown
	}
	c.lastReading, c.ledgerTime = now, max(c.ledgerTime, uint64(max(0, now.UnixNano())))
	return c.ledgerTime
}

// aheadOfWallClock is how far the newest timestamp is ahead of the wall clock, 0 if it is not.
func (c *clock) aheadOfWallClock() time.Duration {
	wall := uint64(max(0, c.now().UnixNano()))
	return time.Duration(c.newestTimestamp - min(c.newestTimestamp, wall))
}

// idleSince is the moment up to which an idle server has certainly looked for
// expired holds by now.
func (c *clock) idleSince() uint64 {
	now := c.readTime()
	return now - min(now, uint64(idleWait))
}
