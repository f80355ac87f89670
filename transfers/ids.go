package transfers

import (
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// The 8 low bits of a packet's id ([chart.PacketIDs]) are for its transfers: 4 for the leg, 4 for
// the phase.
const (
	phaseBits  = 4
	legShift   = phaseBits
	legCollect = 15 // charges the sender of a correction
)

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
