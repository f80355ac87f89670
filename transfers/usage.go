package transfers

import "github.com/peerledger/peerledger/ledger"

// direction tells packets from a peer and packets to a peer apart.
type direction int

const (
	incoming direction = iota // from the peer
	outgoing                  // to the peer
)

// usageByDirection is indexed by direction.
type usageByDirection [2]usage

// usage counts the recorder's packets of a peer in a direction, as sums of amounts since the
// start of the recorder.
type usage struct {
	// Amounts that use up a cap. A late fulfill counts as admitted once answered: the
	// hold has expired, possibly before the last read.
	admitted, admittedAnswered   ledger.Amount // prepares and forwards
	chargesSent, chargesAnswered ledger.Amount // fulfills
	unansweredFulfills           ledger.Amount // fulfills that may turn out late: a current sum, unlike all further fields

	// Amounts that free a cap: resolved holds of packets admitted by this recorder.
	voidsSent, voidsAnswered ledger.Amount // given back
	postsSent, postsAnswered ledger.Amount // posted in time
}

// answerEffect is the effect of an answered operation on usage.
type answerEffect struct {
	booked       bool // the operation is in the books, or may be
	late         bool // a fulfill was booked after the hold had expired, or may have been
	freesOwnHold bool // this request resolved, in time, a hold admitted by this recorder
}

// recordSent counts an operation about to be sent.
func (l *peerLimits) recordSent(kind Kind, amount ledger.Amount, d direction) {
	if l == nil || !l.capped {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.needsRead = true
	switch u := &l.usage[d]; kind {
	case KindFulfill:
		addAmount(&u.chargesSent, amount)
		addAmount(&u.unansweredFulfills, amount)
		addAmount(&u.postsSent, amount)
	case KindReject:
		addAmount(&u.voidsSent, amount)
	case KindPrepare, KindForward:
		addAmount(&u.admitted, amount)
	}
}

// recordAnswered counts the answer to an operation.
func (l *peerLimits) recordAnswered(kind Kind, amount ledger.Amount, d direction, effect answerEffect) {
	if l == nil || !l.capped {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.needsRead = true
	u := &l.usage[d]
	switch kind {
	case KindPrepare, KindForward:
		addAmount(&u.admittedAnswered, amount)
		if !effect.booked {
			addAmount(&u.voidsSent, amount)
			addAmount(&u.voidsAnswered, amount)
		}
	case KindReject:
		settleSent(&u.voidsSent, &u.voidsAnswered, amount, effect.freesOwnHold)
	case KindFulfill:
		u.unansweredFulfills = u.unansweredFulfills.SubFloor(amount)
		settleSent(&u.chargesSent, &u.chargesAnswered, amount, effect.booked)
		settleSent(&u.postsSent, &u.postsAnswered, amount, effect.freesOwnHold)
		if effect.late && d == outgoing {
			addAmount(&u.admitted, amount)
			addAmount(&u.admittedAnswered, amount)
		}
	}
}

// settleSent counts a sent amount as answered, or takes the amount back.
func settleSent(sent, answered *ledger.Amount, amount ledger.Amount, counts bool) {
	if counts {
		addAmount(answered, amount)
	} else {
		*sent = sent.SubFloor(amount)
	}
}

func addAmount(total *ledger.Amount, amount ledger.Amount) { *total, _ = total.Add(amount) }

// sumAmounts returns the sum, or the largest amount if the sum does not fit.
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
