package embedded

import (
	"cmp"
	"slices"

	"github.com/peerledger/peerledger/ledger"
)

// A hold with a timeout ends in two steps, as on a server. From its expiry on, posts and voids are
// refused. A later pulse releases its amount and reopens the accounts closed by it.

// pulseSlots is the number of timestamps of a pulse, however many holds it releases.
const pulseSlots = ledger.BatchMax + 1

// expiredHold is a hold released by a pulse.
type expiredHold struct {
	timestamp    uint64
	hold         position
	nextTransfer position // the first transfer stored later

	debit, credit accountPosition // of the hold
}

func toNanoseconds(seconds uint32) uint64 { return uint64(seconds) * 1e9 }

// isPulseDue reports whether a pending hold has expired by the moment.
func (b *books) isPulseDue(nanos uint64) bool {
	nearest, ok := b.nearestExpiry()
	return ok && nearest <= nanos
}

// releaseExpired releases the holds that have expired by the timestamp, in the order of their
// expiry, at most maxHolds, and returns their number. The releases own the timestamps up to this
// one.
func (b *books) releaseExpired(timestamp uint64, maxHolds int) int {
	expired := &b.hot.expired
	firstReleased := expired.count
	for range maxHolds {
		if !b.isPulseDue(timestamp) {
			break
		}
		b.expireHold(b.expiries.takeEntry().hold)
	}
	released := uint64(expired.count - firstReleased)
	for p := firstReleased; p < expired.count; p++ {
		expired.rowAt(p).timestamp = timestamp - released + uint64(p-firstReleased) + 1
	}
	return int(released)
}

// nearestExpiry returns the next expiry of a pending hold.
func (b *books) nearestExpiry() (nanos uint64, ok bool) {
	for b.expiries.entryCount() > 0 {
		next := b.expiries.nextEntry()
		if b.isHeld(next) {
			return next.nanos, true
		}
		b.expiries.takeEntry()
	}
	return 0, false
}

// isHeld reports whether the hold of an entry is still pending. It may have been resolved, or
// rolled back and replaced by another transfer.
func (b *books) isHeld(e expiryEntry) bool {
	hold := b.pendingAt(e.hold)
	return hold != nil && hold.Timeout != 0 && hold.expiry() == e.nanos
}

// expireHold releases a pending hold. The caller sets the timestamp.
func (b *books) expireHold(pos position) {
	hold := b.pendingAt(pos)
	b.endHold(pos, holdExpired)
	releaseHold(hold.effect(), b.changeAccount(hold.debit), b.changeAccount(hold.credit))
	*b.hot.expired.appendRow() = expiredHold{
		hold: pos, nextTransfer: b.transferEnd(), debit: hold.debit, credit: hold.credit,
	}
}

// compactExpiries drops the entries of resolved holds, once they are the greater part. No hold is
// hot.
func (b *books) compactExpiries() {
	if b.expiries.entryCount() <= 2*b.holds.pending+1024 {
		return
	}
	b.expiries = expirySchedule{}
	for _, h := range b.holds.pendingHolds() {
		if h.Timeout != 0 {
			b.expiries.queue = append(b.expiries.queue, expiryEntry{h.expiry(), h.position})
		}
	}
	slices.SortFunc(b.expiries.queue, expiryEntry.compareEntry)
}

// expiryEntry is one entry of the schedule.
type expiryEntry struct {
	nanos uint64
	hold  position
}

func (e expiryEntry) isBefore(other expiryEntry) bool {
	return e.nanos < other.nanos || (e.nanos == other.nanos && e.hold < other.hold)
}

func (e expiryEntry) compareEntry(other expiryEntry) int {
	return cmp.Or(cmp.Compare(e.nanos, other.nanos), cmp.Compare(e.hold, other.hold))
}

// expirySchedule has expiries, the next one first. Entries of resolved holds stay until their time.
// Holds with one timeout come in the order of their expiries, and are in a queue. Other entries are in a
// binary heap. (container/heap would allocate for every entry.)
type expirySchedule struct {
	queue []expiryEntry // ascending; its last entry is behind all of the heap
	heap  []expiryEntry
}

func (s *expirySchedule) entryCount() int { return len(s.queue) + len(s.heap) }

// isQueueNext reports whether the next entry is in the queue.
func (s *expirySchedule) isQueueNext() bool {
	return len(s.heap) == 0 || s.queue[0].isBefore(s.heap[0])
}

// nextEntry returns the next entry of a schedule with entries.
func (s *expirySchedule) nextEntry() expiryEntry {
	if s.isQueueNext() {
		return s.queue[0]
	}
	return s.heap[0]
}

func (s *expirySchedule) addEntry(nanos uint64, hold position) {
	e := expiryEntry{nanos, hold}
	if n := len(s.queue); n == 0 || s.queue[n-1].isBefore(e) {
		s.queue = append(s.queue, e)
		return
	}
	s.heap = append(s.heap, e)
	for i := len(s.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s.heap[i].isBefore(s.heap[parent]) {
			return
		}
		s.heap[i], s.heap[parent] = s.heap[parent], s.heap[i]
		i = parent
	}
}

// takeEntry removes and returns the next entry.
func (s *expirySchedule) takeEntry() expiryEntry {
	if s.isQueueNext() {
		first := s.queue[0]
		s.queue = s.queue[1:]
		return first
	}
	return s.takeHeap()
}

func (s *expirySchedule) takeHeap() expiryEntry {
	first, last := s.heap[0], len(s.heap)-1
	s.heap[0] = s.heap[last]
	s.heap = s.heap[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= min(2*i+2, last-1); child++ {
			if s.heap[child].isBefore(s.heap[least]) {
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
