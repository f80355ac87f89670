package embedded

import "time"

// idleWait is the time after which a server without requests looks for expired holds (from the
// source of TigerBeetle 0.17.9).
const idleWait = 100 * time.Millisecond

// clock issues the ledger's timestamps: nanoseconds since the Unix epoch, always growing, even
// while the wall clock stands still or was set back.
type clock struct {
	now             func() time.Time
	newestTimestamp uint64 // the last timestamp issued

	ledgerTime  uint64    // result of the last readTime
	lastReading time.Time // now at the last readTime
}

// issueTimestamps issues the timestamps of a request with n events and returns the last of them.
// The events own the last n timestamps, whether or not they succeed. A request without events moves
// the clock too.
func (c *clock) issueTimestamps(n int) (last uint64) {
	c.newestTimestamp = max(c.newestTimestamp+1, c.readTime()) + uint64(n)
	return c.newestTimestamp
}

// aheadSlowdown is the ratio of the wall clock's speed to the ledger's while the ledger is ahead.
const aheadSlowdown = 2

// readTime returns the ledger's time: the wall clock's, where a time before 1970 counts as 1970. If
// the newest timestamp is ahead of the wall clock, the wall clock was set back, or was wrong
// before, perhaps by a year. Then the ledger's time continues from the newest timestamp at half
// speed until the wall clock has caught up. If it stood still, no hold would expire meanwhile. A
// hold may expire late, but never early.
func (c *clock) readTime() uint64 {
	now := c.now()
	c.ledgerTime = max(c.ledgerTime, c.newestTimestamp)
	if elapsed := now.Sub(c.lastReading); elapsed > 0 && !c.lastReading.IsZero() {
		c.ledgerTime += uint64(elapsed) / aheadSlowdown
	}
	c.lastReading, c.ledgerTime = now, max(c.ledgerTime, uint64(max(0, now.UnixNano())))
	return c.ledgerTime
}

// aheadOfWallClock returns how far the newest timestamp is ahead of the wall clock, 0 if it is not.
func (c *clock) aheadOfWallClock() time.Duration {
	wall := uint64(max(0, c.now().UnixNano()))
	return time.Duration(c.newestTimestamp - min(c.newestTimestamp, wall))
}

// idleSince returns a moment before which an idle server has certainly released the expired holds.
func (c *clock) idleSince() uint64 {
	now := c.readTime()
	return now - min(now, uint64(idleWait))
}
