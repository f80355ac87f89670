package ledgertest

import (
	"math/rand/v2"
	"time"

	"github.com/peerledger/peerledger/ledger"
)

// generator draws a program. It does not know the answers, only what it has drawn
// before.
type generator struct {
	*rand.Rand
	program program
	pauses  pauses
	naps    int  // how many there still may be
	rich    bool // large amounts are frequent
	links   int  // one event in so many is linked
	faults  int  // one event in so many has something wrong

	accounts     []ledger.Account  // all events drawn so far
	transfers    []ledger.Transfer // all events drawn so far
	holds        []ledger.ID       // of those that were pending
	lastAccount  uint64            // the last id that was new
	lastTransfer uint64

	importing bool            // events are imports, but for a few
	stamps    map[bool]uint64 // newest timestamp since the mark, of accounts (true) and of transfers

	// TigerBeetle 0.17.9 crashes when an import resolves a regular hold that has a
	// timeout, so no program does. (Later releases answer.)
	timed, resolvedByImport map[ledger.ID]bool
}

// drawProgram draws a program of so many turns, or a few more.
func drawProgram(source rand.Source, turns int, allowed pauses) *program {
	g := &generator{
		Rand: rand.New(source), pauses: allowed,
		stamps: map[bool]uint64{}, timed: map[ledger.ID]bool{}, resolvedByImport: map[ledger.ID]bool{},
	}
	g.program.wild = allowed == anyPauses
	g.rich = g.oneIn(3)
	g.links, g.faults = []int{4, 8, 30}[g.IntN(3)], []int{4, 10, 40}[g.IntN(3)]
	g.naps = map[pauses]int{longPauses: longNaps, anyPauses: turns}[allowed]
	g.addTurn(g.drawOpening())
	for len(g.program.turns) < turns {
		g.drawTurn()
	}
	return &g.program
}

func (g *generator) addTurn(t turn) { g.program.turns = append(g.program.turns, t) }

// oneIn is true once in n times.
func (g *generator) oneIn(n int) bool { return g.IntN(n) == 0 }

func (g *generator) drawTurn() {
	switch n := g.IntN(20); {
	case n < 10:
		g.addTurn(g.transfersRequest())
	case n < 12:
		g.addTurn(g.accountsRequest())
	case n < 16:
		g.addTurn(g.drawQuery())
	case n < 17:
		g.resendRequest()
	case n < 18 && g.program.wild:
		g.drawExpiryRace()
	case n < 18:
		g.importPhase()
	case g.naps > 0:
		g.naps--
		g.addTurn(napTurn(g.drawNap()))
	}
}

// drawNap is a nap, or if the program is wild any time, often one that ends just
// where a hold expires or where an idle ledger looks for such.
func (g *generator) drawNap() time.Duration {
	if !g.program.wild {
		return nap
	}
	const look = 100 * time.Millisecond
	around := time.Duration(g.IntN(256)) - 32 // timestamps run a little ahead of the clock
	return []time.Duration{
		time.Second + around, time.Second + around, time.Second + look + around,
		time.Duration(g.IntN(1000)), look + around, look / 2, time.Second / 2, nap,
	}[g.IntN(8)]
}

// drawExpiryRace makes holds and ends them at the very moments when they expire: the later
// one was made, the earlier it is ended, so that some end is likely to be exact.
func (g *generator) drawExpiryRace() {
	n := 1 + g.IntN(12)
	holds, ends := make(transfersTurn, n), make(transfersTurn, n)
	for i := range n {
		holds[i] = g.drawMovement()
		holds[i].Flags, holds[i].Timeout = ledger.TransferPending, 1
		end := &ends[n-1-i]
		end.ID, end.PendingID, end.Flags = g.newTransferID(), holds[i].ID, ledger.TransferVoidPending
		if g.oneIn(2) {
			end.Flags, end.Amount = ledger.TransferPostPending, ledger.AmountMax
		}
	}
	g.transfers = append(append(g.transfers, holds...), ends...)
	g.addTurn(napTurn(time.Millisecond)) // timestamps have run ahead of the clock
	g.addTurn(holds)
	g.addTurn(napTurn(time.Second + time.Duration(g.IntN(32)-16)))
	g.addTurn(ends)
}

// resendRequest sends an earlier request once more, as it was.
func (g *generator) resendRequest() {
	for range 4 {
		switch t := g.program.turns[g.IntN(len(g.program.turns))].(type) {
		case accountsTurn, transfersTurn:
			g.addTurn(t)
			return
		}
	}
}

// importPhase is a mark and imports behind it. If regular events came in between,
// all would regress.
func (g *generator) importPhase() {
	g.stamps[true], g.stamps[false] = 400, 100 // so some accounts are younger than some transfers
	g.importing = true
	g.addTurn(markTurn{})
	for range 1 + g.IntN(4) {
		if g.oneIn(3) {
			g.addTurn(g.accountsRequest())
		} else {
			g.addTurn(g.transfersRequest())
		}
	}
	g.importing = false
}

// drawImportTime is a timestamp for an imported event: mostly the next one.
func (g *generator) drawImportTime(account bool) uint64 {
	if !g.oneIn(6) {
		g.stamps[account] += 1 + g.Uint64N(60)
		return g.stamps[account]
	}
	return []uint64{
		0, 1, ledger.TimestampMax, ledger.TimestampMax + 1, 1<<64 - 1, future,
		g.stamps[account], g.stamps[!account], g.stamps[account] - 1,
	}[g.IntN(9)]
}

// drawAmount is mostly small, and near the largest one or a half of it otherwise.
func (g *generator) drawAmount() ledger.Amount {
	small := ledger.NewAmount(g.Uint64N(40))
	if edge := 30; !g.oneIn(edge) && (!g.rich || !g.oneIn(3)) {
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

func (g *generator) userData() uint64 {
	if g.oneIn(3) {
		return 1 + g.Uint64N(3)
	}
	return 0
}
