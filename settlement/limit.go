package settlement

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// PayoutLimit bounds what is paid, in units of one asset: to a peer (Config.PeerPayoutLimits), by a rail
// (Rail.PayoutLimits) or in all (Config.AssetPayoutLimits). All that apply to a payment hold. The zero Limit
// bounds nothing.
type PayoutLimit struct {
	// Order is the largest order; 0 is none. What is due beyond it gets the next order.
	Order ledger.Amount
	// Day is the most that is paid in any 24 hours; 0 is no limit. An order is cut to what is
	// left of it, and nothing is ordered when nothing is left, until enough of what was paid is
	// 24 hours old. Open orders count in full until they are closed. What a rail pays beyond an
	// order is booked and counts; a payment by hand (RecordOutgoing) does not.
	Day ledger.Amount
	// ApproveAbove is the largest order that is paid without an operator; 0 is no limit. A
	// larger one is placed and checked, and waits (Events.AwaitsApproval) for Engine.Approve or
	// Engine.Cancel, whichever engine has it.
	ApproveAbove ledger.Amount
}

// limitPeriod is the time that Limit.Day is for.
const limitPeriod = 24 * time.Hour

func (l PayoutLimit) checkLevels() error {
	if l.Order.IsZero() || l.Day.IsZero() || !l.Day.Less(l.Order) {
		return nil
	}
	return &accounts.FieldError{Subject: "limit", Field: "Order", Reason: fmt.Sprintf("%v must be at most Day, %v", l.Order, l.Day)}
}

// PayoutLimitScope is whose limit it is.
type PayoutLimitScope uint8

// The scopes of limits.
const (
	PeerLimit PayoutLimitScope = iota
	RailLimit
	AssetLimit
)

// String is "peer", "rail" or "asset".
func (s PayoutLimitScope) String() string {
	switch s {
	case PeerLimit:
		return "peer"
	case RailLimit:
		return "rail"
	case AssetLimit:
		return "asset"
	default:
		return fmt.Sprintf("scope %d", uint8(s))
	}
}

// PayoutLimitError says that less was ordered than is due, or nothing, because a limit is reached. It
// matches ErrPayoutLimit.
type PayoutLimitError struct {
	Account accounts.PeerAccount
	Asset   accounts.Asset
	Rail    string
	Scope   PayoutLimitScope
	Limit   PayoutLimit
	// Counts is what counts against Limit.Day now: what was paid in the last 24 hours, and what
	// open orders may still pay. 0 if Limit.Order is what is reached.
	Counts ledger.Amount
}

func (e *PayoutLimitError) Error() string {
	subject := ""
	switch e.Scope {
	case PeerLimit:
		subject = fmt.Sprint("peer ", e.Account)
	case RailLimit:
		subject = fmt.Sprintf("rail %q", e.Rail)
	case AssetLimit:
		subject = "the asset"
	}
	if e.Limit.Day.IsZero() {
		return fmt.Sprintf("%v: an order of %s may be of %s at most", ErrPayoutLimit, subject, e.Asset.Text(e.Limit.Order))
	}
	return fmt.Sprintf("%v: %s may be paid %s in 24 hours, and %s are paid or ordered",
		ErrPayoutLimit, subject, e.Asset.Text(e.Limit.Day), e.Asset.Text(e.Counts))
}

// Is reports whether target is ErrPayoutLimit.
func (e *PayoutLimitError) Is(target error) bool { return target == ErrPayoutLimit }

// scopedLimit is a limit that applies to an account's orders.
type scopedLimit struct {
	PayoutLimit

	scope PayoutLimitScope
}

// limitsOf are the limits of an account's orders by a rail; none are zero.
func (e *Engine) limitsOf(a accounts.PeerAccount, rail *railState) (list []scopedLimit) {
	asset, _ := e.book.Asset(a.Ledger())
	add := func(scope PayoutLimitScope, l PayoutLimit) {
		if l != (PayoutLimit{}) {
			list = append(list, scopedLimit{l, scope})
		}
	}
	add(PeerLimit, e.cfg.PeerPayoutLimits.For(a.Peer(), asset))
	if rail != nil {
		add(RailLimit, rail.PayoutLimits[asset])
	}
	add(AssetLimit, e.cfg.AssetPayoutLimits[asset])
	return list
}

// capToOrderLimits is what an order of this amount is cut to by the largest orders.
func capToOrderLimits(limits []scopedLimit, amount ledger.Amount) ledger.Amount {
	for _, l := range limits {
		if !l.Order.IsZero() {
			amount = amount.Min(l.Order)
		}
	}
	return amount
}

// requiredApprover is whose word an order of this amount needs before it is paid.
func requiredApprover(limits []scopedLimit, amount ledger.Amount) uint8 {
	approver := uint8(needsNobody)
	for _, l := range limits {
		switch {
		case !l.ApproveAbove.IsZero() && l.ApproveAbove.Less(amount):
			return needsOperator
		case !l.Day.IsZero():
			approver = needsEngine
		}
	}
	return approver
}

// applyLimits cuts what is about to be ordered to what limits leave of it.
func (e *Engine) applyLimits(ctx context.Context, d *decision, rail *railState) error {
	a := d.balance.Account
	d.limits = e.limitsOf(a, rail)
	if len(d.limits) == 0 {
		return nil
	}
	due := d.amount
	d.amount = capToOrderLimits(d.limits, due)
	d.moreDue = d.amount.Less(due)
	var reached *PayoutLimitError
	for _, l := range d.limits {
		remaining, counts, err := e.remaining(ctx, a, rail.tag, l, nil)
		if err != nil {
			return err
		}
		switch {
		case remaining.Less(d.amount):
			d.amount = remaining
			reached = &PayoutLimitError{Account: a, Asset: d.balance.Asset, Rail: rail.Name, Scope: l.scope, Limit: l.PayoutLimit, Counts: counts}
		case !l.Day.IsZero():
			e.tracker.clearReached(e.newScopeKey(a, rail.tag, l.scope))
		}
	}
	return e.reportLimit(d, rail, reached)
}

// reportLimit tells of a limit that is reached, once, and is that as an error if nothing is to be
// ordered.
func (e *Engine) reportLimit(d *decision, rail *railState, reached *PayoutLimitError) error {
	belowMinimum := d.amount.IsZero() || d.amount.Less(d.request.Minimum)
	if reached == nil && belowMinimum { // the largest order is below the policy's minimum
		for _, l := range d.limits {
			if l.Order == d.amount {
				a := d.balance.Account
				reached = &PayoutLimitError{Account: a, Asset: d.balance.Asset, Rail: rail.Name, Scope: l.scope, Limit: PayoutLimit{Order: l.Order}}
			}
		}
	}
	if reached == nil {
		return nil
	}
	if e.tracker.markReached(e.newScopeKey(reached.Account, rail.tag, reached.Scope)) {
		e.cfg.Events.PayoutLimited(*reached)
	}
	if !belowMinimum {
		return nil
	}
	d.amount = ledger.Amount{}
	return reached
}

// remaining is what a limit of a day leaves now, and what counts against it; AmountMax if there is no
// limit. With an order it is what the limit leaves to that order, which was placed.
func (e *Engine) remaining(ctx context.Context, a accounts.PeerAccount, rail uint32, l scopedLimit, o *Order) (remaining, counts ledger.Amount, err error) {
	if l.Day.IsZero() {
		return ledger.AmountMax, ledger.Amount{}, nil
	}
	t := e.tallies[a.Ledger()]
	if err := t.catchUp(ctx); err != nil {
		return remaining, counts, wrap("add up what was paid", err)
	}
	var selects func(*talliedOrder) bool
	switch settled := e.book.PeerIDs(a).Settlement; l.scope {
	case PeerLimit:
		selects = func(p *talliedOrder) bool { return p.settlement == settled }
	case RailLimit:
		selects = func(p *talliedOrder) bool { return p.rail == rail }
	case AssetLimit:
		selects = func(*talliedOrder) bool { return true }
	}
	counts = t.sumCounted(o, selects)
	return l.Day.SubFloor(counts), counts, nil
}

// findExceededLimit is the limit that an order exceeds which no rail was asked for; nil if there is none.
func (e *Engine) findExceededLimit(ctx context.Context, o *Order) (*PayoutLimitError, error) {
	rail := e.rails[o.rail]
	for _, l := range e.limitsOf(o.Account, rail) {
		remaining, counts, err := e.remaining(ctx, o.Account, o.rail, l, o)
		if err != nil {
			return nil, err
		}
		if remaining.Less(o.Amount) {
			return &PayoutLimitError{Account: o.Account, Asset: o.Asset, Rail: o.Rail, Scope: l.scope, Limit: l.PayoutLimit, Counts: counts}, nil
		}
	}
	return nil, nil //nolint:nilnil // there is none, and that is no error
}

// newScopeKey tells apart what a limit was reached for.
type scopeKey struct {
	scope   PayoutLimitScope
	ledger  uint32
	rail    uint32
	account accounts.PeerAccount
}

func (e *Engine) newScopeKey(a accounts.PeerAccount, rail uint32, scope PayoutLimitScope) scopeKey {
	key := scopeKey{scope: scope, ledger: a.Ledger()}
	switch scope {
	case PeerLimit:
		key.account = a
	case RailLimit:
		key.rail = rail
	case AssetLimit:
	}
	return key
}

// checkPayoutLimits refuses limits that are impossible.
func (c Config) checkPayoutLimits() []error {
	errs := []error{c.PeerPayoutLimits.check("PeerPayoutLimits", PayoutLimit.checkLevels)}
	for asset, l := range c.AssetPayoutLimits {
		if err := l.checkLevels(); err != nil {
			errs = append(errs, fmt.Errorf("settlement config: AssetPayoutLimits[%v]: %w", asset, err))
		}
	}
	return errs
}

// payoutLimitAssets are the assets that limits name, as rules, so that unknown ones are refused.
func (c Config) payoutLimitAssets() Rules[PayoutLimit] {
	named := Rules[PayoutLimit]{Asset: maps.Clone(c.AssetPayoutLimits)}
	for _, r := range distinctRails(c.Rails) {
		for asset := range r.PayoutLimits {
			if named.Asset == nil {
				named.Asset = make(map[accounts.Asset]PayoutLimit)
			}
			named.Asset[asset] = PayoutLimit{}
		}
	}
	return named
}
