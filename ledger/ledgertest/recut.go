package ledgertest

import (
	"math/rand/v2"
	"slices"

	"github.com/peerledger/peerledger/ledger"
)

// mostRecut is how many events a request may have that is put together from
// several: few enough for a server started with --development.
const mostRecut = 60

// variantOf is the turns of the program without those that only read, and with the
// same events cut into other requests.
func (p *program) variantOf(random *rand.Rand) (turns []turn) {
	var accounts [][]ledger.Account
	var transfers [][]ledger.Transfer
	flush := func() {
		for _, request := range rebatchEvents(random, accounts, accountHead) {
			turns = append(turns, accountsTurn(request))
		}
		for _, request := range rebatchEvents(random, transfers, transferHead) {
			turns = append(turns, transfersTurn(request))
		}
		accounts, transfers = nil, nil
	}
	for _, t := range p.turns {
		switch t := t.(type) {
		case *query:
		case accountsTurn:
			if len(transfers) > 0 {
				flush()
			}
			accounts = append(accounts, t)
		case transfersTurn:
			if len(accounts) > 0 {
				flush()
			}
			transfers = append(transfers, t)
		default:
			flush()
			turns = append(turns, t)
		}
	}
	flush()
	return turns
}

// unit is a run of events that only make sense in one request: a chain, or an
// event that stands alone.
type unit[E any] struct {
	events   []E
	imported bool
	open     bool // a chain left open, which has to end the request
	mixed    bool // a request with imports and other events: the first one decides
}

// cutRequest cuts a request as far as its answers do not depend on it.
func cutRequest[E any](request []E, headOf func(*E) head) (units []unit[E]) {
	imported := headOf(&request[0]).imported
	if slices.ContainsFunc(request, func(e E) bool { return headOf(&e).imported != imported }) {
		return []unit[E]{{events: request, mixed: true}}
	}
	for start := 0; start < len(request); {
		end := start + 1
		for end < len(request) && headOf(&request[end-1]).linked {
			end++
		}
		units = append(units, unit[E]{
			events: request[start:end], imported: imported, open: headOf(&request[end-1]).linked,
		})
		start = end
	}
	return units
}

// rebatchEvents puts the events of requests into others, in the same order.
func rebatchEvents[E any](random *rand.Rand, requests [][]E, headOf func(*E) head) (others [][]E) {
	var current []E
	imported := false
	flush := func() {
		if len(current) > 0 {
			others = append(others, current)
		}
		current = nil
	}
	for _, request := range requests {
		for _, u := range cutRequest(request, headOf) {
			if u.mixed || u.imported != imported || len(current)+len(u.events) > mostRecut || random.IntN(5) == 0 {
				flush()
			}
			current, imported = slices.Concat(current, u.events), u.imported
			if u.mixed || u.open {
				flush()
			}
		}
	}
	flush()
	return others
}
