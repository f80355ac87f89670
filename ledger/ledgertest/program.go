package ledgertest

import (
	"math/rand/v2"
	"slices"

	"github.com/peerledger/peerledger/ledger"
)

// program is a random list of transfers, aimed at the edges of the rules: few
// accounts, few ids, small amounts, many chains and many events sent again.
//
// It leaves out what time and luck decide (timeouts, imports) and amounts that
// could overflow, so that an answer once given stays: whatever was refused is
// refused for ever, under the same id.
type program struct {
	accounts []ledger.Account
	events   []ledger.Transfer
}

const (
	programAccounts = 12
	programEvents   = 600
)

// newProgram makes the program of the seed. Its ids have the high half ids, and
// its ledger numbers are number and number+1, so that it can be run twice.
func newProgram(seed, ids uint64, number uint32) *program {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), ids: ids, number: number}
	p := &program{accounts: g.accounts()}
	for range programEvents {
		event := g.event(p.events)
		if len(p.events) < programEvents-1 && g.one(5) {
			event.Flags |= ledger.TransferLinked
		}
		p.events = append(p.events, event)
	}
	return p
}

// units are the runs of events that only make sense in one request: chains, and
// events that stand alone.
func (p *program) units() (units [][]ledger.Transfer) {
	start := 0
	for i := range p.events {
		if !p.events[i].Flags.Has(ledger.TransferLinked) {
			units = append(units, p.events[start:i+1])
			start = i + 1
		}
	}
	return units
}

// requests cuts the program at random; chains stay whole.
func (p *program) requests(random *rand.Rand) (requests [][]ledger.Transfer) {
	units := p.units()
	for len(units) > 0 {
		n := min(len(units), 1+random.IntN(20))
		requests = append(requests, slices.Concat(units[:n]...))
		units = units[n:]
	}
	return requests
}

// generator draws the parts of a program.
type generator struct {
	*rand.Rand
	ids    uint64
	number uint32
	next   uint64 // the last transfer id that is new
}

// one is true once in n times.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

func (g *generator) accounts() (accounts []ledger.Account) {
	flags := []ledger.AccountFlags{
		0, ledger.AccountHistory, ledger.AccountDebitsMustNotExceedCredits, ledger.AccountCreditsMustNotExceedDebits,
	}
	for i := range uint64(programAccounts) {
		accounts = append(accounts, ledger.Account{
			ID: ledger.NewID(i+1, g.ids), Ledger: g.number, Code: 1, Flags: flags[i%4] | flags[i/4%2],
		})
	}
	accounts[programAccounts-1].Ledger++
	return accounts
}

// event is a transfer after those that were drawn before.
func (g *generator) event(before []ledger.Transfer) ledger.Transfer {
	if len(before) > 0 && g.one(6) {
		again := before[g.IntN(len(before))]
		again.Flags &^= ledger.TransferLinked
		if g.one(2) {
			g.spoil(&again)
		}
		return again
	}
	switch n := g.IntN(20); {
	case n < 5:
		return g.resolution(ledger.TransferPostPending)
	case n < 8:
		return g.resolution(ledger.TransferVoidPending)
	default:
		return g.movement()
	}
}

// newID is mostly a new one.
func (g *generator) newID() ledger.ID {
	if g.next == 0 || !g.one(8) {
		g.next++
		return ledger.NewID(g.next, g.ids)
	}
	return g.recentID()
}

func (g *generator) recentID() ledger.ID {
	return ledger.NewID(g.next-min(g.next, g.Uint64N(12)), g.ids)
}

func (g *generator) account() ledger.ID {
	// Once in a while one that is not there.
	return ledger.NewID(1+g.Uint64N(programAccounts)+g.Uint64N(50)/49, g.ids)
}

func (g *generator) movement() ledger.Transfer {
	t := ledger.Transfer{
		ID: g.newID(), DebitAccountID: g.account(), CreditAccountID: g.account(),
		Amount: ledger.NewAmount(g.Uint64N(40)), UserData64: g.Uint64N(3), Ledger: g.number, Code: 1,
	}
	if g.one(3) {
		t.Flags |= ledger.TransferPending
		if g.one(12) {
			t.Flags |= ledger.TransferClosingDebit
		}
		if g.one(12) {
			t.Flags |= ledger.TransferClosingCredit
		}
	}
	if g.one(6) {
		t.Flags |= ledger.TransferBalancingDebit
		t.Amount = ledger.AmountMax
	}
	if g.one(6) {
		t.Flags |= ledger.TransferBalancingCredit
	}
	return t
}

func (g *generator) resolution(flag ledger.TransferFlags) ledger.Transfer {
	t := ledger.Transfer{ID: g.newID(), PendingID: g.recentID(), Flags: flag, UserData32: g.Uint32N(2)}
	switch {
	case flag == ledger.TransferPostPending && !g.one(3):
		t.Amount = ledger.AmountMax
	case g.one(3):
		t.Amount = ledger.NewAmount(g.Uint64N(40))
	}
	return t
}

// spoil changes one field of an event that is sent again.
func (g *generator) spoil(t *ledger.Transfer) {
	switch g.IntN(7) {
	case 0:
		t.Amount = ledger.NewAmount(g.Uint64N(40))
	case 1:
		t.DebitAccountID = g.account()
	case 2:
		t.UserData64++
	case 3:
		t.Code++
	case 4:
		t.Ledger++
	case 5:
		t.Flags ^= ledger.TransferPending
	default:
		t.Timestamp++
	}
}
