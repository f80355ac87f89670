package settlement

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// Rail is a way to pay peers, with its limits.
type Rail struct {
	// Name tells rails apart, in errors and in the ledger: each order carries the name of its rail,
	// and only this rail is ever asked to pay the order. So a rail with open orders must keep its
	// name. Default "", for the only rail.
	Name string
	// Settler pays. It must be set.
	Settler Settler

	// Unit returns the smallest amount that the rail pays to a peer, in units of the asset, if the rail
	// counts in larger units: it pays whole multiples, and leaves less than one Unit of an order. Such a
	// payment is no payment in part, and the next order does not wait; the rest stays owed. It is called
	// concurrently. Default nil: 1 for all peers; 0 counts as 1.
	Unit func(peer string, asset accounts.Asset) ledger.Amount

	// PayoutLimits bound the rail's payments in an asset. Default none.
	PayoutLimits map[accounts.Asset]PayoutLimit

	// Timeout ends the context of a call of the Settler. Default 30 s.
	Timeout time.Duration
	// Concurrency is the number of the rail's accounts that are settled at once. Default 8.
	Concurrency int

	// BreakerThreshold is the number of errors in a row, of any accounts, after which the rail
	// counts as down: for BreakerTimeout the Engine neither calls the rail nor places orders, and
	// then a single call finds out whether the rail is up again. [ErrDeclined] and [ErrPending] are
	// answers and no errors. Default 10.
	BreakerThreshold int
	// BreakerTimeout is how long a rail that is down is left alone. Default 30 s.
	BreakerTimeout time.Duration
}

// Validate reports all faults of the rail at once, as errors that match [accounts.ErrInvalid] and
// name the field.
func (r *Rail) Validate() error {
	var errs []error
	check := func(ok bool, field, reason string) {
		if !ok {
			errs = append(errs, &accounts.FieldError{Subject: fmt.Sprintf("rail %q", r.Name), Field: field, Reason: reason})
		}
	}
	check(r.Settler != nil, "Settler", "is missing")
	check(r.Timeout >= 0, "Timeout", reasonNegative)
	check(r.Concurrency >= 0, "Concurrency", reasonNegative)
	check(r.BreakerThreshold >= 0, "BreakerThreshold", reasonNegative)
	check(r.BreakerTimeout >= 0, "BreakerTimeout", reasonNegative)
	for asset, l := range r.PayoutLimits {
		if err := l.checkLevels(); err != nil {
			errs = append(errs, fmt.Errorf("rail %q: Limits[%v]: %w", r.Name, asset, err))
		}
	}
	return errors.Join(errs...)
}

// railState is a Rail and the Engine's state of it.
type railState struct {
	Rail

	tag     uint32        // of the rail, in its orders
	slots   chan struct{} // one for each account that may be settled at once
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
}

// railTag marks the orders of a rail in the ledger.
func railTag(ns chart.Namespace, name string) uint32 {
	if name == "" {
		return 0
	}
	return uint32(ns.Derive("rail", []byte(name)).Lo)
}

// newRailStates returns the rails of the rules, by the tags of their orders and by the rule.
func newRailStates(
	ns chart.Namespace, rules Rails, events Events,
) (byTag map[uint32]*railState, byRule map[*Rail]*railState, err error) {
	byTag, byRule = make(map[uint32]*railState), make(map[*Rail]*railState)
	for _, r := range distinctRails(rules) {
		tag := railTag(ns, r.Name)
		if earlier, taken := byTag[tag]; taken {
			return nil, nil, &accounts.FieldError{
				Subject: "settlement config", Field: "Rails",
				Reason: fmt.Sprintf("have two rails that their orders cannot tell apart: rename %q or %q", earlier.Name, r.Name),
			}
		}
		byTag[tag] = newRailState(*r, tag, events)
		byRule[r] = byTag[tag]
	}
	return byTag, byRule, nil
}

// distinctRails returns the rails of the rules, each once, by name.
func distinctRails(rules Rails) []*Rail {
	var rails []*Rail
	for _, r := range ruleEntries(rules) {
		if r != nil && !slices.Contains(rails, r) {
			rails = append(rails, r)
		}
	}
	slices.SortFunc(rails, func(a, b *Rail) int { return strings.Compare(a.Name, b.Name) })
	return rails
}

func newRailState(r Rail, tag uint32, events Events) *railState {
	r = r.withDefaults()
	return &railState{
		Rail: r, tag: tag, slots: make(chan struct{}, r.Concurrency),
		breaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Name: r.Name, Timeout: r.BreakerTimeout,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= uint32(r.BreakerThreshold) },
			IsSuccessful: func(err error) bool {
				return err == nil || errors.Is(err, ErrDeclined) || errors.Is(err, ErrPending)
			},
			OnStateChange: func(name string, _, now gobreaker.State) {
				switch now {
				case gobreaker.StateOpen:
					events.RailDown(name)
				case gobreaker.StateClosed:
					events.RailUp(name)
				case gobreaker.StateHalfOpen: // one call finds out
				}
			},
		}),
	}
}

// paidInFull reports whether a payment leaves less than one unit of the rail of its order.
func (r *railState) paidInFull(p Payment) bool {
	rest := p.Order.Amount.SubFloor(p.Paid)
	return rest.IsZero() || r.Unit != nil && rest.Less(r.Unit(p.Order.Account.Peer(), p.Order.Asset))
}

// isDown reports whether the circuit breaker refuses calls.
func (r *railState) isDown() bool { return r.breaker.State() == gobreaker.StateOpen }

// permitCall comes before each call of the Settler; ended takes the call's error. The error of
// permitCall is [ErrRailDown].
func (r *railState) permitCall() (ended func(error), err error) {
	ended, err = r.breaker.Allow()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", r.downError(), err)
	}
	return ended, nil
}

func (r *railState) downError() error {
	if r.Name == "" {
		return ErrRailDown
	}
	return fmt.Errorf("%w: %q", ErrRailDown, r.Name)
}
