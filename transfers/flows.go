package transfers

import "github.com/peerledger/peerledger/ledger"

// side is one of the two sides that a peer has in packets.
type side int

const (
	incoming side = iota // from the peer
	outgoing             // to the peer
)

// flows are those of both sides.
type flows [2]flow

// flow is what the recorder did with packets on one side of a peer, as sums of amounts
// since it began.
type flow struct {
	// What makes the room smaller. Late fulfills are among the admitted when they are
	// answered: their holds have expired, and may have done so before the look.
	admitted, answered ledger.Amount // prepares and forwards, let in and answered
	charging, charged  ledger.Amount // fulfills, handed over and answered
	fulfilling         ledger.Amount // fulfills without an answer, which may be late: now, not since it began

	// What makes it larger: holds of packets that this recorder had let in.
	voiding, voided ledger.Amount // given back: handed over, answered
	posting, posted ledger.Amount // posted in time
}

// fate is what became of an operation.
type fate struct {
	booked bool // it is in the books, or may be
	late   bool // and is a fulfill that was booked after its hold had expired, or may be
	gains  bool // it has resolved, now and in time, a hold that this recorder had let in
}

// count counts what was handed over as answered, or takes it back.
func count(handed, answered *ledger.Amount, amount ledger.Amount, counts bool) {
	if counts {
		add(answered, amount)
	} else {
		*handed = handed.SubFloor(amount)
	}
}

func add(total *ledger.Amount, amount ledger.Amount) { *total, _ = total.Add(amount) }

// sum is the largest amount if the sum does not fit.
func sum(amounts ...ledger.Amount) ledger.Amount {
	var total ledger.Amount
	for _, a := range amounts {
		next, fits := total.Add(a)
		if !fits {
			return ledger.AmountMax
		}
		total = next
	}
	return total
}
