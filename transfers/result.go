package transfers

import (
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// Result is what became of an operation.
type Result struct {
	Kind Kind
	// Packet is the packet as recorded, with its ID and Hold. Keep the one of
	// the prepare to fulfill or reject it.
	Packet Packet
	// Outcome is applied, already applied (an earlier request did it), refused,
	// refused with the id spent, or unknown. A prepare that was applied already
	// says nothing about what became of the packet since.
	Outcome ledger.Outcome
	// Late says that the packet was booked by a correction, now or before: its hold had
	// expired before the fulfill, or the sender's line did not cover a forward. The
	// sender was charged as much as its line allowed; what is missing of In, if anything,
	// it owes as arrears (accounts.Balance.Arrears). The receiver has what it is owed; if
	// its account was closed since the hold expired, that waits in the asset's suspense account.
	Late bool
	// Shortfall is how much of In the sender's account could not be charged when the packet
	// was booked late, in units of its asset: that it owed as arrears then. 0 if nothing was
	// missing, and of packets that are not Late or are from ourselves.
	Shortfall uint64
	// ShortfallUnknown says that a Late packet is booked, and that the ledger could not be asked
	// for the Shortfall before the recorder was closed. Record the packet again to know.
	ShortfallUnknown bool
	// BookedAt is the ledger's timestamp of the transfer that this operation made for the
	// packet's first leg, exact to the nanosecond, in UTC. The zero time if there is none:
	// a packet without amounts, or one that was resolved in another way before.
	BookedAt time.Time
	// Err is nil if the operation is in the books, else a *RefusedError or what
	// Submit and Record return. An applied prepare has one (ErrHoldExpired) if its
	// answer took longer to come than its hold lasts.
	Err error
}

// unrecordedResult is the result of an operation that was not handed over.
func unrecordedResult(op Op, err error) Result {
	return Result{Kind: op.Kind, Packet: op.Packet, Outcome: ledger.OutcomeRefused, Err: err}
}

// handleResults reads the answers to an operation's chain. It reports whether the operation
// must go on: under another phase, or to give back what a prepare holds for a
// caller that is gone. waited is how long ago the request was sent first.
func (o *operation) handleResults(answers []ledger.CreateTransferResult, waited time.Duration) (again bool) {
	chain := ledger.ChainOutcome(answers)
	if next := o.nextPhase(chain); next != o.phase {
		o.phase, o.sent = next, false
		return true
	}
	if o.voiding {
		// Its own result stays. What is held still ends with the hold's timeout.
		o.unanswered = !chain.Outcome.Done() && refusalError(KindReject, chain) != nil
		return false
	}
	o.setResult(chain, answers[0].Timestamp, waited)
	if o.kind != KindPrepare || o.slot.markAnswered() || !o.exclusivelyOurs(chain.Outcome) {
		return false
	}
	o.voiding, o.phase, o.sent = true, phaseVoid, false
	return true
}

// nextPhase is the phase that an operation goes on under after a refusal, its own
// if the answer is final.
func (o *operation) nextPhase(chain ledger.Chain) phase {
	burnt := chain.Status == ledger.TransferIDAlreadyFailed
	switch kind := o.sendKind(); {
	case chain.Outcome.Done():
		return o.phase
	case o.isCorrection():
		return o.nextCorrectionPhase(chain)
	case chain.Conflict():
		return o.phase
	case kind == KindForward && o.phase == phaseSingle:
		if burnt || senderUnavailable(chain.Status) || chain.Status == ledger.TransferExceedsCredits {
			return phaseCorrection
		}
	case kind == KindFulfill && chain.Status == ledger.TransferPendingTransferExpired:
		return phaseCorrection
	case !kind.beginsPacket() && burnt:
		return o.phase.nextAttempt()
	}
	return o.phase
}

// senderUnavailable reports whether a leg was refused, and its id burnt, since its debit account
// is closed or not there.
func senderUnavailable(s ledger.CreateTransferStatus) bool {
	return s == ledger.TransferDebitAccountAlreadyClosed || s == ledger.TransferDebitAccountNotFound
}

// exclusivelyOurs reports whether nobody but this operation can mean the hold: its id was drawn
// for it. Whoever else knows a packet's id may have prepared it before, or may do so
// now, and forward the packet on the strength of that.
func (o *operation) exclusivelyOurs(outcome ledger.Outcome) bool {
	return o.generatedID && outcome.Done()
}

// setResult fills in the answer.
func (o *operation) setResult(chain ledger.Chain, timestamp uint64, waited time.Duration) {
	s := o.slot
	s.outcome = chain.Outcome
	if s.outcome.Done() {
		s.timestamp, s.late = timestamp, o.isCorrection()
		if o.kind == KindPrepare && waited >= o.packet.Hold {
			s.err = wrapError(o.kind, o.packet.ID, ErrHoldExpired)
		}
		return
	}
	reason := refusalError(o.kind, chain)
	if reason == nil {
		s.outcome = ledger.OutcomeAlreadyApplied
		return
	}
	id := transferID(o.packet.ID, o.legNumber(chain.Breaker), o.phase)
	s.err = &RefusedError{
		Kind: o.kind, Packet: o.packet.ID, From: o.packet.From, To: o.packet.To,
		Cause: reason, Transfer: ledger.TransferError{ID: id, Status: chain.Status},
	}
}

// refusalError is what a chain's refusal means for the packet; nil if the packet is
// already as the operation wants it.
func refusalError(kind Kind, chain ledger.Chain) error {
	if chain.Conflict() {
		return ledger.ErrIDConflict
	}
	switch chain.Status { //nolint:exhaustive // the others cannot be told apart by the caller's next step
	case ledger.TransferPendingTransferAlreadyPosted:
		if kind == KindFulfill {
			return nil
		}
		return ErrPacketConflict
	case ledger.TransferPendingTransferAlreadyVoided:
		if kind == KindReject {
			return nil
		}
		return ErrPacketConflict
	case ledger.TransferPendingTransferExpired:
		return nil // of a reject: what it wants is what expiry did. A fulfill goes on
	case ledger.TransferPendingTransferNotFound:
		return ErrUnknownPacket
	case ledger.TransferPendingTransferHasDifferentDebitAccountID, ledger.TransferPendingTransferHasDifferentCreditAccountID,
		ledger.TransferPendingTransferHasDifferentLedger, ledger.TransferPendingTransferHasDifferentCode,
		ledger.TransferExceedsPendingTransferAmount, ledger.TransferPendingTransferHasDifferentAmount:
		return ledger.ErrIDConflict
	case ledger.TransferExceedsCredits, ledger.TransferExceedsDebits:
		return ErrCreditLine
	case ledger.TransferDebitAccountAlreadyClosed, ledger.TransferCreditAccountAlreadyClosed:
		return accounts.ErrPeerClosed
	case ledger.TransferDebitAccountNotFound, ledger.TransferCreditAccountNotFound:
		return accounts.ErrNotProvisioned
	case ledger.TransferIDAlreadyFailed:
		return ledger.ErrIDSpent
	default:
		return ledger.ErrRefused
	}
}

// endUnanswered ends an operation without an answer; closed says that the recorder is.
func (o *operation) endUnanswered(cause error, closed bool) {
	o.unanswered = true
	err := cause
	switch {
	case o.voiding: // its caller has an answer
		return
	case o.sent:
		if o.slot.outcome, err = ledger.OutcomeUnknown, wrapUnknown(cause); closed {
			err = fmt.Errorf("the recorder was closed before the answer came: %w", err)
		}
	case o.journalPos != 0:
		o.slot.outcome, err = ledger.OutcomeUnknown, fmt.Errorf("%w: not sent, and left in the journal: %w", ledger.ErrOutcomeUnknown, cause)
	case closed:
		o.slot.outcome, err = ledger.OutcomeRefused, fmt.Errorf("%w: %w", ErrRecorderClosed, cause)
	default:
		o.slot.outcome = ledger.OutcomeRefused
	}
	o.slot.err = wrapError(o.kind, o.packet.ID, err)
	o.slot.markAnswered()
}

// wrapUnknown is cause, matching ledger.ErrOutcomeUnknown.
func wrapUnknown(cause error) error {
	if errors.Is(cause, ledger.ErrOutcomeUnknown) {
		return cause
	}
	return fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, cause)
}
