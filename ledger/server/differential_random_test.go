//go:build cgo && unix

package server_test

import (
	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/internal/unsafecast"
	"github.com/peerledger/peerledger/ledger"
)

// The random events and filters of TestAnswersOfTigerBeetle.

// oneIn reports true once in n times.
func (d *differential) oneIn(n int) bool { return d.random.IntN(n) == 0 }

func (d *differential) small(n int) uint64 { return uint64(d.random.IntN(n)) }

func (d *differential) accountID() ledger.ID {
	if d.oneIn(50) {
		return ledger.IDMax
	}
	return ledger.NewID(d.small(14), 0)
}

func (d *differential) transferID() ledger.ID { return ledger.NewID(d.small(1000), 0) }

// mostlyOne returns 1, and one time in twenty another small number.
func (d *differential) mostlyOne() uint64 {
	if d.oneIn(20) {
		return d.small(3)
	}
	return 1
}

func (d *differential) randomID() []byte {
	return unsafecast.Bytes([]ledger.ID{[]ledger.ID{d.accountID(), d.transferID()}[d.random.IntN(2)]})
}

func (d *differential) randomAccount() []byte {
	a := ledger.Account{
		ID: d.accountID(), Ledger: uint32(d.mostlyOne()), Code: uint16(d.mostlyOne()), UserData64: d.small(3),
		UserData32: uint32(d.small(3)), UserData128: uint128.From64(d.small(3)), Flags: ledger.AccountHistory,
	}
	for _, f := range []ledger.AccountFlags{1, 2, 4, 32} {
		if d.oneIn(25) {
			a.Flags |= f
		}
	}
	switch d.random.IntN(30) {
	case 0:
		a.Ledger = 0
	case 1:
		a.Code = 0
	case 2:
		a.Flags |= 1 << 9
	case 3:
		a.Timestamp = 5
	case 4:
		a.Flags |= ledger.AccountImported
		a.Timestamp = 1 + d.small(100)
	case 5:
		a.CreditsPosted = ledger.NewAmount(1)
	case 6:
		a.Reserved = 1
	}
	return unsafecast.Bytes([]ledger.Account{a})
}

func (d *differential) randomTransfer() []byte {
	tr := ledger.Transfer{
		ID: d.transferID(), DebitAccountID: d.accountID(), CreditAccountID: d.accountID(), Amount: ledger.NewAmount(d.small(50)),
		Ledger: uint32(d.mostlyOne()), Code: uint16(d.mostlyOne()), UserData64: d.small(3), UserData32: uint32(d.small(3)),
	}
	switch d.random.IntN(6) {
	case 0:
		tr.Flags = ledger.TransferPending
	case 1:
		tr.Flags, tr.PendingID = ledger.TransferPostPending, d.transferID()
	case 2:
		tr.Flags, tr.PendingID = ledger.TransferVoidPending, d.transferID()
		tr = ledger.Transfer{ID: tr.ID, PendingID: tr.PendingID, Flags: tr.Flags}
	}
	for i, f := range []ledger.TransferFlags{1, 16, 32, 64, 128} {
		if d.oneIn([]int{10, 10, 10, 50, 50}[i]) {
			tr.Flags |= f
		}
	}
	switch d.random.IntN(40) {
	case 0:
		tr.Amount = ledger.AmountMax
	case 1:
		tr.Timeout = 100000
	case 2:
		tr.Flags |= 1 << 12
	case 3:
		tr.Timestamp = 9
	case 4:
		tr.Flags |= ledger.TransferImported
		tr.Timestamp = 1 + d.small(1000)
	}
	return unsafecast.Bytes([]ledger.Transfer{tr})
}

// randomTime returns a timestamp of the real server, or 0.
func (d *differential) randomTime() uint64 {
	if len(d.seen) == 0 || d.oneIn(2) {
		return 0
	}
	return d.seen[d.random.IntN(len(d.seen))]
}

func (d *differential) limit() uint32 {
	return []uint32{0, 1, 2, 5, 100, 8189, 8190, 1 << 31}[d.random.IntN(8)]
}

func (d *differential) randomAccountFilter() []byte {
	f := ledger.AccountFilter{
		AccountID: d.accountID(), UserData64: d.small(3), UserData32: uint32(d.small(2)), Code: uint16(d.small(3)),
		TimestampMin: d.randomTime(), TimestampMax: d.randomTime(), Limit: d.limit() / 5, Flags: ledger.AccountFilterFlags(d.small(8)),
	}
	if d.oneIn(20) {
		f.Reserved[7] = 1
	}
	return unsafecast.Bytes([]ledger.AccountFilter{f})
}

func (d *differential) randomQueryFilter() []byte {
	f := ledger.QueryFilter{
		UserData64: d.small(3), UserData32: uint32(d.small(2)), Ledger: uint32(d.small(3)), Code: uint16(d.small(3)),
		TimestampMin: d.randomTime(), TimestampMax: d.randomTime(), Limit: d.limit() / 5, Flags: ledger.QueryFilterFlags(d.small(2)),
	}
	if d.oneIn(20) {
		f.Flags = 2
	}
	return unsafecast.Bytes([]ledger.QueryFilter{f})
}

func (d *differential) randomChangeFilter() []byte {
	return unsafecast.Bytes([]ledger.ChangeEventsFilter{{TimestampMin: d.randomTime(), TimestampMax: d.randomTime(), Limit: d.limit() / 10}})
}
