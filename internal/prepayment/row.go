package prepayment

import (
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// row is a transfer of a peer, other than a packet.
type row struct {
	ledger.Transfer

	onPeer bool // on the peer account; else on the arrears account
	debit  bool // of that account
	// totals of the peer account: right after the row for a row on the peer account, right before
	// the row for a row on arrears. Among rows on arrears, only an in and an out have totals.
	totals Totals
	// collectsExcess is true if the row collects a rail's payment beyond an order, in the way of
	// the versions before arrears.
	collectsExcess bool
}

// event is the kind of change of a row to the [Split]. There is no event for earned amounts: they
// are the growth of the peer account's totals between two rows (state.applyPackets).
type event uint8

const (
	eventNone event = iota
	eventSend
	eventIn
	eventOut
)

// classifyEvent returns the kind of event of the row.
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
		// Only debits are read, and only at the first reading of a peer (selectStreams). Older
		// versions collected an excess by a correction; every other correction is of a packet.
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

// totalsBefore returns the totals of the peer account before a row on it.
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
