package transfers

import (
	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// A correction books a fulfill that came too late, or a forward beyond the sender's line: a
// chain that no credit line can refuse. It debits the sender's arrears account in place of the
// sender, and leg 15 charges the sender's account as much of the arrears as the account has.
// Only a closed account can refuse a correction: a closed sender refuses leg 15, a closed
// receiver refuses the legs to it. So there are four corrections, under a phase each:
//
//	 4  phaseCorrection       with leg 15, to the receiver
//	 5  phaseWithoutSender    without leg 15, to the receiver
//	14  phaseWithoutReceiver  with leg 15, to suspense in place of the receiver
//	15  phaseWithoutBoth      without leg 15, to suspense in place of the receiver
//
// A forward has the first two only: if its receiver is closed, the forward is refused.
//
// Every recorder tries the corrections in this order. It goes on to the next phase only when
// a leg of the current phase was refused in a way that burns the leg's id, now or before
// (id_already_failed). The ledger never accepts a burnt id again, and applies a chain whole
// or not at all: so the current phase is not in the books and never will be. It follows:
//
//   - At most one of the four is ever applied. Let k be the applied phase. A recorder sends a
//     phase behind k only after a burnt id in k, and k has none. A recorder sends k only after
//     each phase before k was dead.
//   - Accounts may be closed and opened between the attempts of two recorders, and recorders
//     may crash or lose answers: all that a recorder must know is in the ledger. The next
//     recorder begins with the first phase, and meets the same burnt ids, or `exists` in the
//     applied phase.
//   - A fulfill is never lost: nothing can refuse phase 15.
//
// A recorder must not skip a phase, although the way would be shorter. Example: the sender is
// closed; one recorder is refused leg 15 under phase 4, and goes on to 5. Then the sender is
// opened and the receiver is closed: another recorder is refused leg 0 under phase 4, and
// skips to 14. When the receiver is opened, the ledger accepts both 5 and 14.
//
// The price: a phase may book less than the current state of the accounts would allow. When
// phase 5 is applied the sender may be open again: the settlement engine's next round collects
// the arrears. When phase 14 or 15 is applied the receiver may be open again: its amount waits
// in suspense.
//
// Release of the receiver's amount: a transfer of code 5 to suspense, whose user_data_128 is a
// packet's id, and whose own id has phase 14 or 15, is the income of a closed receiver. The
// packet's hold (the same id with phase 0 in the low 4 bits, so of the same leg) names the
// receiver's account as its credit account.

// corrections are the phases of corrections in the order of the attempts.
var corrections = [...]phase{phaseCorrection, phaseWithoutSender, phaseWithoutReceiver, phaseWithoutBoth}

// isCorrection reports whether the operation's next request is a correction.
func (o *operation) isCorrection() bool {
	return o.phase >= phaseCorrection && o.phase <= phaseWithoutSender || o.phase >= phaseWithoutReceiver
}

// chargesSender reports whether the operation is a correction with leg 15. A packet from
// ourselves has none: we have no arrears to ourselves.
func (o *operation) chargesSender() bool {
	hasLeg15 := o.phase == phaseCorrection || o.phase == phaseWithoutReceiver || o.phase == phaseCorrection|asOlder
	return hasLeg15 && !o.packet.From.IsOwn()
}

// debitsArrears reports whether the operation is a correction that debits the sender's arrears
// account.
func (o *operation) debitsArrears() bool { return o.isCorrection() && !o.packet.From.IsOwn() }

// nextCorrectionPhase returns the phase to resend a correction under after a refusal, or the
// correction's own phase if the answer is final.
func (o *operation) nextCorrectionPhase(chain ledger.Chain) phase {
	if o.phase >= asOlder {
		return o.phase
	}
	// Versions without arrears debited suspense in place of the sender, in phases 4 and 5 only.
	// The request is repeated in their form under the same ids (asOlder): the ledger answers
	// `exists` if an older version booked the fulfill, and else reports the conflict.
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

// neverApplied reports whether a correction is not in the books and never will be: a closed
// account refused it, or one of its ids is burnt. A missing account counts only in leg 15: a
// sender that was never provisioned cannot be charged. Its arrears account is created before
// the correction is sent; see arrears_accounts.go.
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

// appendCorrection appends the correction of the operation's phase.
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

// correctLeg returns a leg with the accounts that a correction has in place of the sender and
// of a closed receiver.
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

// arrearsSenders returns the senders whose arrears accounts the operations debit.
func arrearsSenders(operations []*operation) []accounts.PeerAccount {
	var senders []accounts.PeerAccount
	for _, o := range operations {
		if o.debitsArrears() {
			senders = append(senders, o.packet.From)
		}
	}
	return senders
}
