package aggregate

import (
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/tokenbucket"
	"github.com/peerledger/peerledger/ledger"
	"github.com/peerledger/peerledger/transfers"
)

// direction tells packets from a peer and packets to a peer apart. Our liquidity is limited like a
// peer: a packet that pays into it comes from it, as if it were a peer that paid.
type direction uint8

const (
	incoming direction = iota // from the peer
	outgoing                  // to the peer
)

// sums are amounts by direction.
type sums [2]ledger.Amount

func (s *sums) add(d direction, amount ledger.Amount) { s[d] = addAmounts(s[d], amount) }

// limits enforce the caps and rates of a peer in an asset, or the floor of our liquidity in an
// asset. They know the accounts as of the last look-up, and all packets of this recorder. The
// ledger has no packet of ours before its round, so limits add them up: the open packets, and
// the fulfilled packets that no applied round has (unbooked).
//
// No look-up is under way together with a round, so a look-up lacks exactly the unbooked packets.
// credits and debits have them from the moment of the fulfill, and a round that is applied
// changes neither.
//
// What other recorders hold counts as of the last look-up, their reservations like packets.
type limits struct {
	account   accounts.PeerAccount
	asset     accounts.Asset
	effective accounts.EffectiveLimits
	fault     error // why effective is unknown: new packets are refused

	packetBucket tokenbucket.Bucket // packets sent by the peer
	amountBucket tokenbucket.Bucket // amounts sent by the peer

	credits, debits ledger.Amount // credits less debits is what we owe the peer
	settling        ledger.Amount // held by settlement orders
	line, lineShare ledger.Amount // the credit line, and the part of it that packets may hold
	othersHeld      sums          // held by other recorders
	held            sums          // by open packets of this recorder
	unbooked        sums          // of fulfilled packets that no applied round has
}

// reading is what a look-up finds about an account, without the packets of this recorder.
type reading struct {
	credits, debits ledger.Amount // posted
	settling        ledger.Amount
	line            ledger.Amount
	held            sums
}

// peerReading returns what a look-up of a peer's accounts finds; nil for an account that is missing.
// reserved is what this recorder's own reservations hold in the ledger for certain: they are no
// packets. A reservation that the ledger may have released is not in it, so that what others hold is
// never taken for less than it is.
func peerReading(peer, line, arrears, settlement *ledger.Account, reserved ledger.Amount) *reading {
	r := &reading{}
	if settlement != nil {
		r.settling = settlement.CreditsPending
	}
	if line != nil {
		r.line = line.DebitsPosted.SubFloor(line.CreditsPosted)
	}
	r.debits = r.line
	if arrears != nil {
		r.debits = addAmounts(r.debits, arrears.DebitsPosted.SubFloor(arrears.CreditsPosted))
	}
	if peer != nil {
		r.credits = peer.CreditsPosted.SubFloor(peer.DebitsPosted)
		r.held = sums{peer.DebitsPending.SubFloor(addAmounts(r.settling, reserved)), peer.CreditsPending}
	}
	return r
}

// newLimits returns the limits of a peer, nil if it has none.
func newLimits(book *accounts.Book, a accounts.PeerAccount) *limits {
	effective, err := book.EffectiveLimits(a)
	if err != nil {
		return &limits{account: a, fault: err}
	}
	packets, amounts := effective.PacketRate, effective.AmountRate
	isLimited := effective.PayableCapped || effective.InFlightCapped || !effective.MaxPacket.IsZero() ||
		effective.MaxHold > 0 || packets.Count > 0 || amounts.Count > 0
	if !isLimited {
		return nil
	}
	l := &limits{account: a, effective: effective}
	l.asset, _ = book.Asset(a.Ledger())
	l.packetBucket.Count, l.packetBucket.Per = packets.Count, packets.Per
	l.amountBucket.Count, l.amountBucket.Per = amounts.Count, amounts.Per
	return l
}

// readAccounts takes the result of a look-up.
func (l *limits) readAccounts(r *reading) {
	l.credits, l.debits = addAmounts(r.credits, l.unbooked[outgoing]), addAmounts(r.debits, l.unbooked[incoming])
	l.settling, l.othersHeld = r.settling, r.held
	if l.effective.InFlightCapped && (l.line != r.line || l.lineShare.IsZero()) {
		l.line, l.lineShare = r.line, l.effective.InFlightCap(r.line)
	}
}

// checkCap returns a [transfers.PacketLimitError] if an amount does not fit the cap of a direction.
func (l *limits) checkCap(amount ledger.Amount, d direction) error {
	var used, limit ledger.Amount
	var cause error
	switch {
	case amount.IsZero():
		return nil
	case d == incoming && l.effective.InFlightCapped:
		used, limit, cause = l.usedInFlight(), l.inFlightLimit(), transfers.ErrInFlightShare
	case d == outgoing && l.effective.PayableCapped:
		used, limit, cause = l.usedPayable(), l.payableLimit(), l.payableCause()
	default:
		return nil
	}
	if total, fits := used.Add(amount); fits && !limit.Less(total) {
		return nil
	}
	return &transfers.PacketLimitError{Account: l.account, Asset: l.asset, Cause: cause, Limit: limit, Used: used, Wanted: amount}
}

// usedPayable returns what we owe the peer, packets in flight to the peer included.
func (l *limits) usedPayable() ledger.Amount {
	return addAmounts(addAmounts(l.credits.SubFloor(l.debits), l.othersHeld[outgoing]), l.held[outgoing])
}

func (l *limits) payableLimit() ledger.Amount {
	return addAmounts(l.effective.PayableCap, l.debits.SubFloor(l.credits))
}

// payableCause returns the error of an exceeded PayableCap. For our own account the cap stands for
// the liquidity floor.
func (l *limits) payableCause() error {
	if l.account.IsOwn() {
		return transfers.ErrLiquidity
	}
	return transfers.ErrPayableCap
}

// usedInFlight returns what packets from the peer hold.
func (l *limits) usedInFlight() ledger.Amount {
	return addAmounts(l.othersHeld[incoming], l.held[incoming])
}

// inFlightLimit returns the share of the credit line, plus the peer's own money.
func (l *limits) inFlightLimit() ledger.Amount {
	return addAmounts(l.lineShare, l.credits.SubFloor(addAmounts(l.debits, l.settling)))
}

// leftByOthers returns how much of the peer's headroom packets through this recorder may hold, at
// most maxReserved. l may be nil.
func (l *limits) leftByOthers() uint64 {
	if l == nil || !l.effective.InFlightCapped {
		return maxReserved
	}
	left, _ := l.inFlightLimit().SubFloor(l.othersHeld[incoming]).Min(ledger.NewAmount(maxReserved)).Uint64()
	return left
}

// hold counts an accepted packet.
func (l *limits) hold(amount ledger.Amount, d direction) { l.held.add(d, amount) }

// release takes back the hold of a packet that is resolved or has expired.
func (l *limits) release(amount ledger.Amount, d direction) { l.held[d] = l.held[d].SubFloor(amount) }

// owe counts a fulfilled packet, with or without a hold before.
func (l *limits) owe(amount ledger.Amount, d direction) {
	l.unbooked.add(d, amount)
	if d == outgoing {
		l.credits = addAmounts(l.credits, amount)
	} else {
		l.debits = addAmounts(l.debits, amount)
	}
}

// noteBooked counts an amount of a round that was applied: the next look-up has it.
func (l *limits) noteBooked(amount ledger.Amount, d direction) {
	l.unbooked[d] = l.unbooked[d].SubFloor(amount)
}

// takeRate takes a prepare out of the peer's rates, or returns the exceeded rate.
func (l *limits) takeRate(amount uint64, now time.Time) error {
	if !l.packetBucket.Take(1, now) {
		return l.rateError(&l.packetBucket, 1, accounts.Asset{})
	}
	if !l.amountBucket.Take(amount, now) {
		l.packetBucket.PutBack(1)
		return l.rateError(&l.amountBucket, amount, l.asset)
	}
	return nil
}

func (l *limits) rateError(b *tokenbucket.Bucket, wanted uint64, asset accounts.Asset) error {
	return &transfers.PacketLimitError{
		Account: l.account, Asset: asset, Cause: transfers.ErrRateLimited, Limit: ledger.NewAmount(b.Count),
		Used: ledger.NewAmount(b.Used()), Wanted: ledger.NewAmount(wanted),
	}
}

// addAmounts returns the sum, or the largest amount if the sum does not fit.
func addAmounts(a, b ledger.Amount) ledger.Amount {
	sum, fits := a.Add(b)
	if !fits {
		return ledger.AmountMax
	}
	return sum
}
