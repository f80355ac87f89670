package accounts

import (
	"encoding/binary"
	"math/big"
	"time"

	"github.com/peerledger/peerledger/internal/chart"
	"github.com/peerledger/peerledger/ledger"
)

// kindsByCode are those of the codes of transfers.
var kindsByCode = map[uint16]EntryKind{
	chart.CodePacket: EntryPacket, chart.CodeFee: EntryFee, chart.CodeConversion: EntryConversion,
	chart.CodeDustLeg: EntryDust, chart.CodeCorrection: EntryCorrection, chart.CodeAdjust: EntryCorrection,
	chart.CodeOrder: EntrySettlement, chart.CodeIncoming: EntrySettlement, chart.CodeVoucher: EntrySettlement,
	chart.CodeOverpaid: EntrySettlement, chart.CodeOutgoing: EntryByHand, chart.CodeReturned: EntryReturned,
	chart.CodeGrant: EntryCreditLine, chart.CodeFund: EntryFunding,
}

// newEntry reads a transfer on the account, without the balances after it.
func (s *Statement) newEntry(row *statementRow) Entry {
	e := Entry{
		Time: time.Unix(0, int64(row.Timestamp)).UTC(), Transfer: row.ID, Code: row.Code,
		Kind: kindsByCode[row.Code], Amount: s.positionChange(row), Counterparty: s.counterpartyOf(row.Transfer),
	}
	if e.Kind == "" {
		e.Kind = EntryOther
	}
	switch {
	case row.Code == chart.CodeCorrection && row.named.Code == chart.CodeOrder, row.Code == chart.CodeOverpaid:
		e.Kind, e.Order = EntrySettlement, ledger.ID(row.UserData128)
	case row.Code <= chart.CodeCorrection:
		e.Packet, e.Late = ledger.ID(row.UserData128), row.Code == chart.CodeCorrection
		binary.BigEndian.PutUint64(e.ConditionTag[:], row.UserData64)
	case row.Code == chart.CodeOrder:
		if e.Order = row.PendingID; e.Order.IsZero() {
			e.Order = row.ID
		}
	case row.Code == chart.CodeAdjust:
		s.readAdjustment(&e, row)
	case row.Code == chart.CodeGrant:
		e.ReasonCode = row.UserData32
	}
	if row.Flags.Has(ledger.TransferPending) {
		e.Kind, e.Held = EntryHold, s.signedAmount(row.Transfer)
	}
	e.Direction, e.KeyHash = s.entryDirection(row, e.Kind), s.keyHash(row)
	e.Key = s.keysByHash[e.KeyHash]
	return e
}

// entryDirection is which way the value of a transfer went. What a packet takes from the peer comes
// in; what a payment gives to it came in.
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
	case row.Code <= chart.CodeCorrection:
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

// keyHash is what a transfer carries of the key that it was booked under.
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

// readAdjustment tells what code 31 is used for. An adjustment names its key in
// user_data_128. What ClosePeer writes off names nothing, in all versions; one of arrears
// is the only thing that credits them from suspense. What is given back to a reopened peer
// names the payment, which is the settlement that the peer made.
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

// positionChange is what a transfer changes the position by: nothing if it holds, moves the credit
// line, or collects arrears.
func (s *Statement) positionChange(row *statementRow) *big.Int {
	if row.Flags.Has(ledger.TransferPending) || s.movesLine(row.Transfer) || row.Code == chart.CodeCollection {
		return new(big.Int)
	}
	return s.signedAmount(row.Transfer)
}

// signedAmount is a transfer's amount, above 0 if it is to the peer.
func (s *Statement) signedAmount(row *ledger.Transfer) *big.Int {
	signed := row.Amount.Big()
	if s.isOurs(row.DebitAccountID) {
		signed.Neg(signed)
	}
	return signed
}

// movesLine reports whether a transfer is between the peer and its credit line.
func (s *Statement) movesLine(row *ledger.Transfer) bool {
	return !s.Account.IsOwn() && (row.DebitAccountID == s.ids.Line || row.CreditAccountID == s.ids.Line)
}

func (s *Statement) counterpartyOf(row *ledger.Transfer) Counterparty {
	other := row.DebitAccountID
	if s.isOurs(other) {
		other = row.CreditAccountID
	}
	if kind, known := s.accountKinds[other]; known {
		return Counterparty{ID: other, Kind: kind}
	}
	return Counterparty{ID: other, Kind: peerKind, Peer: s.peerNames[other]}
}
