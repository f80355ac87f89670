package settlement

import (
	"context"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// Queries cost the ledger far more than look-ups: TigerBeetle sorts what it holds in
// memory of an index before it can search it, some ten milliseconds under load in which
// no packet is booked. So an order makes none that its policy does not need.

// Owed is what packets earned a peer and is not paid, in units: the net of a balance, 0 if
// that is below 0. It asks nobody.
func (e *Engine) Owed(b accounts.Balance) ledger.Amount { return owedAmount(b) }

// policyInput is what a policy decides on, from a balance and what is known of the account.
func (e *Engine) policyInput(b accounts.Balance, k *accountState, now time.Time) PolicyInput {
	s := PolicyInput{
		Balance: b, Now: now,
		OwedSince: k.owed.since, ActiveAt: k.activeAt,
		Urgent: k.urgency == urgencyByOperator || k.urgency == urgencyByPeer && !now.Before(k.urgentAfter),
	}
	if k.owed.known && k.owed.since.IsZero() {
		s.OwedSince = now // nothing is
	}
	return s
}

// observeBalance takes a balance in, and returns what is known of the account with it. A balance that
// does not tell whether something is owed says nothing of since when.
func (e *Engine) observeBalance(b accounts.Balance, now time.Time) accountState {
	isOwed := !owedAmount(b).IsZero()
	tells := isOwed || b.PrepaidSettled() || b.NetAtMost().Sign() <= 0
	e.tracker.updateState(b.Account, func(k *accountState) {
		k.hasPending = !b.Settling.IsZero()
		if tells {
			k.owed.observeOwed(isOwed, now.Round(0))
		}
	})
	return e.tracker.stateOf(b.Account)
}

// evaluatePolicy reads the balance, and what else the policy wants to know, from the ledger, and
// asks the policy. It is called after the newest order was read.
func (e *Engine) evaluatePolicy(ctx context.Context, last *latestOrder, pressed bool) (PolicyInput, PaymentRequest, error) {
	a := last.Account
	b, err := e.readCollectedBalance(ctx, a)
	if err != nil {
		return PolicyInput{}, PaymentRequest{}, err
	}
	now := e.cfg.Clock()
	k := e.observeBalance(b, now)
	if k.refundWanted && b.Prepaid.IsZero() {
		e.tracker.forgetRefund(a) // packets have used it
	}
	decide := func() (PolicyInput, PaymentRequest) {
		s := e.policyInput(b, &k, now)
		s.Urgent = pressed
		return s, e.policyRequest(s, &k)
	}
	s, demand := decide()
	if !e.dependsOnTime(s, &k, demand) {
		return s, demand, nil
	}
	if err := e.readTimes(ctx, last, &k); err != nil {
		return PolicyInput{}, PaymentRequest{}, err
	}
	e.tracker.updateState(a, func(known *accountState) {
		known.owed, known.activeAt = k.owed, latestTime(k.activeAt, known.activeAt)
	})
	s, demand = decide()
	return s, demand, nil
}

// readCollectedBalance reads the balance of an account whose arrears, as far as its headroom
// covers them, are collected: an order must not take what arrears are to be paid with.
func (e *Engine) readCollectedBalance(ctx context.Context, a accounts.PeerAccount) (accounts.Balance, error) {
	b, err := e.book.Balance(ctx, a)
	if err != nil || !b.Collectable() {
		return b, err
	}
	if err := e.collectArrears(ctx, []accounts.Balance{b}); err != nil {
		return accounts.Balance{}, err
	}
	return e.book.Balance(ctx, a)
}

// dependsOnTime reports whether a policy would ask for less if everything had just
// happened.
func (e *Engine) dependsOnTime(s PolicyInput, k *accountState, d PaymentRequest) bool {
	if d == (PaymentRequest{}) {
		return false
	}
	s.OwedSince, s.ActiveAt = s.Now, s.Now
	return e.policyRequest(s, k) != d
}

// readTimes finds out since when something is owed, as far as that is not known, and
// when the newest packet was booked.
func (e *Engine) readTimes(ctx context.Context, last *latestOrder, k *accountState) error {
	packets := ledger.AccountFilter{
		AccountID: e.book.PeerIDs(last.Account).Peer, Code: chart.CodePacket,
		Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
	}
	row, found, err := sequence.Newest(ctx, e.ledger, packets)
	if err != nil {
		return wrap("read the newest packet", err)
	}
	if found {
		k.activeAt = latestTime(k.activeAt, timeOf(row.Timestamp))
	}
	switch {
	case k.owed.known && k.owed.since.IsZero(): // nothing was
	case k.owed.known || !last.timestamp.IsZero():
		k.owed = owedDuration{known: true, since: latestTime(k.owed.since, last.timestamp)}
	default: // there never was an order: not before the first packet
		packets.Limit = 1
		rows, err := e.ledger.GetAccountTransfers(ctx, packets)
		if err != nil {
			return wrap("read the first packet", err)
		}
		k.owed = owedDuration{known: true, since: e.cfg.Clock()}
		if len(rows) > 0 {
			k.owed.since = timeOf(rows[0].Timestamp)
		}
	}
	return nil
}

func latestTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
