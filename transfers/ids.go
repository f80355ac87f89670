package transfers

import (
	"crypto/rand"
	"sync"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// A packet's id has 48 bits of milliseconds since the Unix epoch, 72 unique bits, and 8 low
// bits for its transfers: 4 for the leg, 4 for the phase. Time-ordered ids keep
// TigerBeetle's indexes fast.
// (https://docs.tigerbeetle.com/coding/data-modeling/#tigerbeetle-time-based-identifiers-recommended)
const (
	legShift    = 4
	legCollect  = 15 // charges the sender of a correction
	uniqueBits  = 72
	reservedLow = 8
)

// idSource generates ever growing packet ids, also when the clock goes back. Ids of two
// sources do not collide: each millisecond starts at 71 random bits.
type idSource struct {
	mu   sync.Mutex
	last uint128.Uint128 // milliseconds and unique bits, without the low 8
}

// nextID returns a new id. If now is before the last id, because the caller waited for the
// lock or the clock went back, the last id is counted up.
func (s *idSource) nextID(now time.Time) ledger.ID {
	start := uint128.From64(clampMillis(now.UnixMilli())).Lsh(uniqueBits)
	s.mu.Lock()
	defer s.mu.Unlock()
	if start.Cmp(s.last.Rsh(uniqueBits).Lsh(uniqueBits)) > 0 {
		s.last = start.Or(random71())
	} else {
		// Carries into the next millisecond when the unique bits run out.
		s.last = s.last.AddWrap64(1)
	}
	return ledger.ID(s.last.Lsh(reservedLow))
}

// clampMillis keeps a moment within 48 bits, from the first millisecond of 1970 on. So a
// wrong clock produces neither id 0 nor a wrapped id.
func clampMillis(ms int64) uint64 { return uint64(min(max(ms, 1), 1<<48-1)) }

// random71 returns random bits with the top unique bit clear: from any start 2^71 ids can
// be counted up within a millisecond.
func random71() uint128.Uint128 {
	var b [16]byte
	rand.Read(b[:])
	return uint128.FromBytes(b[:]).Rsh(128 - (uniqueBits - 1))
}

// phase is the part of a transfer's id for the step of the packet.
type phase uint8

const (
	phaseHold   phase = 0
	phasePost   phase = 1
	phaseVoid   phase = 2
	phaseSingle phase = 3

	// Corrections of late fulfills, and of forwards beyond the sender's line: see
	// correction.go. Phase 4 charges the sender in the same chain, phase 5 charges no sender.
	phaseCorrection    phase = 4
	phaseWithoutSender phase = 5

	// A refused post or void with a burnt id goes on under the next of these phases.
	phasePostAgain phase = 6
	phasePostLast  phase = 9
	phaseVoidAgain phase = 10
	phaseVoidLast  phase = 13

	// Corrections for a closed receiver, with and without charging the sender.
	phaseWithoutReceiver phase = chart.PhaseWithoutReceiver
	phaseWithoutBoth     phase = chart.PhaseWithoutBoth

	// asOlder marks phase 4 or 5 in the form of versions without arrears accounts, which
	// debited suspense in place of the sender. Such a request only finds out whether an
	// older version has booked the fulfill. The mark is not part of an id.
	asOlder phase = 1 << legShift
)

// firstPhase returns the phase of an operation's first request.
func firstPhase(kind Kind) phase {
	return [...]phase{KindPrepare: phaseHold, KindFulfill: phasePost, KindReject: phaseVoid, KindForward: phaseSingle}[kind]
}

// nextAttempt returns the phase in which a post or void goes on after the ledger has burnt
// the ids; ph itself if no phase is left.
func (ph phase) nextAttempt() phase {
	switch ph { //nolint:exhaustive // the rest has a next phase, or is never passed
	case phasePost:
		return phasePostAgain
	case phaseVoid:
		return phaseVoidAgain
	case phasePostLast, phaseVoidLast:
		return ph
	default:
		return ph + 1
	}
}

// transferID returns the id of a leg's transfer in a phase.
func transferID(packet ledger.ID, leg uint8, ph phase) ledger.ID {
	packet.Lo |= uint64(leg)<<legShift | uint64(ph&^asOlder)
	return packet
}
