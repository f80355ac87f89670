package transfers

import (
	"encoding/binary"
	"time"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// appendChain appends the transfers of one operation on a packet, linked into one
// chain. attempt counts the times that the ledger has burnt the ids of a post or
// void.
func appendChain(dst []ledger.Transfer, kind Kind, packet *Packet, legs []leg, attempt int) []ledger.Transfer {
	first := len(dst)
	ph := phaseOf(kind, attempt)
	for _, l := range legs {
		t := ledger.Transfer{
			ID: transferID(packet.ID, l.number, ph), DebitAccountID: l.debit, CreditAccountID: l.credit,
			Ledger: l.ledger, Code: l.code, Flags: ledger.TransferLinked,
		}
		switch kind {
		case KindPrepare:
			t.Flags |= ledger.TransferPending
			t.Timeout = uint32(packet.Hold / time.Second)
			describe(&t, packet, l)
		case KindForward:
			describe(&t, packet, l)
		case KindFulfill:
			// All that the leg holds, whatever the packet says now: it is what
			// the sender's line was checked for.
			t.Flags |= ledger.TransferPostPending
			t.Amount = ledger.AmountMax
			t.PendingID = transferID(packet.ID, l.number, phaseHold)
		case KindReject:
			t.Flags |= ledger.TransferVoidPending
			t.Amount = ledger.NewAmount(l.amount)
			t.PendingID = transferID(packet.ID, l.number, phaseHold)
		}
		dst = append(dst, t)
	}
	if kind.begins() {
		dst[first].UserData32 = hashLegs(legs)
	}
	dst[len(dst)-1].Flags &^= ledger.TransferLinked
	return dst
}

// describe says of which packet a transfer is. A post or void inherits it from
// the transfer that it resolves.
func describe(t *ledger.Transfer, p *Packet, l leg) {
	t.Amount = ledger.NewAmount(l.amount)
	t.UserData128 = uint128.Uint128(p.ID)
	t.UserData64 = binary.BigEndian.Uint64(p.Condition[:8])
}
