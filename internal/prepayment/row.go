package prepayment

import (
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// row is a transfer of a peer that is no packet.
type row struct {
	ledger.Transfer

	onPeer bool // it debits or credits the peer account; else the arrears account
	debit  bool // it debits that account
	// totals are the peer account's. A row on the peer account has those right after the row. A
	// row on arrears has those right before the row, and only if it is an in or an out.
	totals Totals
	// excess says that the row collects what a rail paid beyond an order, in the way of the
	// versions before arrears.
	excess bool
}

// event is what a row does to the Split.
type event uint8

const (
	eventNone event = iota
	eventSend
	eventIn
	eventOut
)

// kind is the event that a row is.
func (r *row) kind() event {
	switch {
	case r.Flags.Has(ledger.TransferPending), r.Flags.Has(ledger.TransferVoidPending):
		return eventNone
	case r.onPeer:
		return r.kindOnPeer()
	default:
		return r.kindOnArrears()
	}
}

func (r *row) kindOnPeer() event {
	switch r.Code {
	case chart.CodeOrder, chart.CodeOutgoing:
		return eventOut
	case chart.CodeIncoming, chart.CodeVoucher:
		return eventIn
	case chart.CodeAdjust:
		if r.debit {
			return eventSend
		}
		return eventIn
	case chart.CodeCorrection:
		if r.excess {
			return eventOut
		}
		return eventSend
	default: // changes of the line, collections
		return eventNone
	}
}

func (r *row) kindOnArrears() event {
	switch {
	case r.debit && (r.Code == chart.CodeOutgoing || r.Code == chart.CodeOverpaid):
		return eventOut
	case r.debit:
		return eventSend
	case r.Code == chart.CodeCollection:
		return eventNone
	default: // a write-off
		return eventIn
	}
}

// before are the totals of the peer account before a row on it.
func (r *row) before() Totals {
	switch {
	case r.Flags.Has(ledger.TransferPending), r.Flags.Has(ledger.TransferVoidPending):
		return r.totals
	case r.debit:
		return Totals{r.totals.Debits.SubFloor(r.Amount), r.totals.Credits}
	default:
		return Totals{r.totals.Debits, r.totals.Credits.SubFloor(r.Amount)}
	}
}
