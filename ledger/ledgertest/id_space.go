package ledgertest

import (
	"math/rand/v2"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

// idSpace is a range of ids and ledger numbers for one user of a ledger, so that many scenarios and
// programs share a ledger without meeting. Scenarios and programs are written with small ids and
// ledger numbers; sending an event maps them to the space.
type idSpace struct {
	idHigh       uint64 // high half of all ids, and of 128-bit user data
	ledgerOffset uint32 // added to ledger numbers
}

func newIDSpace() idSpace { return idSpace{rand.Uint64() | 1, rand.Uint32() >> 1} }

// mapID moves an id to the space; 0 and MAX stay the same.
func (m idSpace) mapID(id ledger.ID) ledger.ID {
	if !id.IsZero() && id != ledger.IDMax {
		id.Hi = m.idHigh
	}
	return id
}

func (m idSpace) mapLedger(n uint32) uint32 {
	if n == 0 {
		return 0
	}
	return m.ledgerOffset + n
}

// mapUserData moves user data, so that a query by user data finds only objects of the space.
func (m idSpace) mapUserData(data uint128.Uint128) uint128.Uint128 {
	if !data.IsZero() {
		data.Hi = m.idHigh
	}
	return data
}

func (m idSpace) mapAccount(a ledger.Account) ledger.Account {
	a.ID, a.Ledger, a.UserData128 = m.mapID(a.ID), m.mapLedger(a.Ledger), m.mapUserData(a.UserData128)
	return a
}

func (m idSpace) mapTransfer(t ledger.Transfer) ledger.Transfer {
	t.ID, t.PendingID = m.mapID(t.ID), m.mapID(t.PendingID)
	t.DebitAccountID, t.CreditAccountID = m.mapID(t.DebitAccountID), m.mapID(t.CreditAccountID)
	t.Ledger, t.UserData128 = m.mapLedger(t.Ledger), m.mapUserData(t.UserData128)
	return t
}

// unmapTransfer moves a stored transfer back from the space, and clears the timestamp given by the
// ledger. The low half of an id is the same inside and outside.
func (m idSpace) unmapTransfer(t ledger.Transfer) ledger.Transfer {
	t.ID.Hi, t.DebitAccountID.Hi, t.CreditAccountID.Hi, t.PendingID.Hi = 0, 0, 0, 0
	t.UserData128.Hi, t.Ledger, t.Timestamp = 0, t.Ledger-m.ledgerOffset, 0
	return t
}

// unmapAccount is unmapTransfer for an account.
func (m idSpace) unmapAccount(a ledger.Account) ledger.Account {
	a.ID.Hi, a.UserData128.Hi, a.Ledger, a.Timestamp = 0, 0, a.Ledger-m.ledgerOffset, 0
	return a
}

// unmapChange is unmapTransfer for a change event.
func (m idSpace) unmapChange(e ledger.ChangeEvent) ledger.ChangeEvent {
	e.TransferID.Hi, e.TransferPendingID.Hi, e.DebitAccountID.Hi, e.CreditAccountID.Hi = 0, 0, 0, 0
	e.TransferUserData128.Hi, e.DebitAccountUserData128.Hi, e.CreditAccountUserData128.Hi = 0, 0, 0
	e.Ledger -= m.ledgerOffset
	e.Timestamp, e.TransferTimestamp, e.DebitAccountTimestamp, e.CreditAccountTimestamp = 0, 0, 0, 0
	return e
}
