package transfers

import (
	"errors"
	"fmt"
	"time"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/ledger"
)

// handleResults handles the ledger's results of an operation's chain. waited is the time
// since the request was sent first. It returns true if the operation must be sent again:
// under another phase, or to void the hold of a prepare whose caller has gone.
func (o *operation) handleResults(results []ledger.CreateTransferResult, waited time.Duration) (mustResend bool) {
	chain := ledger.ChainOutcome(results)
	if next := o.nextPhase(chain); next != o.phase {
		o.phase, o.sent = next, false
		return true
	}
	if o.voiding {
		// The prepare keeps its own result. A refused void leaves the hold to its timeout.
		o.unanswered = !chain.Outcome.Done() && refusalError(KindReject, chain) != nil
		return false
	}
	o.setResult(chain, results[0].Timestamp, waited)
	if o.kind != KindPrepare || o.slot.markAnswered() || !o.exclusivelyOurs(chain.Outcome) {
		return false
	}
	o.voiding, o.phase, o.sent = true, phaseVoid, false
	return true
}

// nextPhase returns the phase to resend an operation under after a refusal, or the
// operation's own phase if the answer is final.
func (o *operation) nextPhase(chain ledger.Chain) phase {
	isBurnt := chain.Status == ledger.TransferIDAlreadyFailed
	switch kind := o.sendKind(); {
	case chain.Outcome.Done():
		return o.phase
	case o.isCorrection():
		return o.nextCorrectionPhase(chain)
	case chain.Conflict():
		return o.phase
	case kind == KindForward && o.phase == phaseSingle:
		if isBurnt || senderUnavailable(chain.Status) || chain.Status == ledger.TransferExceedsCredits {
			return phaseCorrection
		}
	case kind == KindFulfill && chain.Status == ledger.TransferPendingTransferExpired:
		return phaseCorrection
	case !kind.beginsPacket() && isBurnt:
		return o.phase.nextAttempt()
	}
	return o.phase
}

// senderUnavailable reports whether a leg was refused, and its id burnt, because its debit
// account is closed or missing.
func senderUnavailable(s ledger.CreateTransferStatus) bool {
	return s == ledger.TransferDebitAccountAlreadyClosed || s == ledger.TransferDebitAccountNotFound
}

// exclusivelyOurs reports whether an applied prepare's hold can be voided without its
// caller: the recorder generated the packet's id for it. A program that gave the id itself
// may have prepared the packet before, or may prepare it again, and forward it.
func (o *operation) exclusivelyOurs(outcome ledger.Outcome) bool {
	return o.generatedID && outcome.Done()
}

// setResult writes the answer into the operation's slot.
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
	cause := refusalError(o.kind, chain)
	if cause == nil {
		s.outcome = ledger.OutcomeAlreadyApplied
		return
	}
	id := transferID(o.packet.ID, o.legNumber(chain.Breaker), o.phase)
	s.err = o.newRefusedError(cause, ledger.TransferError{ID: id, Status: chain.Status})
}

func (o *operation) newRefusedError(cause error, transfer ledger.TransferError) *RefusedError {
	p := &o.packet
	return &RefusedError{Kind: o.kind, Packet: p.ID, From: p.From, To: p.To, Cause: cause, TransferErr: transfer}
}

// refusalError returns the cause of a [RefusedError] for a refused chain; nil if the packet
// is already as the operation wants it.
func refusalError(kind Kind, chain ledger.Chain) error {
	if chain.Conflict() {
		return ledger.ErrIDConflict
	}
	switch chain.Status { //nolint:exhaustive // the caller's next step is the same after all others
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
		return nil // of a reject: the expiry has released the hold. A fulfill goes on as a correction
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
		return ledger.ErrIDBurnt
	default:
		return ledger.ErrRefused
	}
}

// refuseUnsent refuses an operation before it was sent.
func (o *operation) refuseUnsent(err error) {
	o.slot.outcome, o.slot.err = ledger.OutcomeRefused, wrapError(o.kind, o.packet.ID, err)
	o.slot.markAnswered()
}

// endUnanswered ends an operation that the ledger has not answered.
func (o *operation) endUnanswered(cause error, recorderClosed bool) {
	o.unanswered = true
	err := cause
	switch {
	case o.voiding: // its caller has an answer
		return
	case o.sent:
		if o.slot.outcome, err = ledger.OutcomeUnknown, wrapUnknown(cause); recorderClosed {
			err = fmt.Errorf("the recorder was closed before the answer came: %w", err)
		}
	case o.journalPos != 0:
		o.slot.outcome, err = ledger.OutcomeUnknown, fmt.Errorf("%w: not sent, and left in the journal: %w", ledger.ErrOutcomeUnknown, cause)
	case recorderClosed:
		o.slot.outcome, err = ledger.OutcomeRefused, fmt.Errorf("%w: %w", ErrRecorderClosed, cause)
	default:
		o.slot.outcome = ledger.OutcomeRefused
	}
	o.slot.err = wrapError(o.kind, o.packet.ID, err)
	o.slot.markAnswered()
}

// wrapUnknown returns cause, wrapped if needed to match [ledger.ErrOutcomeUnknown].
func wrapUnknown(cause error) error {
	if errors.Is(cause, ledger.ErrOutcomeUnknown) {
		return cause
	}
	return fmt.Errorf("%w: %w", ledger.ErrOutcomeUnknown, cause)
}
