package transfers

import (
	"errors"
	"sync"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// peerLimits is what the caps of a peer leave for new packets, as this recorder sees it: the
// balance of the last look at the ledger, and what the recorder has done since.
//
// A look takes time, and it cannot be told which of the operations that were under way
// meanwhile are in its balance. So what makes the room smaller counts from the moment it
// is let in, unless it was answered before the look began; what makes it larger counts
// when it is answered, and only what was handed over after the look had ended.
//
// What makes the room larger counts only if this recorder had let the packet in. The hold of
// another recorder's packet may be younger than the look: then it is not in the balance, and
// must not be taken off it. For the same reason only what this operation did itself counts: an
// answer "already applied" does not say when. What makes the room smaller counts always, also
// if its outcome is unknown.
//
// The recorder's own packets so never exceed a cap; for moments the room may be smaller than
// it is, by what was under way, and by what was resolved for others.
type peerLimits struct {
	account accounts.PeerAccount
	asset   accounts.Asset
	capped  bool // the peer has a cap
	limits  accounts.EffectiveLimits

	mu                 sync.Mutex
	refreshedAt        time.Time // when the last look ended; zero if there was none
	refreshErr         error     // why not
	notProvisioned     bool      // the peer was not provisioned at the last look
	usedSinceRefresh   bool      // there were operations since the last look began
	balance            accounts.Balance
	inFlightCap        ledger.Amount // of the balance's line
	usage              usageByDirection
	usageAtPendingRead usageByDirection // when the look under way began
	usageAtReadStart   usageByDirection // when the look that balance is of began
	usageAtReadEnd     usageByDirection // and when it had ended

	packetBucket bucket // of what the peer sends
	amountBucket bucket
}

// direction is one of the two sides that a peer has in packets.
type direction int

const (
	incoming direction = iota // from the peer
	outgoing                  // to the peer
)

// usageByDirection are those of both sides.
type usageByDirection [2]usage

// usage is what the recorder did with packets on one side of a peer, as sums of amounts
// since it began.
type usage struct {
	// What makes the room smaller. Late fulfills are among the admitted when they are
	// answered: their holds have expired, and may have done so before the look.
	admitted, admittedAnswered   ledger.Amount // prepares and forwards, let in and answered
	chargesSent, chargesAnswered ledger.Amount // fulfills, handed over and answered
	unansweredFulfills           ledger.Amount // fulfills without an answer, which may be late: now, not since it began

	// What makes it larger: holds of packets that this recorder had let in.
	voidsSent, voidsAnswered ledger.Amount // given back: handed over, answered
	postsSent, postsAnswered ledger.Amount // posted in time
}

// answerEffect is what became of an operation.
type answerEffect struct {
	booked       bool // it is in the books, or may be
	late         bool // and is a fulfill that was booked after its hold had expired, or may be
	freesOwnHold bool // it has resolved, now and in time, a hold that this recorder had let in
}

func newPeerLimits(book *accounts.Book, a accounts.PeerAccount) *peerLimits {
	r := &peerLimits{account: a}
	r.asset, _ = book.Asset(a.Ledger())
	var err error
	if r.limits, err = book.EffectiveLimits(a); err != nil {
		r.refreshErr = err
		return r
	}
	r.capped = r.limits.PayableCapped || r.limits.InFlightCapped
	r.packetBucket.rate, r.amountBucket.rate = r.limits.PacketRate, r.limits.AmountRate
	return r
}

// checkLoaded reports whether the caps can be checked, and what is in the way if they never
// can be, or could not at the last look: that is told once.
func (r *peerLimits) checkLoaded() (known bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	err = r.refreshErr
	if r.capped {
		r.refreshErr = nil
	}
	known = !r.capped || !r.refreshedAt.IsZero()
	r.usedSinceRefresh = r.usedSinceRefresh || !known // somebody will wait for a look
	return known, err
}

// reserveAmount lets a prepare in, if the caps leave room for it.
func (r *peerLimits) reserveAmount(amount ledger.Amount, s direction) error {
	if r == nil || !r.capped {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.usedSinceRefresh = true
	if r.refreshedAt.IsZero() {
		return ErrLimitsNotLoaded
	}
	if err := r.checkCap(amount, s); err != nil {
		return err
	}
	addAmount(&r.usage[s].admitted, amount)
	return nil
}

// checkCap compares what is used of a side's cap with the cap. REQUIRES: mu is held.
func (r *peerLimits) checkCap(amount ledger.Amount, s direction) error {
	var used, limit ledger.Amount
	var reason error
	switch {
	case s == incoming && r.limits.InFlightCapped:
		used, limit, reason = r.usedInFlight(), r.inFlightLimit(), ErrInFlightShare
	case s == outgoing && r.limits.PayableCapped:
		used, limit, reason = r.usedPayable(), r.payableLimit(), r.payableCause()
	default:
		return nil
	}
	if total, fits := used.Add(amount); fits && !limit.Less(total) {
		return nil
	}
	return &PacketLimitError{Account: r.account, Asset: r.asset, Cause: reason, Limit: limit, Used: used, Wanted: amount}
}

// usedPayable is the most that we may owe the peer by now, packets in flight included, apart
// from what it owes us.
func (r *peerLimits) usedPayable() ledger.Amount {
	f := &r.usage[outgoing]
	total := sumAmounts(r.balance.Payable, r.balance.HeldOut, f.admitted.SubFloor(r.usageAtReadStart[outgoing].admittedAnswered), f.unansweredFulfills)
	return total.SubFloor(f.voidsAnswered.SubFloor(r.usageAtReadEnd[outgoing].voidsSent))
}

// payableCause is what says that there is no room: our own liquidity has a floor.
func (r *peerLimits) payableCause() error {
	if r.account.IsOwn() {
		return ErrLiquidity
	}
	return ErrPayableCap
}

func (r *peerLimits) payableLimit() ledger.Amount {
	paid := r.usage[incoming].postsAnswered.SubFloor(r.usageAtReadEnd[incoming].postsSent)
	return sumAmounts(r.limits.PayableCap, r.balance.Receivable, paid)
}

// usedInFlight is the most that packets from the peer may hold by now.
func (r *peerLimits) usedInFlight() ledger.Amount {
	f, after := &r.usage[incoming], &r.usageAtReadEnd[incoming]
	total := sumAmounts(r.balance.HeldIn, f.admitted.SubFloor(r.usageAtReadStart[incoming].admittedAnswered))
	return total.SubFloor(f.voidsAnswered.SubFloor(after.voidsSent)).SubFloor(f.postsAnswered.SubFloor(after.postsSent))
}

// inFlightLimit is the share of the line, and what is the peer's own.
func (r *peerLimits) inFlightLimit() ledger.Amount {
	earned := r.usage[outgoing].postsAnswered.SubFloor(r.usageAtReadEnd[outgoing].postsSent)
	spent := r.usage[incoming].chargesSent.SubFloor(r.usageAtReadStart[incoming].chargesAnswered)
	own := sumAmounts(r.balance.Payable, earned).SubFloor(sumAmounts(r.balance.Receivable, r.balance.Settling, spent))
	return sumAmounts(r.inFlightCap, own)
}

// recordSent notes that an operation on a packet is handed over.
func (r *peerLimits) recordSent(kind Kind, amount ledger.Amount, s direction) {
	if r == nil || !r.capped {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.usedSinceRefresh = true
	switch f := &r.usage[s]; kind {
	case KindFulfill:
		addAmount(&f.chargesSent, amount)
		addAmount(&f.unansweredFulfills, amount)
		addAmount(&f.postsSent, amount)
	case KindReject:
		addAmount(&f.voidsSent, amount)
	case KindPrepare, KindForward:
		addAmount(&f.admitted, amount)
	}
}

// recordAnswered notes what became of an operation.
func (r *peerLimits) recordAnswered(kind Kind, amount ledger.Amount, s direction, became answerEffect) {
	if r == nil || !r.capped {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.usedSinceRefresh = true
	f := &r.usage[s]
	switch kind {
	case KindPrepare, KindForward:
		addAmount(&f.admittedAnswered, amount)
		if !became.booked {
			addAmount(&f.voidsSent, amount)
			addAmount(&f.voidsAnswered, amount)
		}
	case KindReject:
		settleSent(&f.voidsSent, &f.voidsAnswered, amount, became.freesOwnHold)
	case KindFulfill:
		f.unansweredFulfills = f.unansweredFulfills.SubFloor(amount)
		settleSent(&f.chargesSent, &f.chargesAnswered, amount, became.booked)
		settleSent(&f.postsSent, &f.postsAnswered, amount, became.freesOwnHold)
		if became.late && s == outgoing {
			addAmount(&f.admitted, amount)
			addAmount(&f.admittedAnswered, amount)
		}
	}
}

// settleSent counts what was handed over as answered, or takes it back.
func settleSent(handed, answered *ledger.Amount, amount ledger.Amount, counts bool) {
	if counts {
		addAmount(answered, amount)
	} else {
		*handed = handed.SubFloor(amount)
	}
}

// isStale reports whether there was no look for longer than a round: others may have made
// room since.
func (r *peerLimits) isStale(round time.Duration) bool {
	if r == nil || !r.capped {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.usedSinceRefresh = true
	return time.Since(r.refreshedAt) > round
}

// beginRefresh notes that a look begins. It reports whether one is needed, and whether there was
// one before.
func (r *peerLimits) beginRefresh() (needed, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known = !r.refreshedAt.IsZero()
	switch {
	case !r.capped:
		return false, known
	case r.usedSinceRefresh:
	case r.notProvisioned:
		return false, known // nobody asks for it
	case known && r.balance.HeldIn.IsZero() && r.balance.HeldOut.IsZero():
		return false, known // nothing of ours is under way, and nothing can expire
	}
	r.usageAtPendingRead, r.usedSinceRefresh = r.usage, false
	return true, known
}

// markReadStart notes that a look begins, whoever is active.
func (r *peerLimits) markReadStart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.usageAtPendingRead, r.usedSinceRefresh = r.usage, false
}

// endRefresh takes in what a look has found; if it has found nothing, err says why.
func (r *peerLimits) endRefresh(b accounts.Balance, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notProvisioned = errors.Is(err, accounts.ErrNotProvisioned)
	if err != nil {
		r.refreshErr, r.usedSinceRefresh = err, !r.notProvisioned
		return
	}
	r.refreshedAt, r.refreshErr, r.balance, r.inFlightCap = time.Now(), nil, b, r.limits.InFlightCap(b.CreditLine)
	r.usageAtReadStart, r.usageAtReadEnd = r.usageAtPendingRead, r.usage
}

func addAmount(total *ledger.Amount, amount ledger.Amount) { *total, _ = total.Add(amount) }

// sumAmounts is the largest amount if the sum does not fit.
func sumAmounts(amounts ...ledger.Amount) ledger.Amount {
	var total ledger.Amount
	for _, a := range amounts {
		next, fits := total.Add(a)
		if !fits {
			return ledger.AmountMax
		}
		total = next
	}
	return total
}
