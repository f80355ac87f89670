package ledgertest

import (
	"math"

	"lukechampine.com/uint128"

	"github.com/peerledger/peerledger/ledger"
)

func (g *generator) drawTransfersRequest() action {
	request := make(createTransfersAction, 1+g.IntN(12))
	for i := range request {
		t := g.drawTransfer()
		if g.oneIn(g.linkRate) {
			t.Flags |= ledger.TransferLinked
		}
		if i == len(request)-1 && !g.oneIn(12) {
			t.Flags &^= ledger.TransferLinked
		}
		g.avoidImportCrash(&t)
		request[i] = t
		g.transfers = append(g.transfers, t)
		if t.Flags.Has(ledger.TransferPending) {
			g.holds = append(g.holds, t.ID)
		}
	}
	return request
}

// drawTransfer returns a transfer, new or drawn before, often with faults.
func (g *generator) drawTransfer() ledger.Transfer {
	var t ledger.Transfer
	switch n := g.IntN(20); {
	case n < 3 && len(g.transfers) > 0:
		t = g.drawEarlierTransfer()
	case n < 6 && len(g.holds) > 0:
		t = g.drawResolution(ledger.TransferPostPending)
	case n < 8 && len(g.holds) > 0:
		t = g.drawResolution(ledger.TransferVoidPending)
	default:
		t = g.drawMovement()
	}
	if g.importing && !t.Flags.Has(ledger.TransferImported) {
		t.Flags |= ledger.TransferImported
		t.Timestamp = g.drawImportTime(false)
		if !g.oneIn(8) {
			t.Timeout = 0
		}
	}
	for g.oneIn(g.faultRate) {
		transferFaults[g.IntN(len(transferFaults))](g, &t)
	}
	return t
}

// drawEarlierTransfer returns a transfer drawn before, every second time with one field changed. It
// avoids members of chains, because most of them would differ only in the linked flag.
func (g *generator) drawEarlierTransfer() ledger.Transfer {
	t := g.transfers[g.IntN(len(g.transfers))]
	for range 3 {
		if !t.Flags.Has(ledger.TransferLinked) {
			break
		}
		t = g.transfers[g.IntN(len(g.transfers))]
	}
	if g.oneIn(2) {
		transferFaults[g.IntN(len(transferFaults))](g, &t)
	}
	return t
}

// avoidImportCrash changes an import that would resolve a regular hold with a timeout.
func (g *generator) avoidImportCrash(t *ledger.Transfer) {
	imported := t.Flags.Has(ledger.TransferImported)
	resolves := t.Flags.Any(ledger.TransferPostPending | ledger.TransferVoidPending)
	if imported && resolves && g.timeoutHolds[t.PendingID] {
		t.PendingID = ledger.ID{}
	}
	if !imported && t.Timeout != 0 && g.resolvedByImport[t.ID] {
		t.Timeout = 0
	}
	g.timeoutHolds[t.ID] = g.timeoutHolds[t.ID] || (!imported && t.Timeout != 0)
	if imported && resolves {
		g.resolvedByImport[t.PendingID] = true
	}
}

// drawTransferID returns a new id in most cases.
func (g *generator) drawTransferID() ledger.ID {
	if g.lastTransfer > 0 && g.oneIn(20) {
		return ledger.NewID(1+g.Uint64N(g.lastTransfer), 0)
	}
	g.lastTransfer++
	return ledger.NewID(g.lastTransfer, 0)
}

// pickAccount returns an account drawn before, and rarely an unknown account.
func (g *generator) pickAccount() *ledger.Account {
	if g.oneIn(40) {
		return &ledger.Account{ID: ledger.NewID(900, 0), Ledger: 1}
	}
	n := len(g.accounts)
	recent := min(n, 5)
	switch {
	case g.importing && g.oneIn(2): // perhaps younger than the import
		return &g.accounts[n-1-g.IntN(recent)]
	case g.oneIn(4):
		return &g.accounts[g.IntN(n)]
	default: // the first accounts exist, and are used often
		return &g.accounts[g.IntN(recent)]
	}
}

func (g *generator) drawMovement() ledger.Transfer {
	debit, credit := g.pickAccount(), g.pickAccount()
	for range 3 {
		if debit.ID != credit.ID && debit.Ledger == credit.Ledger {
			break
		}
		credit = g.pickAccount()
	}
	t := ledger.Transfer{
		ID: g.drawTransferID(), DebitAccountID: debit.ID, CreditAccountID: credit.ID, Amount: g.drawAmount(),
		UserData128: uint128.From64(g.drawUserData()), UserData64: g.drawUserData(), UserData32: uint32(g.drawUserData()),
		Ledger: debit.Ledger, Code: uint16(1 + g.IntN(2)),
	}
	if g.oneIn(2) {
		g.makeHold(&t)
	}
	for _, flag := range []ledger.TransferFlags{ledger.TransferBalancingDebit, ledger.TransferBalancingCredit} {
		if g.oneIn(8) {
			t.Flags |= flag
			if g.oneIn(2) {
				t.Amount = ledger.AmountMax
			}
		}
	}
	return t
}

func (g *generator) makeHold(t *ledger.Transfer) {
	t.Flags |= ledger.TransferPending
	for _, flag := range []ledger.TransferFlags{ledger.TransferClosingDebit, ledger.TransferClosingCredit} {
		if g.oneIn(30) {
			t.Flags |= flag
		}
	}
	if g.oneIn(3) {
		t.Timeout = g.drawTimeout()
	}
}

// drawTimeout returns a timeout that ends during the program, or long after.
func (g *generator) drawTimeout() uint32 {
	if g.pauses == noPauses || g.oneIn(4) {
		return []uint32{1e6, math.MaxUint32}[g.IntN(2)]
	}
	return 1 + g.Uint32N(2)
}

// drawResolution returns a post or a void of a recent hold. In most cases the fields of the hold
// are left out, and else mostly correct.
func (g *generator) drawResolution(flag ledger.TransferFlags) ledger.Transfer {
	t := ledger.Transfer{ID: g.drawTransferID(), Flags: flag}
	if g.oneIn(20) {
		t.PendingID = ledger.NewID(1+g.Uint64N(g.lastTransfer+1), 0)
	} else {
		t.PendingID = g.holds[len(g.holds)-1-g.IntN(min(len(g.holds), 8))]
	}
	hold := g.findTransfer(t.PendingID)
	switch n := g.IntN(6); {
	case n < 3 && flag == ledger.TransferPostPending:
		t.Amount = ledger.AmountMax
	case n == 3:
		t.Amount = hold.Amount
	case n == 4:
		t.Amount, _ = hold.Amount.Add(ledger.NewAmount(1))
	case n == 5 || flag == ledger.TransferPostPending:
		t.Amount = hold.Amount.Min(g.drawAmount())
	}
	if g.oneIn(4) {
		t.DebitAccountID, t.CreditAccountID, t.Ledger, t.Code =
			hold.DebitAccountID, hold.CreditAccountID, hold.Ledger, hold.Code
	}
	if g.oneIn(4) {
		t.UserData128, t.UserData64, t.UserData32 =
			uint128.From64(g.drawUserData()), g.drawUserData(), uint32(g.drawUserData())
	}
	return t
}

// findTransfer returns the last event drawn under the id.
func (g *generator) findTransfer(id ledger.ID) (t ledger.Transfer) {
	for i := range g.transfers {
		if g.transfers[i].ID == id {
			t = g.transfers[i]
		}
	}
	return t
}

// transferFaults change one field of a transfer.
var transferFaults = []func(*generator, *ledger.Transfer){
	func(_ *generator, t *ledger.Transfer) { t.ID = ledger.ID{} },
	func(_ *generator, t *ledger.Transfer) { t.ID = ledger.IDMax },
	func(g *generator, t *ledger.Transfer) { t.ID = ledger.NewID(1+g.Uint64N(g.lastTransfer), 0) },
	func(_ *generator, t *ledger.Transfer) { t.DebitAccountID = ledger.ID{} },
	func(_ *generator, t *ledger.Transfer) { t.DebitAccountID = ledger.IDMax },
	func(g *generator, t *ledger.Transfer) { t.DebitAccountID = g.pickAccount().ID },
	func(_ *generator, t *ledger.Transfer) { t.CreditAccountID = ledger.ID{} },
	func(_ *generator, t *ledger.Transfer) { t.CreditAccountID = ledger.IDMax },
	func(g *generator, t *ledger.Transfer) { t.CreditAccountID = g.pickAccount().ID },
	func(_ *generator, t *ledger.Transfer) { t.CreditAccountID = t.DebitAccountID },
	func(g *generator, t *ledger.Transfer) { t.Amount = g.drawAmount() },
	func(_ *generator, t *ledger.Transfer) { t.Amount, _ = t.Amount.Add(ledger.NewAmount(1)) },
	func(_ *generator, t *ledger.Transfer) { t.PendingID = ledger.ID{} },
	func(_ *generator, t *ledger.Transfer) { t.PendingID = ledger.IDMax },
	func(_ *generator, t *ledger.Transfer) { t.PendingID = t.ID },
	func(g *generator, t *ledger.Transfer) { t.PendingID = ledger.NewID(1+g.Uint64N(g.lastTransfer), 0) },
	func(_ *generator, t *ledger.Transfer) { t.UserData128 = t.UserData128.AddWrap64(1) },
	func(_ *generator, t *ledger.Transfer) { t.UserData64++ },
	func(_ *generator, t *ledger.Transfer) { t.UserData32++ },
	func(g *generator, t *ledger.Transfer) { t.Timeout = g.drawTimeout() },
	func(_ *generator, t *ledger.Transfer) { t.Ledger = 0 },
	func(_ *generator, t *ledger.Transfer) { t.Ledger = 3 - t.Ledger%3 },
	func(_ *generator, t *ledger.Transfer) { t.Code = 0 },
	func(_ *generator, t *ledger.Transfer) { t.Code++ },
	func(g *generator, t *ledger.Transfer) { t.Flags ^= 1 << (1 + g.IntN(8)) },
	func(g *generator, t *ledger.Transfer) { t.Flags ^= 1 << (1 + g.IntN(8)) },
	func(g *generator, t *ledger.Transfer) { t.Flags |= 1 << (9 + g.IntN(7)) },
	func(g *generator, t *ledger.Transfer) {
		t.Timestamp = g.drawImportTime(false)
		if !t.Flags.Has(ledger.TransferImported) {
			t.Timestamp |= 1
		}
	},
}
