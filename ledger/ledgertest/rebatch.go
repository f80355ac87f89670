package ledgertest

import (
	"math/rand/v2"
	"slices"

	"github.com/peerledger/peerledger/ledger"
)

// maxRebatched is the most events of a request joined from several requests: few enough for a
// server started with --development.
const maxRebatched = 60

// rebatchActions returns the program's actions without queries, and with the same events cut into
// other requests.
func (p *program) rebatchActions(random *rand.Rand) (actions []action) {
	var accounts [][]ledger.Account
	var transfers [][]ledger.Transfer
	flush := func() {
		for _, request := range rebatchEvents(random, accounts, newAccountHeader) {
			actions = append(actions, createAccountsAction(request))
		}
		for _, request := range rebatchEvents(random, transfers, newTransferHeader) {
			actions = append(actions, createTransfersAction(request))
		}
		accounts, transfers = nil, nil
	}
	for _, t := range p.actions {
		switch t := t.(type) {
		case *query:
		case createAccountsAction:
			if len(transfers) > 0 {
				flush()
			}
			accounts = append(accounts, t)
		case createTransfersAction:
			if len(accounts) > 0 {
				flush()
			}
			transfers = append(transfers, t)
		default:
			flush()
			actions = append(actions, t)
		}
	}
	flush()
	return actions
}

// requestPart is a row of events that must stay in one request: a chain, or a single event.
type requestPart[E any] struct {
	events   []E
	imported bool
	open     bool // an open chain, which has to end the request
	mixed    bool // a request with imports and other events: the first event decides which are valid
}

// splitRequest splits a request wherever a split leaves its answers unchanged.
func splitRequest[E any](request []E, headerOf func(*E) eventHeader) (parts []requestPart[E]) {
	imported := headerOf(&request[0]).imported
	if slices.ContainsFunc(request, func(e E) bool { return headerOf(&e).imported != imported }) {
		return []requestPart[E]{{events: request, mixed: true}}
	}
	for start := 0; start < len(request); {
		end := start + 1
		for end < len(request) && headerOf(&request[end-1]).linked {
			end++
		}
		parts = append(parts, requestPart[E]{
			events: request[start:end], imported: imported, open: headerOf(&request[end-1]).linked,
		})
		start = end
	}
	return parts
}

// rebatchEvents cuts the events of requests into other requests, in the same order.
func rebatchEvents[E any](random *rand.Rand, requests [][]E, headerOf func(*E) eventHeader) (rebatched [][]E) {
	var current []E
	imported := false
	flush := func() {
		if len(current) > 0 {
			rebatched = append(rebatched, current)
		}
		current = nil
	}
	for _, request := range requests {
		for _, part := range splitRequest(request, headerOf) {
			if part.mixed || part.imported != imported || len(current)+len(part.events) > maxRebatched || random.IntN(5) == 0 {
				flush()
			}
			current, imported = slices.Concat(current, part.events), part.imported
			if part.mixed || part.open {
				flush()
			}
		}
	}
	flush()
	return rebatched
}
