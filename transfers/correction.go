package transfers

import (
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// What came too late, or was too much for the sender's line, is booked by a correction: a
// chain that no credit line can refuse. The sender's arrears account stands in the sender's
// place, and leg 15 charges the sender's account as much of the arrears as it has. Only a
// closed account can refuse a correction: the sender's refuses leg 15, the receiver's the
// legs to the receiver. So there are four, each under a phase of its own:
//
//	 4  with leg 15, to the receiver
//	 5  without leg 15, to the receiver
//	14  with leg 15, to suspense in the receiver's place
//	15  without leg 15, to suspense in the receiver's place
//
// A forward has the first two only: if its receiver is closed, it is refused.
//
// Every recorder tries them in this order. It goes on to the next one only when a leg of
// this one was refused in a way that burns the leg's id, now or before
// (id_already_failed). A burnt id is never accepted again, and a chain is applied whole or
// not at all, so this one is not in the books and never will be. It follows that:
//
//   - At most one of the four is ever applied. Let k be applied. Whoever sends one behind k
//     has seen a burnt id in k, so nobody does; and nobody would have sent k, had not each
//     one before k been dead.
//   - It does not matter which accounts are closed and opened again between the attempts of
//     two recorders, nor which of them crash or lose answers. What a recorder knows is
//     in the ledger. The next one begins with the first phase, and meets the same burnt ids,
//     or `exists` in the phase that was applied.
//   - A fulfill is never lost: nothing can refuse the last one.
//
// A jump over a phase would not be safe, although it looks shorter. Say that the sender is
// closed: one recorder is refused leg 15 under phase 4, and goes on to 5. Then the sender is opened and
// the receiver is closed: another recorder is refused leg 0 under phase 4, and jumps to
// 14. When the receiver is opened, both 5 and 14 are accepted.
//
// The price is that a phase can book with less than the moment allows: 5 may find the
// sender open again. The arrears are then collected by the settlement engine's next round.
// Likewise 14 and 15 may find the receiver open again: its part waits in suspense.
//
// Release of the receiver's part: a transfer of code 5 to suspense whose user_data_128 is
// a packet's id, under phase 14 or 15, is what a closed receiver has earned. The
// packet's hold (same id with phase 0 in the low 4 bits, so of the same leg) names the
// receiver's account as its credit account.

// corrections are the phases of corrections, in the order in which they are tried.
var corrections = [...]phase{phaseCorrection, phaseWithoutSender, phaseWithoutReceiver, phaseWithoutBoth}

// isCorrection reports whether it is sent as a correction of what came too late.
func (o *operation) isCorrection() bool {
	return o.phase >= phaseCorrection && o.phase <= phaseWithoutSender || o.phase >= phaseWithoutReceiver
}

// chargesSender reports whether a correction charges the sender with what it owes. We have no
// arrears to ourselves.
func (o *operation) chargesSender() bool {
	with := o.phase == phaseCorrection || o.phase == phaseWithoutReceiver || o.phase == phaseCorrection|asOlder
	return with && !o.packet.From.IsOwn()
}

// debitsArrears reports whether a correction debits the sender's arrears account.
func (o *operation) debitsArrears() bool { return o.isCorrection() && !o.packet.From.IsOwn() }

// nextCorrectionPhase is the phase that a correction goes on under after a refusal, its own if
// the answer is final.
func (o *operation) nextCorrectionPhase(chain ledger.Chain) phase {
	if o.phase >= asOlder {
		return o.phase
	}
	// Versions before arrears had suspense in the sender's place, and phases 4 and 5 only.
	if chain.Breaker == 0 && chain.Status == ledger.TransferExistsWithDifferentDebitAccountID && o.phase <= phaseWithoutSender {
		return o.phase | asOlder
	}
	if !o.neverApplied(chain) {
		return o.phase
	}
	for i, ph := range corrections[:len(corrections)-1] {
		next := corrections[i+1]
		if ph == o.phase && (o.kind == KindFulfill || next == phaseWithoutSender) {
			return next
		}
	}
	return o.phase
}

// neverApplied reports whether a correction was refused by a closed account, or has a burnt
// id. A missing account counts only where it may be missing: a sender that nobody
// provisioned cannot be charged. Its arrears account is seen to before (see arrears_accounts.go).
func (o *operation) neverApplied(chain ledger.Chain) bool {
	switch chain.Status { //nolint:exhaustive // no other status burns an id of a correction
	case ledger.TransferIDAlreadyFailed,
		ledger.TransferDebitAccountAlreadyClosed, ledger.TransferCreditAccountAlreadyClosed:
		return true
	case ledger.TransferDebitAccountNotFound:
		return o.chargesSender() && chain.Breaker == int(o.legCount)
	default:
		return false
	}
}

// appendCorrection appends a chain that no credit line can refuse.
func (o *operation) appendCorrection(dst []ledger.Transfer, legs []leg) []ledger.Transfer {
	p := &o.packet
	add := func(l leg, code uint16, amount ledger.Amount, flags ledger.TransferFlags) {
		dst = append(dst, ledger.Transfer{
			ID: transferID(p.ID, l.number, o.phase), DebitAccountID: l.debit, CreditAccountID: l.credit,
			Amount: amount, Ledger: l.ledger, Code: code, Flags: ledger.TransferLinked | flags,
		})
		setPacketData(&dst[len(dst)-1], p)
	}
	var arrears ledger.ID
	if o.debitsArrears() {
		arrears = o.fromAsset.book.PeerIDs(p.From).Arrears
	}
	for _, l := range legs {
		add(o.correctLeg(l, arrears), chart.CodeCorrection, ledger.NewAmount(l.amount), 0)
	}
	if o.chargesSender() {
		collect := leg{debit: p.From.ID(), credit: arrears, ledger: p.From.Ledger(), number: legCollect}
		add(collect, chart.CodeCollection, ledger.AmountMax, ledger.TransferBalancingDebit|ledger.TransferBalancingCredit)
	}
	return dst
}

// correctLeg is a leg with others in the place of the sender and of a closed receiver.
func (o *operation) correctLeg(l leg, arrears ledger.ID) leg {
	p := &o.packet
	if o.debitsArrears() && l.debit == p.From.ID() {
		if l.debit = arrears; o.phase >= asOlder {
			l.debit = o.fromAsset.ids.Suspense
		}
	}
	withoutReceiver := o.phase == phaseWithoutReceiver || o.phase == phaseWithoutBoth
	if withoutReceiver && !p.To.IsOwn() && l.credit == p.To.ID() {
		l.credit = o.toAsset.ids.Suspense
	}
	return l
}

// arrearsSenders are the senders of those among the operations that debit arrears.
func arrearsSenders(operations []*operation) []accounts.PeerAccount {
	var all []accounts.PeerAccount
	for _, o := range operations {
		if o.debitsArrears() {
			all = append(all, o.packet.From)
		}
	}
	return all
}
