package accounts

import (
	"encoding/binary"
	"math/big"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// kindsByCode are the kinds of entries by transfer code.
var kindsByCode = map[uint16]EntryKind{
	chart.CodePacket: EntryPacket, chart.CodeFee: EntryFee, chart.CodeConversion: EntryConversion,
	chart.CodeDustLeg: EntryDust, chart.CodeCorrection: EntryCorrection, chart.CodeAdjust: EntryCorrection,
	chart.CodeOrder: EntrySettlement, chart.CodeIncoming: EntrySettlement, chart.CodeVoucher: EntrySettlement,
	chart.CodeOverpaid: EntrySettlement, chart.CodeOutgoing: EntryByHand, chart.CodeReturned: EntryReturned,
	chart.CodeGrant: EntryCreditLine, chart.CodeFund: EntryFunding,
}

// newEntry makes an entry of a transfer, without the balances after it.
func (s *Statement) newEntry(row *statementRow) Entry {
	e := Entry{
		Time: timeOf(row.Timestamp), Transfer: row.ID, Code: row.Code,
		Kind: kindsByCode[row.Code], Amount: s.positionChange(row), Counterparty: s.counterpartyOf(row.Transfer),
	}
	if e.Kind == "" {
		e.Kind = EntryOther
	}
	switch {
	case s.crossesTransit(row.Transfer):
		e.Kind, e.Journal, e.Round, e.Late = EntryRound, row.UserData64, uint64(row.UserData32), row.Code == chart.CodeCorrection
	case row.Code == chart.CodeCorrection && row.named.Code == chart.CodeOrder, row.Code == chart.CodeOverpaid:
		e.Kind, e.Order = EntrySettlement, ledger.ID(row.UserData128)
	case s.releasesRound(row):
		e.Journal, e.Round = row.UserData64, uint64(row.UserData32)
	case row.Code <= chart.CodeCorrection:
		e.Packet, e.Late = ledger.ID(row.UserData128), row.Code == chart.CodeCorrection
		binary.BigEndian.PutUint64(e.ConditionTag[:], row.UserData64)
	case row.Code == chart.CodeOrder:
		if e.Order = row.PendingID; e.Order.IsZero() {
			e.Order = row.ID
		}
	case row.Code == chart.CodeAdjust:
		s.readAdjustment(&e, row)
	case row.Code == chart.CodeGrant, row.Code == chart.CodeFund:
		e.ReasonCode = row.UserData32
	}
	if row.Flags.Has(ledger.TransferPending) {
		e.Kind, e.Held = EntryHold, s.signedAmount(row.Transfer)
	}
	e.Direction, e.KeyHash = s.entryDirection(row, e.Kind), s.keyHash(row)
	e.Key = s.keysByHash[e.KeyHash]
	return e
}

// entryDirection returns the direction of a transfer. A packet that debits the peer comes in, and
// so does a payment that credits the peer.
func (s *Statement) entryDirection(row *statementRow, kind EntryKind) Direction {
	credits := s.signedAmount(row.Transfer).Sign() > 0
	switch {
	case kind == EntryOther || row.Amount.IsZero():
		return ""
	case s.Account.IsOwn():
		if row.Code == chart.CodeAdjust {
			return ""
		}
		return directionOf(credits)
	case kind == EntrySettlement, kind == EntryByHand, kind == EntryReturned, row.Code == chart.CodeOrder:
		return directionOf(credits)
	case kind == EntryRound, row.Code <= chart.CodeCorrection:
		return directionOf(!credits)
	default:
		return ""
	}
}

func directionOf(in bool) Direction {
	if in {
		return DirectionIn
	}
	return DirectionOut
}

// keyHash returns the hash of the key under which a transfer was booked.
func (s *Statement) keyHash(row *statementRow) ledger.ID {
	switch row.Code {
	case chart.CodeIncoming, chart.CodeOutgoing, chart.CodeReturned, chart.CodeFund:
		return ledger.ID(row.UserData128)
	case chart.CodeAdjust:
		switch {
		case row.named.ID.IsZero():
			return ledger.ID(row.UserData128)
		case row.named.Code == chart.CodeIncoming:
			return ledger.ID(row.named.UserData128)
		}
	}
	return ledger.ID{}
}

// readAdjustment sorts out the uses of code 31. An adjustment has the hash of its key in
// user_data_128. A write-off of [Book.ClosePeer] has 0 there, in all versions. Only the write-off
// of arrears credits arrears from suspense. A release to a reopened peer names the payment in
// user_data_128: it is the settlement made by the peer.
func (s *Statement) readAdjustment(e *Entry, row *statementRow) {
	switch {
	case row.UserData128.IsZero(), row.CreditAccountID == s.ids.Arrears:
		e.Kind, e.ReasonCode = EntryWriteOff, row.UserData32
	case row.named.DebitAccountID == s.ids.Settlement && !row.named.ID.IsZero():
		e.Kind = EntrySettlement
	default:
		e.ReasonCode = row.UserData32
		binary.BigEndian.PutUint64(e.ConditionTag[:], row.UserData64)
	}
}

// positionChange returns the change of the position by a transfer: 0 for a hold, a change of the
// credit line, or a collection of arrears.
func (s *Statement) positionChange(row *statementRow) *big.Int {
	if row.Flags.Has(ledger.TransferPending) || s.movesLine(row.Transfer) || row.Code == chart.CodeCollection {
		return new(big.Int)
	}
	return s.signedAmount(row.Transfer)
}

// signedAmount returns a transfer's amount, above 0 for a credit to the peer.
func (s *Statement) signedAmount(row *ledger.Transfer) *big.Int {
	signed := row.Amount.Big()
	if s.isOurs(row.DebitAccountID) {
		signed.Neg(signed)
	}
	return signed
}

// movesLine reports whether a transfer is between the peer account and the line account.
func (s *Statement) movesLine(row *ledger.Transfer) bool {
	return !s.Account.IsOwn() && (row.DebitAccountID == s.ids.Line || row.CreditAccountID == s.ids.Line)
}

func (s *Statement) counterpartyOf(row *ledger.Transfer) Counterparty {
	other := row.DebitAccountID
	if s.isOurs(other) {
		other = row.CreditAccountID
	}
	if kind, known := s.accountKinds[other]; known {
		return Counterparty{ID: other, AccountKind: kind}
	}
	return Counterparty{ID: other, AccountKind: peerKind, Peer: s.peerNames[other]}
}
