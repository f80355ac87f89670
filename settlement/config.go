package settlement

import (
	"cmp"
	"errors"
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// Config configures an [Engine]. The zero Config pays no peer, and books payments as they are recorded.
type Config struct {
	// Rails are the rails that pay peers. Default none: nothing is settled.
	Rails Rails
	// Policies decide when a peer is due. Default none: no orders are placed, and open orders are still resumed.
	Policies Policies
	// PositionThresholds are the positions that trigger [Events.PositionAlert]. Default none.
	PositionThresholds accounts.Rules[PositionThresholds]

	// PeerPayoutLimits bound the payments to a peer, AssetPayoutLimits all payments in an asset; the limits of a
	// rail are in [Rail.PayoutLimits]. The Engine adds up the orders of all engines from the ledger, so a restart
	// forgets nothing. All engines of a ledger should have the same limits: orders of an engine with larger
	// limits leave nothing to the others. Default none.
	PeerPayoutLimits  accounts.Rules[PayoutLimit]
	AssetPayoutLimits map[accounts.Asset]PayoutLimit

	// Instance names this Engine among the engines of the ledger. At most one process at a time may use a name.
	// The name must survive a restart: an Engine resumes the open orders of its own Instance at once. Default ""
	// (the only engine of a ledger).
	Instance string
	// Lease is how long an engine with open orders may be silent before another Instance takes the orders over.
	// Engines renew their claims in the ledger at a third of Lease. The ledger's time of the newest claim is
	// compared with Clock, so Lease should be far more than the difference of clocks and the time of a request.
	// All engines of a ledger should have the same Lease. Default 1 min.
	Lease time.Duration
	// NoTakeover leaves open orders to the Instance that placed them, and writes no claims. Use it for a
	// rail that cannot recognize a key when two processes use the key at once. Default false.
	NoTakeover bool

	// RetryInitialInterval is the approximate wait before an account is tried again after an error. Each further
	// error adds half of the wait, up to RetryMaxInterval. Default 1 s.
	RetryInitialInterval time.Duration
	// RetryMaxInterval caps the wait after errors, and is the wait after [ErrPending]. Default 5 min.
	RetryMaxInterval time.Duration
	// OrderCooldown is how long an account gets no new order after one of its orders was voided. The ledger's
	// time of the void counts, so the wait holds for all engines. OrderCooldown is also the least time between
	// an account's newest order and one that follows from a refusal of the peer ([Engine.NotifyRefused]).
	// Default 1 min.
	OrderCooldown time.Duration
	// StuckAfter is how long an order may be open before [Events.Stuck] is called. Default 10 min.
	StuckAfter time.Duration
	// CheckCooldown is the least time between two look-ups of the balances that packets changed. A look-up is
	// one request for all these balances, and takes its turn with the recorder's requests: a longer CheckCooldown
	// costs the recorder less and finds due payments later. The first look-up after a time without packets is
	// made at once. Default 250 ms.
	CheckCooldown time.Duration
	// SweepInterval is how often the Engine checks all accounts that it has seen, for missed notifications and
	// for payments that become due by time. Orders that wait for the end of a pause, for an approval or for a
	// limit are checked as often. Default 1 min.
	SweepInterval time.Duration
	// Manual turns the automatic checks off: only [Engine.Settle] and [Engine.SettleNow] settle. Default false.
	Manual bool

	// Events are called for each change of an order. Default none.
	Events Events
	// Tracer follows the work on orders, and payments from peers if it is a [PaymentTracer]. Default none.
	Tracer OrderTracer
	// Clock is compared with the ledger's time. Default [time.Now].
	Clock func() time.Time
}

const reasonNegative = "must not be negative"

// Validate reports all faults of the configuration at once. The errors match [accounts.ErrInvalid] and name the
// field.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, field, reason string) {
		if !ok {
			errs = append(errs, &accounts.FieldError{Subject: "settlement config", Field: field, Reason: reason})
		}
	}
	check(len(distinctRails(c.Rails)) > 0 || !c.hasPolicies(), "Rails", "are needed by Policies: no rail would pay the orders")
	check(c.Lease >= 0, "Lease", reasonNegative)
	check(c.RetryInitialInterval >= 0, "RetryInitialInterval", reasonNegative)
	check(c.RetryMaxInterval >= 0, "RetryMaxInterval", reasonNegative)
	check(c.OrderCooldown >= 0, "OrderCooldown", reasonNegative)
	check(c.StuckAfter >= 0, "StuckAfter", reasonNegative)
	check(c.CheckCooldown >= 0, "CheckCooldown", reasonNegative)
	check(c.SweepInterval >= 0, "SweepInterval", reasonNegative)
	errs = append(errs, c.checkPayoutLimits()...)
	errs = append(
		errs, checkRules(c.Policies, "Policies", validatePolicy), checkRules(c.PositionThresholds, "PositionThresholds", PositionThresholds.checkMargin),
		checkRules(c.Rails, "Rails", func(r *Rail) error {
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
		checkAssetsOf(c.Rails, "Rails", book), checkAssetsOf(c.Policies, "Policies", book), checkAssetsOf(c.PositionThresholds, "PositionThresholds", book),
		checkAssetsOf(c.PeerPayoutLimits, "PeerPayoutLimits", book), checkAssetsOf(c.payoutLimitAssets(), "AssetPayoutLimits or Rail.PayoutLimits", book),
	)
}

func (c Config) hasPositionThresholds() bool {
	for _, m := range ruleEntries(c.PositionThresholds) {
		if m != (PositionThresholds{}) {
			return true
		}
	}
	return false
}

func (c Config) hasPolicies() bool {
	for _, p := range ruleEntries(c.Policies) {
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
	if c.Tracer == nil {
		c.Tracer = noTracer{}
	}
	return c
}

func (r Rail) withDefaults() Rail {
	r.Timeout = cmp.Or(r.Timeout, 30*time.Second)
	r.Concurrency = cmp.Or(r.Concurrency, 8)
	r.BreakerThreshold = cmp.Or(r.BreakerThreshold, 10)
	r.BreakerTimeout = cmp.Or(r.BreakerTimeout, 30*time.Second)
	return r
}
