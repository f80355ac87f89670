package transfers

import (
	"errors"
	"fmt"
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
	// Touched is told, after each batch, which peers may be owed another amount or
	// may be paid more since. It is called from the goroutine of a lane, must not block,
	// and must not keep the slice. Default none.
	Touched func([]accounts.Account)
	// Clock is used for ids and holds. Default time.Now.
	Clock func() time.Time
}

func (c Config) withDefaults() Config {
	c.Lanes = orDefault(c.Lanes, 2)
	c.Backlog = orDefault(c.Backlog, 1<<16)
	c.HoldMargin = orDefault(c.HoldMargin, 2*time.Second)
	c.MinHold = orDefault(c.MinHold, time.Second)
	if c.Touched == nil {
		c.Touched = func([]accounts.Account) {}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

func orDefault[T int | time.Duration](v, standard T) T {
	if v == 0 {
		return standard
	}
	return v
}

// ErrConfig is matched by the errors of Config.Validate.
var ErrConfig = errors.New("transfers: invalid configuration")

// Validate reports all that is wrong with the configuration at once, as errors
// that match ErrConfig and name the field.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, field string, value any) {
		if !ok {
			errs = append(errs, fmt.Errorf("%w: %s must not be negative, is %v", ErrConfig, field, value))
		}
	}
	check(c.Lanes >= 0, "Lanes", c.Lanes)
	check(c.Backlog >= 0, "Backlog", c.Backlog)
	check(c.HoldMargin >= 0, "HoldMargin", c.HoldMargin)
	check(c.MinHold >= 0, "MinHold", c.MinHold)
	return errors.Join(errs...)
}
