package settlement

import (
	"cmp"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// Config says how an Engine settles. The zero Config pays nobody, and books what
// Receive and RecordOutgoing are told.
type Config struct {
	// Rails say who pays a peer. Default nobody: nothing is settled.
	Rails Rails
	// Policies say when a peer is due. Default never: no orders are placed, and
	// open ones are still resumed.
	Policies Policies
	// PositionThresholds are the positions that somebody wants to hear of, as Events.PositionAlert. Default
	// none.
	PositionThresholds Rules[PositionThresholds]

	// PeerPayoutLimits are the limits of what a peer is paid, and AssetPayoutLimits those of all payments in
	// an asset; those of a rail are with the Rail. They are kept by adding up the orders in the
	// ledger, of all engines, so that a restart forgets nothing, and are the same for all engines
	// of a ledger, or orders of an engine with larger ones leave nothing to the others. Default
	// none.
	PeerPayoutLimits  Rules[PayoutLimit]
	AssetPayoutLimits map[accounts.Asset]PayoutLimit

	// Instance names this Engine among those that work on the ledger, at most
	// one process at a time. It must survive a restart, so that an Engine resumes the
	// open orders of its own Instance at once. Default "" (for the only engine of a
	// ledger).
	Instance string
	// Lease is how long an engine with open orders may be silent before another
	// Instance takes them over. Engines renew their claims, in the ledger, at a third of
	// it; the ledger's time of the newest claim is compared with Clock, so Lease should
	// be far more than clocks differ and a request may take. All engines of a ledger
	// should have the same. Default 1 min.
	Lease time.Duration
	// NoTakeover leaves open orders to the Instance that placed them, and writes no
	// claims: for a rail that cannot tell that a key was paid when two processes call it
	// at once. Default false.
	NoTakeover bool

	// RetryInitialInterval is about how long the Engine waits before it tries an account
	// again after an error; each further error makes it half as long again, up
	// to RetryMaxInterval. Default 1 s.
	RetryInitialInterval time.Duration
	// RetryMaxInterval caps the wait after errors, and is the wait after ErrPending. Default
	// 5 min.
	RetryMaxInterval time.Duration
	// OrderCooldown is how long an account gets no new order after one of its
	// orders was voided, by the ledger's time of the void, so that it holds for
	// all engines; and how long after its newest order a peer's refusal (Refused) leads
	// to another one. Default 1 min.
	OrderCooldown time.Duration
	// StuckAfter is how long an order may be open before Events.Stuck is told of it.
	// Default 10 min.
	StuckAfter time.Duration
	// CheckCooldown is the least time between two look-ups of the balances that packets
	// changed. Each look-up is for all of them and takes its turn with the recorder's
	// requests, so a longer round costs the recorder less and finds later what is due.
	// The first look-up after a while without packets is made at once. Default 250 ms.
	CheckCooldown time.Duration
	// SweepInterval is how often all accounts are looked at that were ever touched, in
	// case something was missed, and for what becomes due by time; what waits for the end of a
	// pause, for an approval or for a limit is looked at as often. Default 1 min.
	SweepInterval time.Duration
	// Manual leaves the automatic checks out: only Check and Settle settle. Default
	// false.
	Manual bool

	// Events are told what becomes of each order. Default none.
	Events Events
	// Clock is compared with the ledger's time. Default time.Now.
	Clock func() time.Time
}

const reasonNegative = "must not be negative"

// Validate reports all that is wrong with the configuration at once, as errors
// that match accounts.ErrInvalid and name the field.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, field, reason string) {
		if !ok {
			errs = append(errs, &accounts.FieldError{Subject: "settlement config", Field: field, Reason: reason})
		}
	}
	check(len(distinctRails(c.Rails)) > 0 || !c.hasPolicies(), "Rails", "are needed: there are Policies, and nobody would pay their orders")
	check(c.Lease >= 0, "Lease", reasonNegative)
	check(c.RetryInitialInterval >= 0, "RetryInitialInterval", reasonNegative)
	check(c.RetryMaxInterval >= 0, "RetryMaxInterval", reasonNegative)
	check(c.OrderCooldown >= 0, "OrderCooldown", reasonNegative)
	check(c.StuckAfter >= 0, "StuckAfter", reasonNegative)
	check(c.CheckCooldown >= 0, "Round", reasonNegative)
	check(c.SweepInterval >= 0, "Sweep", reasonNegative)
	errs = append(errs, c.checkPayoutLimits()...)
	errs = append(
		errs, c.Policies.check("Policies", validatePolicy), c.PositionThresholds.check("Marks", PositionThresholds.validate),
		c.Rails.check("Rails", func(r *Rail) error {
			if r == nil {
				return nil
			}
			return r.Validate()
		}),
	)
	return errors.Join(errs...)
}

// checkRuleAssets refuses rules for assets that the book does not have.
func (c Config) checkRuleAssets(book *accounts.Book) error {
	return errors.Join(
		c.Rails.checkAssets("Rails", book), c.Policies.checkAssets("Policies", book), c.PositionThresholds.checkAssets("Marks", book),
		c.PeerPayoutLimits.checkAssets("PeerPayoutLimits", book), c.payoutLimitAssets().checkAssets("AssetPayoutLimits or Rail.PayoutLimits", book),
	)
}

// hasPositionThresholds reports whether anybody wants to hear of positions.
func (c Config) hasPositionThresholds() bool {
	for _, m := range c.PositionThresholds.entries() {
		if m != (PositionThresholds{}) {
			return true
		}
	}
	return false
}

func (c Config) hasPolicies() bool {
	for _, p := range c.Policies.entries() {
		if p != nil {
			return true
		}
	}
	return false
}

func (c Config) withDefaults() Config {
	c.Lease = cmp.Or(c.Lease, time.Minute)
	c.RetryInitialInterval = cmp.Or(c.RetryInitialInterval, time.Second)
	c.RetryMaxInterval = cmp.Or(c.RetryMaxInterval, 5*time.Minute)
	c.OrderCooldown = cmp.Or(c.OrderCooldown, time.Minute)
	c.StuckAfter = cmp.Or(c.StuckAfter, 10*time.Minute)
	c.CheckCooldown = cmp.Or(c.CheckCooldown, 250*time.Millisecond)
	c.SweepInterval = cmp.Or(c.SweepInterval, time.Minute)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.Events = c.Events.withDefaults()
	return c
}

func (r Rail) withDefaults() Rail {
	r.Timeout = cmp.Or(r.Timeout, 30*time.Second)
	r.Concurrency = cmp.Or(r.Concurrency, 8)
	r.BreakerThreshold = cmp.Or(r.BreakerThreshold, 10)
	r.BreakerTimeout = cmp.Or(r.BreakerTimeout, 30*time.Second)
	return r
}
