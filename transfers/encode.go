package transfers

import (
	"encoding/binary"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// appendTransfers appends the transfers of the operation's next request, linked into one
// chain.
func (o *operation) appendTransfers(dst []ledger.Transfer) []ledger.Transfer {
	var array [maxLegs]leg
	first, legs := len(dst), o.appendLegs(array[:0])
	if len(legs) == 0 {
		return dst // in the batch only to be verified
	}
	if o.isCorrection() {
		dst = o.appendCorrection(dst, legs)
	} else {
		for i := range legs {
			dst = o.appendLegTransfer(dst, &legs[i])
		}
	}
	if o.sendKind().beginsPacket() || o.isCorrection() {
		dst[first].UserData32 = hashLegs(legs)
	}
	dst[len(dst)-1].Flags &^= ledger.TransferLinked
	return dst
}

// appendLegTransfer appends the transfer of one leg, of an operation that is no correction.
func (o *operation) appendLegTransfer(dst []ledger.Transfer, l *leg) []ledger.Transfer {
	dst = append(dst, ledger.Transfer{
		ID: transferID(o.packet.ID, l.number, o.phase), DebitAccountID: l.debit, CreditAccountID: l.credit,
		Amount: ledger.NewAmount(l.amount), Ledger: l.ledger, Code: l.code, Flags: ledger.TransferLinked,
	})
	t := &dst[len(dst)-1]
	switch o.sendKind() {
	case KindPrepare:
		t.Flags |= ledger.TransferPending
		t.Timeout = uint32(o.packet.Hold / time.Second)
		setPacketData(t, &o.packet)
	case KindForward:
		setPacketData(t, &o.packet)
	case KindFulfill:
		// The whole amount that the leg holds. It is the packet's: see verify.go.
		t.Flags |= ledger.TransferPostPending
		t.Amount = ledger.AmountMax
		t.PendingID = transferID(o.packet.ID, l.number, phaseHold)
	case KindReject:
		t.Flags |= ledger.TransferVoidPending
		t.PendingID = transferID(o.packet.ID, l.number, phaseHold)
	}
	return dst
}

// setPacketData writes the packet's id and condition into a transfer. A post or void inherits
// them from the transfer that it resolves.
func setPacketData(t *ledger.Transfer, p *Packet) {
	t.UserData128 = uint128.Uint128(p.ID)
	t.UserData64 = binary.BigEndian.Uint64(p.Condition[:8])
}
