package embedded

import "github.com/peerledger/peerledger/ledger"

// A hold with a timeout ends in two steps, as on a server. From its expiry on,
// posts and voids are refused. Its amount is freed, and what it had closed is
// opened, by a later pulse.

// pulseSlots is how many timestamps a pulse takes, whatever it releases.
const pulseSlots = ledger.BatchMax + 1

// expired is one hold that a pulse has released.
type expired struct {
	timestamp uint64
	hold      position
	next      position // the first transfer that was stored later
}

func nanoseconds(seconds uint32) uint64 { return uint64(seconds) * 1e9 }

// expiryOf is the moment from which on the hold, one with a timeout, cannot be
// resolved any more.
func expiryOf(hold *ledger.Transfer) uint64 { return hold.Timestamp + nanoseconds(hold.Timeout) }

// pulseDue reports whether a hold is due that expired at the moment or before.
func (b *books) pulseDue(moment uint64) bool {
	nearest, ok := b.nearestExpiry()
	return ok && nearest <= moment
}

// pulse releases the holds that have expired by the timestamp, in the order of
// their expiry, but at most most of them, and returns how many. The releases own
// the timestamps that end there.
func (b *books) pulse(timestamp uint64, most int) int {
	first := b.expired.len
	for range most {
		if !b.pulseDue(timestamp) {
			break
		}
		b.expire(b.expiries.take().hold)
	}
	released := uint64(b.expired.len - first)
	for at := first; at < b.expired.len; at++ {
		b.expired.at(at).timestamp = timestamp - released + uint64(at-first) + 1
	}
	return int(released)
}

// nearestExpiry is the next moment at which a hold expires that is still held.
func (b *books) nearestExpiry() (moment uint64, ok bool) {
	for b.expiries.len() > 0 {
		next := b.expiries.next()
		if b.isHeld(next) {
			return next.moment, true
		}
		b.expiries.take()
	}
	return 0, false
}

// isHeld reports whether an entry of the schedule still says the truth: its hold
// may have been resolved, or rolled back and its place taken by another.
func (b *books) isHeld(e expiry) bool {
	if e.hold >= b.transfers.len {
		return false
	}
	hold := b.transfers.at(e.hold)
	return hold.hold == held && hold.Timeout != 0 && expiryOf(&hold.Transfer) == e.moment
}

func (b *books) expire(at position) {
	hold := b.transfers.at(at)
	b.resolve(at, lapsed)
	release(&hold.Transfer, b.change(hold.debit), b.change(hold.credit))
	*b.expired.add() = expired{hold: at, next: b.transfers.len}
}

// expiry is an entry of the schedule.
type expiry struct {
	moment uint64
	hold   position
}

func (e expiry) before(other expiry) bool {
	return e.moment < other.moment || (e.moment == other.moment && e.hold < other.hold)
}

// schedule is a binary heap of expiries, the next one first. Entries of holds
// that were resolved meanwhile stay until they come up. (container/heap would
// allocate for every entry.)
type schedule struct {
	heap []expiry
}

func (s *schedule) len() int { return len(s.heap) }

// next is the entry that is due first; the schedule must not be empty.
func (s *schedule) next() expiry { return s.heap[0] }

func (s *schedule) add(moment uint64, hold position) {
	s.heap = append(s.heap, expiry{moment, hold})
	for i := len(s.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s.heap[i].before(s.heap[parent]) {
			return
		}
		s.heap[i], s.heap[parent] = s.heap[parent], s.heap[i]
		i = parent
	}
}

// take removes the next entry and returns it.
func (s *schedule) take() expiry {
	first, last := s.heap[0], len(s.heap)-1
	s.heap[0] = s.heap[last]
	s.heap = s.heap[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= min(2*i+2, last-1); child++ {
			if s.heap[child].before(s.heap[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		s.heap[i], s.heap[least] = s.heap[least], s.heap[i]
		i = least
	}
}
