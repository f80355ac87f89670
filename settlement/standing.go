package settlement

import (
	"context"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/internal/sequence"
	"github.com/peerledger/peerledger/ledger"
)

// standing is what a policy decides on, from a balance and what is known of the account.
func (e *Engine) standing(b accounts.Balance, k *known, now time.Time) Standing {
	s := Standing{
		Balance: k.adjusted.leaveOut(b), Now: now,
		OwedSince: k.owed.since, ActiveAt: k.activeAt,
		Pressed: k.pressed == pressedByHand || k.pressed == pressedByPeer && !now.Before(k.deaf),
	}
	if k.owed.known && k.owed.since.IsZero() {
		s.OwedSince = now // nothing is
	}
	return s
}

// leaveOut takes what was adjusted out of what packets earned. Only that is paid out by
// orders: the rest of the payable is shown as prepaid.
func (a adjusted) leaveOut(b accounts.Balance) accounts.Balance {
	b.Earned = b.Earned.SubFloor(a.amount)
	b.Prepaid = b.Payable.SubFloor(b.Earned.SubFloor(b.SettledOut))
	return b
}

// seen takes a balance in, and returns what is known of the account with it.
func (r *register) seen(b accounts.Balance, now time.Time) known {
	r.learn(b.Account, func(k *known) {
		owed := Standing{Balance: k.adjusted.leaveOut(b)}.Owed()
		k.owed.see(!owed.IsZero(), now)
	})
	return r.of(b.Account)
}

// assess reads the balance, and what else a policy may want to know, from the ledger.
// It is called after the newest order was read.
//
// Adjustments are read after the balance: one that is booked between the two makes the
// order smaller. The other way it would be paid out.
func (e *Engine) assess(ctx context.Context, last *head) (Standing, error) {
	a := last.Account
	b, err := e.book.Balance(ctx, a)
	if err != nil {
		return Standing{}, err
	}
	k := e.register.of(a)
	if err := e.readAdjusted(ctx, a, &k.adjusted); err != nil {
		return Standing{}, err
	}
	if err := e.readTimes(ctx, last, &k); err != nil {
		return Standing{}, err
	}
	now := e.cfg.Clock()
	owed := Standing{Balance: k.adjusted.leaveOut(b)}.Owed()
	k.owed.see(!owed.IsZero(), now)
	e.register.learn(a, func(known *known) {
		known.adjusted, known.owed, known.activeAt = k.adjusted, k.owed, later(k.activeAt, known.activeAt)
	})
	return e.standing(b, &k, now), nil
}

// readAdjusted adds what Book.Adjust credited the account since it was last read.
func (e *Engine) readAdjusted(ctx context.Context, a accounts.Account, known *adjusted) error {
	for {
		rows, err := e.ledger.GetAccountTransfers(ctx, ledger.AccountFilter{
			AccountID: e.book.PeerIDs(a).Peer, Code: chart.CodeAdjust, TimestampMin: known.upTo + 1,
			Limit: ledger.BatchMax, Flags: ledger.AccountFilterCredits,
		})
		if err != nil || len(rows) == 0 {
			return wrap("read the adjustments", err)
		}
		for _, row := range rows {
			known.amount, _ = known.amount.Add(row.Amount) // the account's credits are a sum that fits
			known.upTo = row.Timestamp
		}
	}
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
