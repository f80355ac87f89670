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

// standing is what a policy decides on, from a balance and what is known of the account.
func (e *Engine) standing(b accounts.Balance, k *known, now time.Time) PolicyInput {
	s := PolicyInput{
		Balance: b, Now: now,
		OwedSince: k.owed.since, ActiveAt: k.activeAt,
		Urgent: k.pressed == pressedByHand || k.pressed == pressedByPeer && !now.Before(k.deaf),
	}
	if k.owed.known && k.owed.since.IsZero() {
		s.OwedSince = now // nothing is
	}
	return s
}

// see takes a balance in, and returns what is known of the account with it. A balance that
// does not tell whether something is owed says nothing of since when.
func (e *Engine) see(b accounts.Balance, now time.Time) known {
	isOwed := !owedAmount(b).IsZero()
	tells := isOwed || b.PrepaidSettled() || b.NetAtMost().Sign() <= 0
	e.register.learn(b.Account, func(k *known) {
		k.settling = !b.Settling.IsZero()
		if tells {
			k.owed.see(isOwed, now.Round(0))
		}
	})
	return e.register.of(b.Account)
}

// assess reads the balance, and what else the policy wants to know, from the ledger, and
// asks the policy. It is called after the newest order was read.
func (e *Engine) assess(ctx context.Context, last *head, pressed bool) (PolicyInput, PaymentRequest, error) {
	a := last.Account
	b, err := e.collectedBalance(ctx, a)
	if err != nil {
		return PolicyInput{}, PaymentRequest{}, err
	}
	now := e.cfg.Clock()
	k := e.see(b, now)
	if k.refund && b.Prepaid.IsZero() {
		e.register.forgetRefund(a) // packets have used it
	}
	decide := func() (PolicyInput, PaymentRequest) {
		s := e.standing(b, &k, now)
		s.Urgent = pressed
		return s, e.demand(s, &k)
	}
	s, demand := decide()
	if !e.dependsOnTime(s, &k, demand) {
		return s, demand, nil
	}
	if err := e.readTimes(ctx, last, &k); err != nil {
		return PolicyInput{}, PaymentRequest{}, err
	}
	e.register.learn(a, func(known *known) {
		known.owed, known.activeAt = k.owed, later(k.activeAt, known.activeAt)
	})
	s, demand = decide()
	return s, demand, nil
}

// collectedBalance reads the balance of an account whose arrears, as far as its headroom
// covers them, are collected: an order must not take what arrears are to be paid with.
func (e *Engine) collectedBalance(ctx context.Context, a accounts.PeerAccount) (accounts.Balance, error) {
	b, err := e.book.Balance(ctx, a)
	if err != nil || !b.Collectable() {
		return b, err
	}
	if err := e.collectAll(ctx, []accounts.Balance{b}); err != nil {
		return accounts.Balance{}, err
	}
	return e.book.Balance(ctx, a)
}

// dependsOnTime reports whether a policy would ask for less if everything had just
// happened.
func (e *Engine) dependsOnTime(s PolicyInput, k *known, d PaymentRequest) bool {
	if d == (PaymentRequest{}) {
		return false
	}
	s.OwedSince, s.ActiveAt = s.Now, s.Now
	return e.demand(s, k) != d
}

// readTimes finds out since when something is owed, as far as that is not known, and
// when the newest packet was booked.
func (e *Engine) readTimes(ctx context.Context, last *head, k *known) error {
	packets := ledger.AccountFilter{
		AccountID: e.book.PeerIDs(last.Account).Peer, Code: chart.CodePacket,
		Flags: ledger.AccountFilterDebits | ledger.AccountFilterCredits,
	}
	row, found, err := sequence.Newest(ctx, e.ledger, packets)
	if err != nil {
		return wrap("read the newest packet", err)
	}
	if found {
		k.activeAt = later(k.activeAt, timeOf(row.Timestamp))
	}
	switch {
	case k.owed.known && k.owed.since.IsZero(): // nothing was
	case k.owed.known || !last.at.IsZero():
		k.owed = owedTime{known: true, since: later(k.owed.since, last.at)}
	default: // there never was an order: not before the first packet
		packets.Limit = 1
		rows, err := e.ledger.GetAccountTransfers(ctx, packets)
		if err != nil {
			return wrap("read the first packet", err)
		}
		k.owed = owedTime{known: true, since: e.cfg.Clock()}
		if len(rows) > 0 {
			k.owed.since = timeOf(rows[0].Timestamp)
		}
	}
	return nil
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
