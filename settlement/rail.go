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
)

// Rail is a way to pay peers, with its limits.
type Rail struct {
	// Name tells rails apart, in errors and in the ledger: each order carries the
	// rail that it was placed for, and no other rail is ever asked to pay it. So a
	// rail that has open orders must keep its name. Default "", for the only rail.
	Name string
	// Settler pays. It must be set.
	Settler Settler

	// PayoutLimits bound what is paid by the rail, in an asset. Default none.
	PayoutLimits map[accounts.Asset]PayoutLimit

	// Timeout ends the context of a call of the Settler. Default 30 s.
	Timeout time.Duration
	// Concurrency is how many of the rail's accounts are settled at once. Default 8.
	Concurrency int

	// BreakerThreshold is after how many errors in a row, of whatever accounts, the rail
	// counts as down: then it is left alone for BreakerTimeout, no orders are placed for
	// it, and a single call finds out whether it is up again. ErrDeclined and
	// ErrPending are answers and no errors. Default 10.
	BreakerThreshold int
	// BreakerTimeout is how long a rail that is down is left alone. Default 30 s.
	BreakerTimeout time.Duration
}

// Validate reports all that is wrong with the rail at once, as errors that match
// accounts.ErrInvalid and name the field.
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

// railState is what an Engine knows of a rail.
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

// railStates are the rails of the rules, by the tags of their orders.
func railStates(ns chart.Namespace, rules Rails, events Events) (map[uint32]*railState, error) {
	states := make(map[uint32]*railState)
	for _, r := range distinct(rules) {
		tag := railTag(ns, r.Name)
		if other, taken := states[tag]; taken {
			return nil, &accounts.FieldError{
				Subject: "settlement config", Field: "Rails",
				Reason: fmt.Sprintf("have two rails that their orders cannot tell apart: rename %q or %q", other.Name, r.Name),
			}
		}
		states[tag] = newRailState(*r, tag, events)
	}
	return states, nil
}

// distinct are the rails of the rules, each once, by name.
func distinct(rules Rails) []*Rail {
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

// isDown reports whether calls would be refused without being made.
func (r *railState) isDown() bool { return r.breaker.State() == gobreaker.StateOpen }

// permit is asked before a call, and told how the call ended. The error is ErrRailDown.
func (r *railState) permit() (ended func(error), err error) {
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
