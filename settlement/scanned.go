package settlement

import (
	"time"

	"github.com/peerledger/peerledger/accounts"
)

// dueAccount is an account that needs a visit.
type dueAccount struct {
	account accounts.PeerAccount
	scanned scannedBalance
}

// scannedBalance is the balance that showed that an account is due. The visit's first order may rest on it, which
// saves a look-up.
type scannedBalance struct {
	balance *accounts.Balance // nil: none
	began   time.Time         // before the look-up, by the monotonic clock
	// urgencies is tracker.countUrgencies before the look-up. An urgent order needs a balance that was read after
	// its urgency was set: SettleNow pays what is owed at the time of the call.
	urgencies uint64
	isOwn     bool // the visit itself made the look-up, just before its step
}

// scanLifetime bounds the age of a scanned balance. An older one is as safe, but the more packets were booked since,
// the more likely the order fails its check, and is withdrawn.
const scanLifetime = 100 * time.Millisecond

// usableScan returns the balance that showed that the account is due; nil if an order must not or should not rest on
// it. It must have been read after the newest order was known (placeOrder), so a second order of the visit cannot rest
// on it. If another engine has ordered since, the next number is taken. The order's check finds packets and payments
// since, as after any other read. Packets of the peer that are in flight are likely to be booked before the order.
func (v *accountVisit) usableScan() *accounts.Balance {
	s := v.scanned
	if s.balance != nil && s.began.After(v.state.latestAt) && v.tracker.viewOf(v.account).urgentNumber <= s.urgencies && !s.isOld() && s.isComplete() {
		return s.balance
	}
	return nil
}

func (s *scannedBalance) isOld() bool { return time.Since(s.began) > scanLifetime }

// isComplete reports whether an order needs no more than the look-up. A look-up for this order alone would be no better
// than one of the visit's own, whatever is in flight.
func (s *scannedBalance) isComplete() bool {
	return s.balance.PrepaidSettled() && !s.balance.Collectable() && (s.isOwn || s.balance.HeldIn.IsZero())
}

// needsNewScan reports whether the first order of a visit would look the balance up only because the scan is old.
func (v *accountVisit) needsNewScan() bool {
	return v.scanned.balance != nil && v.scanned.isOld() && v.scanned.isComplete() && v.state.latest != nil && v.state.openOrder == nil
}

func accountsOf(due []dueAccount) []accounts.PeerAccount {
	list := make([]accounts.PeerAccount, len(due))
	for i := range due {
		list[i] = due[i].account
	}
	return list
}
