package transfers

import (
	"crypto/rand"
	"sync"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// An id of a packet has 48 bits of milliseconds since the Unix epoch, 72 unique
// bits, and 8 low bits that its transfers use: 4 for the leg, 4 for the phase.
// Ids ordered by time keep TigerBeetle's indexes fast.
// (https://docs.tigerbeetle.com/coding/data-modeling/#tigerbeetle-time-based-identifiers-recommended)
const (
	legShift    = 4
	legMax      = 15
	uniqueBits  = 72
	reservedLow = 8
)

// idSource draws packet ids that grow for ever, also when the clock goes back,
// and that no other source draws: each millisecond starts at 71 random bits.
type idSource struct {
	clock func() time.Time

	mu   sync.Mutex
	last uint128.Uint128 // milliseconds and unique bits, without the low 8
}

func (s *idSource) next() ledger.ID {
	// A moment read before the lock was waited for may be old. It never goes
	// into an id: then the last id is counted up.
	now := uint128.From64(clampMillis(s.clock().UnixMilli())).Lsh(uniqueBits)
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Cmp(s.last.Rsh(uniqueBits).Lsh(uniqueBits)) > 0 {
		s.last = now.Or(random71())
	} else {
		// Carries into the next millisecond when the unique bits run out.
		s.last = s.last.AddWrap64(1)
	}
	return ledger.ID(s.last.Lsh(reservedLow))
}

// clampMillis keeps a moment within 48 bits, from the first millisecond of 1970 on,
// so that a clock that is out of order makes no id 0 and none that goes back.
func clampMillis(ms int64) uint64 { return uint64(min(max(ms, 1), 1<<48-1)) }

// random71 leaves the top unique bit clear, so that 2^71 ids can be counted up
// within a millisecond whatever the start is.
func random71() uint128.Uint128 {
	var b [16]byte
	rand.Read(b[:])
	return uint128.FromBytes(b[:]).Rsh(128 - (uniqueBits - 1))
}

// phase is the part of a transfer's id that says which step of the packet it is.
type phase uint8

const (
	phaseHold   phase = 0
	phasePost   phase = 1
	phaseVoid   phase = 2
	phaseSingle phase = 3

	// A post or void that the ledger refused in a way that burns its id goes
	// on under the next attempt's phase: 1, 6, 7, 8, 9 and 2, 10, 11, 12, 13.
	phasePostAgain phase = 6
	phaseVoidAgain phase = 10
	attempts             = 5
)

// phaseOf is the phase of an attempt, 0 to attempts-1, at an operation.
func phaseOf(kind Kind, attempt int) phase {
	switch {
	case kind == KindPrepare:
		return phaseHold
	case kind == KindForward:
		return phaseSingle
	case kind == KindFulfill && attempt == 0:
		return phasePost
	case kind == KindFulfill:
		return phasePostAgain + phase(attempt-1)
	case attempt == 0:
		return phaseVoid
	default:
		return phaseVoidAgain + phase(attempt-1)
	}
}

// transferID is the id of one leg's transfer in one phase.
func transferID(packet ledger.ID, leg uint8, ph phase) ledger.ID {
	packet.Lo |= uint64(leg)<<legShift | uint64(ph)
	return packet
}
