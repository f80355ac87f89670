package export

import (
	"encoding/binary"

	"github.com/peerledger/peerledger/accounts"
	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// entryKinds are the kinds of entries by transfer code, where the code alone decides.
var entryKinds = [chart.CodeCollection + 1]accounts.EntryKind{
	chart.CodePacket: accounts.EntryPacket, chart.CodeFee: accounts.EntryFee, chart.CodeConversion: accounts.EntryConversion,
	chart.CodeDustLeg: accounts.EntryDust, chart.CodeCorrection: accounts.EntryCorrection, chart.CodeReserve: accounts.EntryRound,
	chart.CodeRound: accounts.EntryRound, chart.CodeAdjust: accounts.EntryCorrection,
	chart.CodeOrder: accounts.EntrySettlement, chart.CodeIncoming: accounts.EntrySettlement, chart.CodeVoucher: accounts.EntrySettlement,
	chart.CodeOverpaid: accounts.EntrySettlement, chart.CodeOutgoing: accounts.EntryByHand, chart.CodeReturned: accounts.EntryReturned,
	chart.CodeGrant: accounts.EntryCreditLine, chart.CodeFund: accounts.EntryFunding, chart.CodeCollection: EntryCollection,
}

// describeRow sets the kind of an entry, and the fields that the row has for its kind, as in a
// statement. named is the transfer that the row names, if it was looked up; otherwise zero.
func (r *register) describeRow(e *Entry, row, named *ledger.Transfer) {
	e.Code, e.Kind = row.Code, accounts.EntryOther
	if int(row.Code) < len(entryKinds) && entryKinds[row.Code] != "" {
		e.Kind = entryKinds[row.Code]
	}
	switch {
	case e.Debit.Kind == KindTransit || e.Credit.Kind == KindTransit:
		e.Journal, e.Round, e.Late = row.UserData64, uint64(row.UserData32), row.Code == chart.CodeCorrection
		if e.Late {
			e.Kind = accounts.EntryRound
		}
	case row.Code == chart.CodeCorrection:
		r.describeCorrection(e, row, named)
	case row.Code < chart.CodeCorrection:
		setPacket(e, row)
	default:
		r.describeBooking(e, row, named)
	}
}

// setPacket sets the packet of its leg.
func setPacket(e *Entry, row *ledger.Transfer) {
	e.Packet = ledger.ID(row.UserData128)
	binary.BigEndian.PutUint64(e.ConditionTag[:], row.UserData64)
}

// describeCorrection sorts out the uses of code 5 outside of rounds: a version before arrears also booked
// rails' payments beyond an order with it, and a release of a round's earnings has it.
func (r *register) describeCorrection(e *Entry, row, named *ledger.Transfer) {
	switch {
	case named.Code == chart.CodeOrder:
		e.Kind, e.Order = accounts.EntrySettlement, named.ID
	case named.Code == chart.CodeCorrection && r.isKind(named.DebitAccountID, KindTransit):
		e.Journal, e.Round = row.UserData64, uint64(row.UserData32)
	default:
		e.Late = true
		setPacket(e, row)
	}
}

// describeBooking sets the fields of a payment, an adjustment or capital.
func (r *register) describeBooking(e *Entry, row, named *ledger.Transfer) {
	switch row.Code {
	case chart.CodeOrder:
		if e.Order = row.PendingID; e.Order.IsZero() {
			e.Order = row.ID
		}
	case chart.CodeOverpaid:
		e.Order = ledger.ID(row.UserData128)
	case chart.CodeIncoming, chart.CodeOutgoing, chart.CodeReturned:
		e.KeyHash = ledger.ID(row.UserData128)
	case chart.CodeFund:
		e.KeyHash, e.ReasonCode = ledger.ID(row.UserData128), row.UserData32
	case chart.CodeAdjust:
		r.describeAdjustment(e, row, named)
	}
}

// describeAdjustment sorts out the uses of code 31: see accounts.Statement. Only the write-off of
// arrears credits arrears from suspense, and a write-off of Book.ClosePeer has no key.
func (r *register) describeAdjustment(e *Entry, row, named *ledger.Transfer) {
	switch {
	case row.UserData128.IsZero(), e.Credit.Kind == KindArrears:
		e.Kind, e.KeyHash, e.ReasonCode = accounts.EntryWriteOff, ledger.ID(row.UserData128), row.UserData32
	case r.isKind(named.DebitAccountID, KindSettlement): // the release of a payment to a peer that was closed
		e.Kind = accounts.EntrySettlement
		if named.Code == chart.CodeIncoming {
			e.KeyHash = ledger.ID(named.UserData128)
		}
	default:
		e.KeyHash, e.ReasonCode = ledger.ID(row.UserData128), row.UserData32
		binary.BigEndian.PutUint64(e.ConditionTag[:], row.UserData64)
	}
}

// isKind reports whether an account is of a kind.
func (r *register) isKind(id ledger.ID, kind AccountKind) bool {
	account := r.byID.find(id)
	return account != nil && account.shown.Kind == kind
}
