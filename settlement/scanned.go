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
	switch {
	case s.balance == nil, !s.began.After(v.state.latestAt), time.Since(s.began) > scanLifetime:
		return nil
	case !s.balance.PrepaidSettled(), s.balance.Collectable(), !s.balance.HeldIn.IsZero():
		return nil
	default:
		return s.balance
	}
}

func accountsOf(due []dueAccount) []accounts.PeerAccount {
	list := make([]accounts.PeerAccount, len(due))
	for i := range due {
		list[i] = due[i].account
	}
	return list
}
