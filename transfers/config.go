package transfers

import (
	"cmp"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// Config says how a Recorder works. The zero value is usable.
type Config struct {
	// Lanes is how many requests are in flight at once. Operations on one
	// packet stay in order; there is none between packets. Default 2.
	Lanes int
	// Backlog is how many operations may be waiting or in flight. Default 65536.
	Backlog int
	// HoldMargin is how long a hold outlives its packet's Expiry, so that a
	// fulfill that came in time is still booked. Default 2 s.
	HoldMargin time.Duration
	// MinHold is the least time that must be left until a packet's Expiry when
	// it is prepared. Default 1 s.
	MinHold time.Duration
	// Touched is told, after each batch, which peers may be owed another amount
	// or may be paid more since. It is called from the goroutine of a lane, must
	// not block, and must not keep the slice. Default none.
	Touched func([]accounts.Account)
	// Clock is used for ids and holds. Default time.Now.
	Clock func() time.Time
}

func (c Config) withDefaults() Config {
	c.Lanes = cmp.Or(c.Lanes, 2)
	c.Backlog = cmp.Or(c.Backlog, 1<<16)
	c.HoldMargin = cmp.Or(c.HoldMargin, 2*time.Second)
	c.MinHold = cmp.Or(c.MinHold, time.Second)
	if c.Touched == nil {
		c.Touched = func([]accounts.Account) {}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

// Validate reports all that is wrong with the configuration at once, as errors
// that match accounts.ErrInvalid and name the field.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, field string) {
		if !ok {
			errs = append(errs, &accounts.FieldError{Subject: "recorder config", Field: field, Reason: "must not be negative"})
		}
	}
	check(c.Lanes >= 0, "Lanes")
	check(c.Backlog >= 0, "Backlog")
	check(c.HoldMargin >= 0, "HoldMargin")
	check(c.MinHold >= 0, "MinHold")
	return errors.Join(errs...)
}
