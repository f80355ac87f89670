package settlement

import (
	"cmp"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// Config says how an Engine settles. The zero Config pays nobody, and books what
// Receive and RecordPaid are told.
type Config struct {
	// Settler pays the orders. Default none: nothing is settled.
	Settler Settler
	// Policy says when an account is due; a nil Policy never is. It is called
	// concurrently and must not block. Default none: no orders are placed, and
	// open ones are still resumed.
	Policy func(accounts.Account) Policy

	// Instance names this Engine among those that work on the ledger, at most
	// one process at a time. It must survive a restart: an Engine resumes the
	// open orders of its own Instance and leaves the others alone. Default ""
	// (for the only engine of a ledger).
	Instance string

	// HookTimeout ends the context of a call of the Settler. Default 30 s.
	HookTimeout time.Duration
	// RetryAfter is about how long the Engine waits before it tries an account
	// again after an error; each further error makes it half as long again, up
	// to RetryAtMost. Default 1 s.
	RetryAfter time.Duration
	// RetryAtMost caps the wait after errors. Default 5 min.
	RetryAtMost time.Duration
	// RearmAfter is how long an account gets no new order after one of its
	// orders was voided, by the ledger's time of the void, so that it holds for
	// all engines. Default 1 min.
	RearmAfter time.Duration
	// Sweep is how often all accounts are looked at that were ever touched, in
	// case something was missed. Default 1 min.
	Sweep time.Duration
	// Concurrency is how many accounts are settled at once. Default 8.
	Concurrency int
	// Manual leaves the automatic checks out: only Check settles. Default false.
	Manual bool

	// Hooks are told what becomes of each order. Default none.
	Hooks Hooks
	// Clock is compared with the ledger's time. Default time.Now.
	Clock func() time.Time
}

// Hooks are called once for each thing that happens to an order, by whichever
// goroutine does it, so concurrently. They must not block and must not call the
// Engine. A crash or a lost answer can make a thing be told twice, or never:
// Order.ID tells it apart, and the ledger knows.
type Hooks struct {
	Placed func(Order)        // written into the ledger
	Paid   func(Payment)      // paid and booked
	Voided func(Order, error) // given back; the error matches ErrDeclined or ErrTooSmall
	Failed func(error)        // of an account (*OrderError) or a look-up; it is tried again later
}

// Validate reports all that is wrong with the configuration at once, as errors
// that match accounts.ErrInvalid and name the field.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, field, reason string) {
		if !ok {
			errs = append(errs, &accounts.FieldError{Subject: "settlement config", Field: field, Reason: reason})
		}
	}
	const negative = "must not be negative"
	check(c.Settler != nil || c.Policy == nil, "Settler", "is needed: a Policy is set, and nobody would pay its orders")
	check(c.HookTimeout >= 0, "HookTimeout", negative)
	check(c.RetryAfter >= 0, "RetryAfter", negative)
	check(c.RetryAtMost >= 0, "RetryAtMost", negative)
	check(c.RearmAfter >= 0, "RearmAfter", negative)
	check(c.Sweep >= 0, "Sweep", negative)
	check(c.Concurrency >= 0, "Concurrency", negative)
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	c.HookTimeout = cmp.Or(c.HookTimeout, 30*time.Second)
	c.RetryAfter = cmp.Or(c.RetryAfter, time.Second)
	c.RetryAtMost = cmp.Or(c.RetryAtMost, 5*time.Minute)
	c.RearmAfter = cmp.Or(c.RearmAfter, time.Minute)
	c.Sweep = cmp.Or(c.Sweep, time.Minute)
	c.Concurrency = cmp.Or(c.Concurrency, 8)
	if c.Policy == nil {
		c.Policy = func(accounts.Account) Policy { return nil }
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.Hooks = c.Hooks.withDefaults()
	return c
}

func (h Hooks) withDefaults() Hooks {
	if h.Placed == nil {
		h.Placed = func(Order) {}
	}
	if h.Paid == nil {
		h.Paid = func(Payment) {}
	}
	if h.Voided == nil {
		h.Voided = func(Order, error) {}
	}
	if h.Failed == nil {
		h.Failed = func(error) {}
	}
	return h
}
