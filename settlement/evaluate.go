package settlement

import (
	"context"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Queries cost the ledger far more than look-ups: before a search, TigerBeetle sorts the part of the
// index in memory, some ten milliseconds under load without a booked packet. So an order makes only
// the queries needed by its policy.

// Owed returns the unpaid earnings of a peer from packets, in units: the net of a balance, 0 if the
// net is below 0. Owed sends no request.
func (e *Engine) Owed(b accounts.Balance) ledger.Amount { return owedAmount(b) }

// Due returns the next order to a peer, in units, by a balance that was just read: 0 while an order
// is open or the account is closed. It sends no request. So a policy of time ([Every], [Idle]) counts
// from long ago until this Engine has found out since when something is owed, and the order may still
// wait for [Config.OrderCooldown], for [PayoutLimit.MaxPerDay], or for the end of a pause. With [Engine.UseReservations]
// the order may be larger, by what is reserved. For a balance of
// [accounts.Book.LookUpBalances], whose Prepaid may be too large, Due takes that Prepaid as exact.
func (e *Engine) Due(b accounts.Balance) ledger.Amount {
	if !b.Settling.IsZero() {
		return ledger.Amount{}
	}
	now := e.cfg.Clock()
	view := e.tracker.viewAfterPackets(b.Account, now)
	amount := e.policyRequest(e.policyInput(b, &view, now), &view).payableFrom(b)
	return capToOrderLimits(e.limitsOf(b.Account, e.railOf(b.Account)), amount)
}

// DueNow returns the order that [Engine.SettleNow] would place for a peer, in units, by a balance that was just
// read, and the request of the peer's policy that the order follows from. settles is false if the peer has no
// policy or no rail: then SettleNow pays nothing. DueNow sends no request; the rest is as for [Engine.Due].
func (e *Engine) DueNow(b accounts.Balance) (amount ledger.Amount, request PaymentRequest, settles bool) {
	if e.railOf(b.Account) == nil || e.cfg.Policies.For(b.Account.Peer(), b.Asset) == nil {
		return ledger.Amount{}, PaymentRequest{}, false
	}
	now := e.cfg.Clock()
	view := e.tracker.viewAfterPackets(b.Account, now)
	input := e.policyInput(b, &view, now)
	input.Urgent = true
	request = e.policyRequest(input, &view)
	if !b.Settling.IsZero() {
		return ledger.Amount{}, request, true
	}
	return capToOrderLimits(e.limitsOf(b.Account, e.railOf(b.Account)), request.payableFrom(b)), request, true
}

// policyRequest returns the request of the account's policy, or the refund requested by an operator.
// A closed account gets no orders, nor does an account without a rail.
func (e *Engine) policyRequest(input PolicyInput, view *accountView) PaymentRequest {
	if input.Closed || e.railOf(input.Account) == nil {
		return PaymentRequest{}
	}
	if view.refundWanted && !input.Prepaid.IsZero() {
		return PaymentRequest{Amount: input.Payable, refund: true}
	}
	policy := e.cfg.Policies.For(input.Account.Peer(), input.Asset)
	if policy == nil {
		return PaymentRequest{}
	}
	request := policy.Due(input)
	request.refund = false // a policy that wraps another's request must not set it
	return request
}

// policyInput makes a policy's input from a balance and the account's view.
func (e *Engine) policyInput(b accounts.Balance, view *accountView, now time.Time) PolicyInput {
	input := PolicyInput{
		Balance: b, Now: now,
		OwedSince: view.owedFor.since, ActiveAt: view.activeAt,
		Urgent: view.urgency == urgencyByOperator || view.urgency == urgencyByPeer && !now.Before(view.urgentAfter),
	}
	if view.owedFor.known && view.owedFor.since.IsZero() {
		input.OwedSince = now // nothing is owed
	}
	return input
}

// observeBalance updates the account's view by a balance, and returns the view. If the prepayment is
// not exact, the balance may leave open whether something is owed; then owedFor does not change.
func (e *Engine) observeBalance(b *accounts.Balance, now time.Time) accountView {
	isOwed := !owedAmount(*b).IsZero()
	isExact := isOwed || b.PrepaidSettled() || b.NetAtMost().Sign() <= 0
	return e.tracker.updateView(b.Account, func(v *accountView) {
		v.hasPending = !b.Settling.IsZero()
		if isExact {
			v.owedFor.observe(isOwed, now.Round(0))
		}
	})
}

// evaluatePolicy collects the account's arrears (readCollectedBalance), reads the balance and the times
// needed by the policy, and evaluates the policy. latest must have been read before the balance, and before
// scanned, which may be nil.
func (e *Engine) evaluatePolicy(
	ctx context.Context, latest *latestOrder, scanned *accounts.Balance, urgent bool,
) (PolicyInput, PaymentRequest, error) {
	a := latest.Account
	b, err := e.readCollectedBalance(ctx, a, scanned)
	if err != nil {
		return PolicyInput{}, PaymentRequest{}, err
	}
	now := e.cfg.Clock()
	view := e.observeBalance(&b, now)
	if view.refundWanted && b.Prepaid.IsZero() {
		e.tracker.setRefundWanted(a, false) // packets have used the prepayment
	}
	evaluate := func() (PolicyInput, PaymentRequest) {
		input := e.policyInput(b, &view, now)
		input.Urgent = urgent
		return input, e.policyRequest(input, &view)
	}
	input, request := evaluate()
	if !e.dependsOnTime(input, &view, request) {
		return input, request, nil
	}
	if err := e.readTimes(ctx, latest, &view); err != nil {
		return PolicyInput{}, PaymentRequest{}, err
	}
	e.tracker.updateView(a, func(v *accountView) {
		v.owedFor, v.activeAt = view.owedFor, latestTime(view.activeAt, v.activeAt)
	})
	input, request = evaluate()
	return input, request, nil
}

// readCollectedBalance collects the account's arrears, as far as the headroom covers the arrears, and
// reads the balance: an order must not take an amount needed for arrears. scanned has none to collect.
func (e *Engine) readCollectedBalance(ctx context.Context, a accounts.PeerAccount, scanned *accounts.Balance) (accounts.Balance, error) {
	if scanned != nil {
		err := e.book.CompleteBalances(ctx, scanned)
		return *scanned, err
	}
	b, err := e.book.Balance(ctx, a)
	if err != nil || !b.Collectable() {
		return b, err
	}
	if err := e.collectArrears(ctx, []accounts.Balance{b}); err != nil {
		return accounts.Balance{}, err
	}
	return e.book.Balance(ctx, a)
}

// dependsOnTime reports whether a policy would request a different amount if the debt and the newest
// packet were of this moment.
func (e *Engine) dependsOnTime(input PolicyInput, view *accountView, request PaymentRequest) bool {
	if request == (PaymentRequest{}) {
		return false
	}
	input.OwedSince, input.ActiveAt = input.Now, input.Now
	return e.policyRequest(input, view) != request
}

// readTimes reads into the view when the newest packet was booked and, if that is not known, since
// when something is owed.
func (e *Engine) readTimes(ctx context.Context, latest *latestOrder, view *accountView) error {
	newest, err := e.readNewestPacket(ctx, latest.Account)
	if err != nil {
		return err
	}
	view.activeAt = latestTime(view.activeAt, newest)
	switch {
	case view.owedFor.known && view.owedFor.since.IsZero(): // nothing was owed
	case view.owedFor.known || !latest.timestamp.IsZero():
		view.owedFor = owedDuration{known: true, since: latestTime(view.owedFor.since, latest.timestamp)}
	default: // without an order, nothing was owed before the first packet
		first, err := e.readFirstPacket(ctx, latest.Account)
		if err != nil {
			return err
		}
		if first.IsZero() {
			first = e.cfg.Clock()
		}
		view.owedFor = owedDuration{known: true, since: first}
	}
	return nil
}

// latestTime returns the later one of two times.
func latestTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
