package transfers

import (
	"crypto/rand"
	"sync"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// An id of a packet has 48 bits of milliseconds since the Unix epoch, 72 unique
// bits, and 8 low bits that its transfers use: 4 for the leg, 4 for the phase.
// Ids ordered by time keep TigerBeetle's indexes fast.
// (https://docs.tigerbeetle.com/coding/data-modeling/#tigerbeetle-time-based-identifiers-recommended)
const (
	legShift    = 4
	legCollect  = 15 // charges the sender of a correction
	uniqueBits  = 72
	reservedLow = 8
)

// idSource draws packet ids that grow for ever, also when the clock goes back,
// and that no other source draws: each millisecond starts at 71 random bits.
type idSource struct {
	mu   sync.Mutex
	last uint128.Uint128 // milliseconds and unique bits, without the low 8
}

// nextID draws an id. The moment may be older than that of the last id, since the
// lock was waited for or the clock went back: then the last id is counted up.
func (s *idSource) nextID(moment time.Time) ledger.ID {
	now := uint128.From64(clampMillis(moment.UnixMilli())).Lsh(uniqueBits)
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

	// What came too late, or was too much for the sender's line: see correction.go. Under
	// the first of these the sender is charged in the same chain; under the second it is
	// not, since it cannot be.
	phaseCorrection    phase = 4
	phaseWithoutSender phase = 5

	// A post or void that the ledger refused in a way that burns its id goes
	// on under the next of these.
	phasePostAgain phase = 6
	phasePostLast  phase = 9
	phaseVoidAgain phase = 10
	phaseVoidLast  phase = 13

	// Corrections for a receiver that is closed, with and without charging the sender.
	phaseWithoutReceiver phase = chart.PhaseWithoutReceiver
	phaseWithoutBoth     phase = chart.PhaseWithoutBoth

	// asOlder is added to the phase of a correction that is asked for as versions before
	// arrears had sent it. It is not part of an id.
	asOlder phase = 1 << legShift
)

// firstPhase is the phase that an operation is sent under first.
func firstPhase(kind Kind) phase {
	return [...]phase{KindPrepare: phaseHold, KindFulfill: phasePost, KindReject: phaseVoid, KindForward: phaseSingle}[kind]
}

// nextAttempt is the phase that a post or void goes on under when the ledger has burnt
// its ids; ph itself if there is none left.
func (ph phase) nextAttempt() phase {
	switch ph { //nolint:exhaustive // the others have one behind them, or are never asked for
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

// transferID is the id of one leg's transfer in one phase.
func transferID(packet ledger.ID, leg uint8, ph phase) ledger.ID {
	packet.Lo |= uint64(leg)<<legShift | uint64(ph&^asOlder)
	return packet
}
