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
	// collectsExcess says that the row collects what a rail paid beyond an order, in the way of the
	// versions before arrears.
	collectsExcess bool
}

// event is what a row does to the Split.
type event uint8

const (
	eventNone event = iota
	eventSend
	eventIn
	eventOut
)

// classifyEvent is the event that a row is.
func (r *row) classifyEvent() event {
	switch {
	case r.Flags.Has(ledger.TransferPending), r.Flags.Has(ledger.TransferVoidPending):
		return eventNone
	case r.onPeer:
		return r.classifyOnPeer()
	default:
		return r.classifyOnArrears()
	}
}

func (r *row) classifyOnPeer() event {
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
		if r.collectsExcess {
			return eventOut
		}
		return eventSend
	default: // changes of the line, collections
		return eventNone
	}
}

func (r *row) classifyOnArrears() event {
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

// totalsBefore are the totals of the peer account before a row on it.
func (r *row) totalsBefore() Totals {
	switch {
	case r.Flags.Has(ledger.TransferPending), r.Flags.Has(ledger.TransferVoidPending):
		return r.totals
	case r.debit:
		return Totals{r.totals.Debits.SubFloor(r.Amount), r.totals.Credits}
	default:
		return Totals{r.totals.Debits, r.totals.Credits.SubFloor(r.Amount)}
	}
}
