package ledgertest

import (
	"math/rand/v2"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// generator draws a program. It knows only the events drawn before, not the ledger's answers.
type generator struct {
	*rand.Rand
	program      program
	pauses       pauseMode
	sleepsLeft   int  // sleeps that may still be drawn
	largeAmounts bool // large amounts are frequent
	linkRate     int  // one event in linkRate is linked
	faultRate    int  // one event in faultRate has a fault

	accounts     []ledger.Account  // all accounts drawn so far
	transfers    []ledger.Transfer // all transfers drawn so far
	holds        []ledger.ID       // ids of the pending transfers
	lastAccount  uint64            // the last new id
	lastTransfer uint64

	importing       bool            // most events are imports
	lastImportTimes map[bool]uint64 // newest timestamp since the import base, of accounts (true) and of transfers

	// TigerBeetle 0.17.9 crashes when an import resolves a regular hold with a timeout, so no
	// program does. (Later releases answer.)
	timeoutHolds, resolvedByImport map[ledger.ID]bool
}

// drawProgram draws a program of the given length, or a few actions more.
func drawProgram(source rand.Source, length int, mode pauseMode) *program {
	g := &generator{
		Rand: rand.New(source), pauses: mode,
		lastImportTimes: map[bool]uint64{}, timeoutHolds: map[ledger.ID]bool{}, resolvedByImport: map[ledger.ID]bool{},
	}
	g.program.racesExpiries = mode == anyPauses
	g.largeAmounts = g.oneIn(3)
	g.linkRate, g.faultRate = []int{4, 8, 30}[g.IntN(3)], []int{4, 10, 40}[g.IntN(3)]
	g.sleepsLeft = map[pauseMode]int{safePauses: maxSleeps, anyPauses: length}[mode]
	g.addAction(g.drawFirstAccounts())
	for len(g.program.actions) < length {
		g.drawAction()
	}
	return &g.program
}

func (g *generator) addAction(t action) { g.program.actions = append(g.program.actions, t) }

// oneIn is true once in n times.
func (g *generator) oneIn(n int) bool { return g.IntN(n) == 0 }

func (g *generator) drawAction() {
	switch n := g.IntN(20); {
	case n < 10:
		g.addAction(g.drawTransfersRequest())
	case n < 12:
		g.addAction(g.drawAccountsRequest())
	case n < 16:
		g.addAction(g.drawQuery())
	case n < 17:
		g.drawResend()
	case n < 18 && g.program.racesExpiries:
		g.drawExpiryRace()
	case n < 18:
		g.drawImports()
	case g.sleepsLeft > 0:
		g.sleepsLeft--
		g.addAction(sleepAction(g.drawSleep()))
	}
}

// drawSleep returns sleepDuration. If the program races expiries, it returns any time, often a time
// that ends just when a hold expires or when an idle ledger scans for expired holds.
func (g *generator) drawSleep() time.Duration {
	if !g.program.racesExpiries {
		return sleepDuration
	}
	const scanInterval = 100 * time.Millisecond
	around := time.Duration(g.IntN(256)) - 32 // timestamps run a little ahead of the clock
	return []time.Duration{
		time.Second + around, time.Second + around, time.Second + scanInterval + around,
		time.Duration(g.IntN(1000)), scanInterval + around, scanInterval / 2, time.Second / 2, sleepDuration,
	}[g.IntN(8)]
}

// drawExpiryRace makes holds and ends each at the very moment of its expiry. The ends come in
// reverse order of the holds, so that some end is likely to be exact.
func (g *generator) drawExpiryRace() {
	n := 1 + g.IntN(12)
	holds, ends := make(createTransfersAction, n), make(createTransfersAction, n)
	for i := range n {
		holds[i] = g.drawMovement()
		holds[i].Flags, holds[i].Timeout = ledger.TransferPending, 1
		end := &ends[n-1-i]
		end.ID, end.PendingID, end.Flags = g.drawTransferID(), holds[i].ID, ledger.TransferVoidPending
		if g.oneIn(2) {
			end.Flags, end.Amount = ledger.TransferPostPending, ledger.AmountMax
		}
	}
	g.transfers = append(append(g.transfers, holds...), ends...)
	g.addAction(sleepAction(time.Millisecond)) // timestamps have run ahead of the clock
	g.addAction(holds)
	g.addAction(sleepAction(time.Second + time.Duration(g.IntN(32)-16)))
	g.addAction(ends)
}

// drawResend sends an earlier request once more, unchanged.
func (g *generator) drawResend() {
	for range 4 {
		switch t := g.program.actions[g.IntN(len(g.program.actions))].(type) {
		case createAccountsAction, createTransfersAction:
			g.addAction(t)
			return
		}
	}
}

// drawImports sets the import base and draws imports. Regular events in between would make all
// imports regress.
func (g *generator) drawImports() {
	g.lastImportTimes[true], g.lastImportTimes[false] = 400, 100 // so some accounts are younger than some transfers
	g.importing = true
	g.addAction(importBaseAction{})
	for range 1 + g.IntN(4) {
		if g.oneIn(3) {
			g.addAction(g.drawAccountsRequest())
		} else {
			g.addAction(g.drawTransfersRequest())
		}
	}
	g.importing = false
}

// drawImportTime returns a timestamp for an imported event, in most cases the next.
func (g *generator) drawImportTime(account bool) uint64 {
	if !g.oneIn(6) {
		g.lastImportTimes[account] += 1 + g.Uint64N(60)
		return g.lastImportTimes[account]
	}
	return []uint64{
		0, 1, ledger.TimestampMax, ledger.TimestampMax + 1, 1<<64 - 1, futureOffset,
		g.lastImportTimes[account], g.lastImportTimes[!account], g.lastImportTimes[account] - 1,
	}[g.IntN(9)]
}

// drawAmount returns a small amount in most cases, and else an amount near the largest or near half
// of it.
func (g *generator) drawAmount() ledger.Amount {
	small := ledger.NewAmount(g.Uint64N(40))
	if edge := 30; !g.oneIn(edge) && (!g.largeAmounts || !g.oneIn(3)) {
		return small
	}
	half := ledger.Amount{Hi: 1 << 63}
	from := []ledger.Amount{ledger.AmountMax, ledger.AmountMax, half, half, {Hi: 1}}[g.IntN(5)]
	if g.oneIn(2) {
		return from.SubFloor(small)
	}
	sum, ok := from.Add(small)
	if !ok {
		return from
	}
	return sum
}

func (g *generator) drawUserData() uint64 {
	if g.oneIn(3) {
		return 1 + g.Uint64N(3)
	}
	return 0
}
