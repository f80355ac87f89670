package transfers

import (
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
	// Timestamp is the ledger's, of the transfer that this operation made for the
	// packet's first leg, in nanoseconds since the Unix epoch. 0 if there is none:
	// a packet without amounts, or one that was resolved in another way before.
	Timestamp uint64
	// Err is nil if the operation is in the books, else a *RefusedError or what
	// Submit and Record return.
	Err error
}

// wrap says of which operation an error is.
func (r *Result) wrap(err error) error {
	return fmt.Errorf("%v of packet %v: %w", r.Kind, r.Packet.ID, err)
}

// notRecorded is the result of an operation that was not handed over.
func notRecorded(op Op, err error) Result {
	return Result{Kind: op.Kind, Packet: op.Packet, Outcome: ledger.OutcomeRefused, Err: err}
}

// resolve reads the answers to an operation's chain. It reports whether the
// operation must go on: under the next attempt's ids, or to give back what a
// prepare holds for a caller that is gone.
func (p *pending) resolve(answers []ledger.CreateTransferResult, now time.Time) (again bool) {
	chain, kind := ledger.ChainOutcome(answers), p.kind()
	if !kind.begins() && chain.Status == ledger.TransferIDAlreadyFailed && p.attempt+1 < attempts {
		p.attempt++
		return true
	}
	if p.giveBack {
		return false // its own result stays; what is held now ends with the hold's timeout
	}
	p.read(chain, answers[0].Timestamp, now)
	if p.answer() || kind != KindPrepare || !p.ours(chain.Outcome) {
		return false
	}
	p.giveBack, p.handed = true, false
	return true
}

// ours reports whether nobody but this operation can mean the hold. Whoever else
// knows the packet's id may have prepared it before, or may do so now, and forward
// the packet on the strength of that.
func (p *pending) ours(outcome ledger.Outcome) bool {
	return p.drawn && (outcome == ledger.OutcomeApplied || (outcome == ledger.OutcomeAlreadyApplied && p.handed))
}

// read fills in the result.
func (p *pending) read(chain ledger.Chain, timestamp uint64, now time.Time) {
	r := &p.result
	r.Outcome = chain.Outcome
	if r.Outcome.Done() {
		r.Timestamp = timestamp
		if p.handed && p.lapsed(now) {
			r.Err = r.wrap(ErrHoldExpired)
		}
		return
	}
	reason := refusal(r.Kind, chain)
	if reason == nil {
		r.Outcome = ledger.OutcomeAlreadyApplied
		return
	}
	number := uint8(0)
	if chain.Breaker >= 0 {
		number = p.legs[chain.Breaker].number
	}
	id := transferID(r.Packet.ID, number, phaseOf(r.Kind, p.attempt))
	r.Err = &RefusedError{
		Kind: r.Kind, Packet: r.Packet.ID, From: r.Packet.From, To: r.Packet.To,
		Reason: reason, Transfer: ledger.TransferError{ID: id, Status: chain.Status},
	}
}

// lapsed reports whether an applied prepare whose answer was lost has ended by now:
// its answer may have taken longer to come than its hold lasted.
func (p *pending) lapsed(now time.Time) bool {
	r := &p.result
	return r.Kind == KindPrepare && !time.Unix(0, int64(r.Timestamp)).Add(r.Packet.Hold).After(now)
}

// refusal is what a chain's refusal means for the packet; nil if the packet is
// already as the operation wants it.
func refusal(kind Kind, chain ledger.Chain) error {
	if chain.Conflict() {
		return ledger.ErrIDConflict
	}
	switch chain.Status { //nolint:exhaustive // the others cannot be told apart by the caller's next step
	case ledger.TransferPendingTransferAlreadyPosted:
		if kind == KindFulfill {
			return nil
		}
		return ErrResolvedOtherwise
	case ledger.TransferPendingTransferAlreadyVoided:
		if kind == KindReject {
			return nil
		}
		return ErrResolvedOtherwise
	case ledger.TransferPendingTransferExpired:
		if kind == KindReject {
			return nil
		}
		return ErrHoldExpired
	case ledger.TransferPendingTransferNotFound:
		return ErrUnknownPacket
	case ledger.TransferExceedsCredits, ledger.TransferExceedsDebits:
		return ErrCreditLine
	case ledger.TransferDebitAccountAlreadyClosed, ledger.TransferCreditAccountAlreadyClosed:
		return ErrAccountClosed
	case ledger.TransferDebitAccountNotFound, ledger.TransferCreditAccountNotFound:
		return accounts.ErrNotProvisioned
	case ledger.TransferIDAlreadyFailed:
		return ledger.ErrIDSpent
	default:
		return ledger.ErrRefused
	}
}
