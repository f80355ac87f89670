package settlement

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// PayoutLimit bounds payments in units of one asset: to a peer ([Config.PeerPayoutLimits]), by a rail
// ([Rail.PayoutLimits]) or in all ([Config.AssetPayoutLimits]). All limits of a payment apply together. The zero
// PayoutLimit bounds nothing.
type PayoutLimit struct {
	// MaxOrder is the largest order; 0 is no limit. The amount due beyond Order gets the next order.
	MaxOrder ledger.Amount
	// MaxPerDay is the most that is paid in any 24 hours; 0 is no limit. An order is cut to the remaining amount, and
	// nothing is ordered without a remaining amount, until enough payments are 24 hours old. Open orders count in
	// full until they are closed. A payment by a rail beyond an order is booked and counts; a payment by hand
	// ([Engine.RecordOutgoing]) does not.
	MaxPerDay ledger.Amount
	// ApproveAbove is the largest order that is paid without an operator; 0 is no limit. A larger order is placed
	// and checked, and waits ([Events.AwaitsApproval]) for [Engine.Approve] or [Engine.Cancel] on any engine.
	ApproveAbove ledger.Amount
}

// limitPeriod is the period of PayoutLimit.MaxPerDay.
const limitPeriod = 24 * time.Hour

func (l PayoutLimit) checkLevels() error {
	if l.MaxOrder.IsZero() || l.MaxPerDay.IsZero() || !l.MaxPerDay.Less(l.MaxOrder) {
		return nil
	}
	return &accounts.FieldError{Subject: "limit", Field: "Order", Reason: fmt.Sprintf("%v must be at most Day, %v", l.MaxOrder, l.MaxPerDay)}
}

// PayoutLimitScope is the scope of a [PayoutLimit].
type PayoutLimitScope uint8

// The scopes of limits.
const (
	PeerLimit PayoutLimitScope = iota
	RailLimit
	AssetLimit
)

// String returns "peer", "rail" or "asset".
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

// PayoutLimitError is returned when a limit made an order smaller than the amount due, or prevented it. It matches
// [ErrPayoutLimit].
type PayoutLimitError struct {
	Account     accounts.PeerAccount
	Asset       accounts.Asset
	Rail        string
	Scope       PayoutLimitScope
	PayoutLimit PayoutLimit
	// Counts is the amount that counts against PayoutLimit.MaxPerDay now: the payments of the last 24 hours, and the open
	// orders. 0 if PayoutLimit.MaxOrder is the limit reached.
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
	if e.PayoutLimit.MaxPerDay.IsZero() {
		return fmt.Sprintf("%v: an order of %s may be of %s at most", ErrPayoutLimit, subject, e.Asset.Text(e.PayoutLimit.MaxOrder))
	}
	return fmt.Sprintf("%v: %s may be paid %s in 24 hours, and %s are paid or ordered",
		ErrPayoutLimit, subject, e.Asset.Text(e.PayoutLimit.MaxPerDay), e.Asset.Text(e.Counts))
}

// Is reports whether target is [ErrPayoutLimit].
func (e *PayoutLimitError) Is(target error) bool { return target == ErrPayoutLimit }

// scopedLimit is a limit of an account's orders with its scope.
type scopedLimit struct {
	PayoutLimit

	scope PayoutLimitScope
}

// limitsOf returns the limits of an account's orders by a rail, without zero limits.
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

// capToOrderLimits caps an amount to the smallest PayoutLimit.MaxOrder.
func capToOrderLimits(limits []scopedLimit, amount ledger.Amount) ledger.Amount {
	for _, l := range limits {
		if !l.MaxOrder.IsZero() {
			amount = amount.Min(l.MaxOrder)
		}
	}
	return amount
}

// requiredApprover returns whose approval an order of an amount needs, as a needs constant of orderTag.
func requiredApprover(limits []scopedLimit, amount ledger.Amount) uint8 {
	approver := uint8(needsNobody)
	for _, l := range limits {
		switch {
		case !l.ApproveAbove.IsZero() && l.ApproveAbove.Less(amount):
			return needsOperator
		case !l.MaxPerDay.IsZero():
			approver = needsEngine
		}
	}
	return approver
}

// applyLimits cuts a decision to the amounts that the limits leave.
func (e *Engine) applyLimits(ctx context.Context, d *decision, rail *railState) error {
	a := d.input.Account
	d.limits = e.limitsOf(a, rail)
	if len(d.limits) == 0 {
		return nil
	}
	due := d.amount
	d.amount = capToOrderLimits(d.limits, due)
	d.moreDue = d.amount.Less(due)
	var reached *PayoutLimitError
	for _, l := range d.limits {
		remaining, counts, err := e.readRemaining(ctx, a, rail.tag, l, nil)
		if err != nil {
			return err
		}
		switch {
		case remaining.Less(d.amount):
			d.amount = remaining
			reached = &PayoutLimitError{Account: a, Asset: d.input.Asset, Rail: rail.Name, Scope: l.scope, PayoutLimit: l.PayoutLimit, Counts: counts}
		case !l.MaxPerDay.IsZero():
			e.tracker.clearReached(e.newScopeKey(a, rail.tag, l.scope))
		}
	}
	return e.reportLimit(d, rail, reached)
}

// reportLimit reports a reached limit once, and returns it as an error if nothing can be ordered.
func (e *Engine) reportLimit(d *decision, rail *railState, reached *PayoutLimitError) error {
	belowMinimum := d.amount.IsZero() || d.amount.Less(d.request.Minimum)
	if reached == nil && belowMinimum { // the largest order is below the policy's minimum
		for _, l := range d.limits {
			if l.MaxOrder == d.amount {
				a := d.input.Account
				reached = &PayoutLimitError{Account: a, Asset: d.input.Asset, Rail: rail.Name, Scope: l.scope, PayoutLimit: PayoutLimit{MaxOrder: l.MaxOrder}}
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

// readRemaining returns the remaining amount of a daily limit, and the amount that counts against the limit. Without
// a daily limit remaining is AmountMax. For a placed order o, remaining is the amount left to that order.
func (e *Engine) readRemaining(ctx context.Context, a accounts.PeerAccount, rail uint32, l scopedLimit, o *Order) (remaining, counts ledger.Amount, err error) {
	if l.MaxPerDay.IsZero() {
		return ledger.AmountMax, ledger.Amount{}, nil
	}
	t := e.tallies[a.Ledger()]
	if err := t.catchUp(ctx); err != nil {
		return remaining, counts, wrap("add up the payments of the last day", err)
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
	return l.MaxPerDay.SubFloor(counts), counts, nil
}

// findExceededLimit returns the limit that an order exceeds; nil if there is none. No rail was asked for the order.
func (e *Engine) findExceededLimit(ctx context.Context, o *Order) (*PayoutLimitError, error) {
	rail := e.rails[o.rail]
	for _, l := range e.limitsOf(o.Account, rail) {
		remaining, counts, err := e.readRemaining(ctx, o.Account, o.rail, l, o)
		if err != nil {
			return nil, err
		}
		if remaining.Less(o.Amount) {
			return &PayoutLimitError{Account: o.Account, Asset: o.Asset, Rail: o.Rail, Scope: l.scope, PayoutLimit: l.PayoutLimit, Counts: counts}, nil
		}
	}
	return nil, nil //nolint:nilnil // there is none, and that is no error
}

// scopeKey identifies a limit in the register of reached limits.
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

// checkPayoutLimits refuses impossible limits.
func (c Config) checkPayoutLimits() []error {
	errs := []error{checkRules(c.PeerPayoutLimits, "PeerPayoutLimits", PayoutLimit.checkLevels)}
	for asset, l := range c.AssetPayoutLimits {
		if err := l.checkLevels(); err != nil {
			errs = append(errs, fmt.Errorf("settlement config: AssetPayoutLimits[%v]: %w", asset, err))
		}
	}
	return errs
}

// payoutLimitAssets returns the assets that limits name, as rules, so that unknown assets are refused.
func (c Config) payoutLimitAssets() accounts.Rules[PayoutLimit] {
	named := accounts.Rules[PayoutLimit]{Asset: maps.Clone(c.AssetPayoutLimits)}
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
