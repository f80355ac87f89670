package transfers

import (
	"errors"
	"sync"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/tokenbucket"
	"github.com/peerledger/peerledger/ledger"
)

// peerLimits enforces the caps and rates of a peer account, or the floor of our liquidity in
// an asset. The recorder's own packets are added to the balance of the last read.
//
// A balance read may or may not include operations in flight. Usage therefore errs high: an
// operation that uses up a cap counts from admission, unless answered before the read began;
// an operation that frees a cap counts once answered, and only if sent after the read ended.
//
// Only packets admitted by this recorder free a cap. The hold of another recorder may be
// younger than the read: the balance lacks the hold, so the hold must not be subtracted. For the same
// reason an answer "already applied" frees nothing, since the time is unknown. Operations
// using up a cap always count, also with an unknown outcome.
//
// So the recorder's own packets never exceed a cap. Until the next read a cap may refuse
// too much, by the amounts in flight and the amounts resolved for other recorders.
type peerLimits struct {
	account accounts.PeerAccount
	asset   accounts.Asset
	capped  bool // the peer has a cap
	limits  accounts.EffectiveLimits

	mu             sync.Mutex
	readAt         time.Time // when the last successful read ended; zero before the first
	readErr        error     // of the last read, until checkLoaded has returned it
	notProvisioned bool      // the last read found no account
	needsRead      bool      // operations came, or a caller waits, since the last read began
	balance        accounts.Balance
	inFlightCap    ledger.Amount // for the balance's credit line

	usage              usageByDirection
	usageAtPendingRead usageByDirection // when the read under way began
	usageAtReadStart   usageByDirection // when the read of balance began
	usageAtReadEnd     usageByDirection // when the read of balance ended

	packetBucket tokenbucket.Bucket // packets sent by the peer
	amountBucket tokenbucket.Bucket // amounts sent by the peer
}

func newPeerLimits(book *accounts.Book, a accounts.PeerAccount) *peerLimits {
	l := &peerLimits{account: a}
	l.asset, _ = book.Asset(a.Ledger())
	var err error
	if l.limits, err = book.EffectiveLimits(a); err != nil {
		l.readErr = err
		return l
	}
	l.capped = l.limits.PayableCapped || l.limits.InFlightCapped
	packets, amounts := l.limits.PacketRate, l.limits.AmountRate
	l.packetBucket.Count, l.packetBucket.Per = packets.Count, packets.Per
	l.amountBucket.Count, l.amountBucket.Per = amounts.Count, amounts.Per
	return l
}

// checkLoaded reports whether the caps can be checked. The error of a failed read is
// returned once; an error of the configuration is returned always.
func (l *peerLimits) checkLoaded() (isLoaded bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	err = l.readErr
	if l.capped {
		l.readErr = nil
	}
	isLoaded = !l.capped || !l.readAt.IsZero()
	l.needsRead = l.needsRead || !isLoaded // the caller will wait for a read
	return isLoaded, err
}

// reserveAmount counts a prepare as admitted, unless a cap refuses it.
func (l *peerLimits) reserveAmount(amount ledger.Amount, d direction) error {
	if l == nil || !l.capped {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.needsRead = true
	if l.readAt.IsZero() {
		return ErrLimitsNotLoaded
	}
	if err := l.checkCap(amount, d); err != nil {
		return err
	}
	addAmount(&l.usage[d].admitted, amount)
	return nil
}

// checkCap returns a PacketLimitError if amount does not fit the cap of a direction.
// REQUIRES: mu is held.
func (l *peerLimits) checkCap(amount ledger.Amount, d direction) error {
	var used, limit ledger.Amount
	var cause error
	switch {
	case d == incoming && l.limits.InFlightCapped:
		used, limit, cause = l.usedInFlight(), l.inFlightLimit(), ErrInFlightShare
	case d == outgoing && l.limits.PayableCapped:
		used, limit, cause = l.usedPayable(), l.payableLimit(), l.payableCause()
	default:
		return nil
	}
	if total, fits := used.Add(amount); fits && !limit.Less(total) {
		return nil
	}
	return &PacketLimitError{Account: l.account, Asset: l.asset, Cause: cause, Limit: limit, Used: used, Wanted: amount}
}

// usedPayable returns an upper bound of the amount owed to the peer, packets in flight
// included. Receivables are not subtracted: payableLimit adds receivables.
func (l *peerLimits) usedPayable() ledger.Amount {
	u := &l.usage[outgoing]
	total := sumAmounts(l.balance.Payable, l.balance.HeldOut, u.admitted.SubFloor(l.usageAtReadStart[outgoing].admittedAnswered), u.unansweredFulfills)
	return total.SubFloor(u.voidsAnswered.SubFloor(l.usageAtReadEnd[outgoing].voidsSent))
}

// payableCause returns the error of an exceeded PayableCap. For our own account the cap
// stands for the liquidity floor.
func (l *peerLimits) payableCause() error {
	if l.account.IsOwn() {
		return ErrLiquidity
	}
	return ErrPayableCap
}

func (l *peerLimits) payableLimit() ledger.Amount {
	charged := l.usage[incoming].postsAnswered.SubFloor(l.usageAtReadEnd[incoming].postsSent)
	return sumAmounts(l.limits.PayableCap, l.balance.Receivable, charged)
}

// usedInFlight returns an upper bound of the amount held by packets from the peer.
func (l *peerLimits) usedInFlight() ledger.Amount {
	u, atEnd := &l.usage[incoming], &l.usageAtReadEnd[incoming]
	total := sumAmounts(l.balance.HeldIn, u.admitted.SubFloor(l.usageAtReadStart[incoming].admittedAnswered))
	return total.SubFloor(u.voidsAnswered.SubFloor(atEnd.voidsSent)).SubFloor(u.postsAnswered.SubFloor(atEnd.postsSent))
}

// inFlightLimit returns the share of the credit line, plus the peer's own money.
func (l *peerLimits) inFlightLimit() ledger.Amount {
	earned := l.usage[outgoing].postsAnswered.SubFloor(l.usageAtReadEnd[outgoing].postsSent)
	spent := l.usage[incoming].chargesSent.SubFloor(l.usageAtReadStart[incoming].chargesAnswered)
	own := sumAmounts(l.balance.Payable, earned).SubFloor(sumAmounts(l.balance.Receivable, l.balance.Settling, spent))
	return sumAmounts(l.inFlightCap, own)
}

// isStale reports whether the balance is older than maxAge. Other recorders may have freed
// the cap since.
func (l *peerLimits) isStale(maxAge time.Duration) bool {
	if l == nil || !l.capped {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.needsRead = true
	return time.Since(l.readAt) > maxAge
}

// beginRead marks the start of a balance read, if needed. isKnown reports an earlier
// successful read.
func (l *peerLimits) beginRead() (isNeeded, isKnown bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	isKnown = !l.readAt.IsZero()
	switch {
	case !l.capped:
		return false, isKnown
	case l.needsRead:
	case l.notProvisioned:
		return false, isKnown // no packet of the peer since
	case isKnown && l.balance.HeldIn.IsZero() && l.balance.HeldOut.IsZero():
		return false, isKnown // nothing is in flight, and nothing can expire
	}
	l.usageAtPendingRead, l.needsRead = l.usage, false
	return true, isKnown
}

// markReadStart marks the start of an unconditional read.
func (l *peerLimits) markReadStart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.usageAtPendingRead, l.needsRead = l.usage, false
}

// endRead stores a read balance. After an error the earlier balance stays.
func (l *peerLimits) endRead(b accounts.Balance, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notProvisioned = errors.Is(err, accounts.ErrNotProvisioned)
	if err != nil {
		l.readErr, l.needsRead = err, !l.notProvisioned
		return
	}
	l.readAt, l.readErr, l.balance, l.inFlightCap = time.Now(), nil, b, l.limits.InFlightCap(b.CreditLine)
	l.usageAtReadStart, l.usageAtReadEnd = l.usageAtPendingRead, l.usage
}
